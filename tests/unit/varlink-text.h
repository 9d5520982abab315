/* SPDX-License-Identifier: MIT */
#ifndef TESTS_VARLINK_TEXT_H
#define TESTS_VARLINK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"

/*
 * Reads the text of an interface file, so that the method table and each reply can be held against
 * what the daemon says of itself.
 */

typedef enum VarlinkKind {
	VARLINK_STRING,
	VARLINK_INT,
	VARLINK_BOOL,
	VARLINK_FLOAT,
	VARLINK_ARRAY,  /* of element */
	VARLINK_STRUCT, /* of fields */
	VARLINK_ENUM,   /* fields without types */
	VARLINK_NAMED,  /* by name, another definition of the file */
} VarlinkKind;

typedef struct VarlinkType VarlinkType;

typedef struct VarlinkField {
	char name[64];
	VarlinkType *type;
	struct VarlinkField *next;
} VarlinkField;

struct VarlinkType {
	VarlinkKind kind;
	bool optional;
	char name[64];
	VarlinkType *element;
	VarlinkField *fields;
};

typedef enum VarlinkWord { VARLINK_TYPE, VARLINK_METHOD, VARLINK_ERROR } VarlinkWord;

typedef struct VarlinkDefinition {
	VarlinkWord word;
	char name[64];
	VarlinkType *in;  /* a method's parameters; a type's or an error's fields */
	VarlinkType *out; /* what a method answers */
} VarlinkDefinition;

#define VARLINK_DEFINITION_MAX 64

typedef struct VarlinkText {
	char interface[64];
	VarlinkDefinition definitions[VARLINK_DEFINITION_MAX];
	size_t count;
} VarlinkText;

/* NULL, with the place on stderr, where the text is no interface. */
VarlinkText *varlink_parse(const char *text);
void varlink_free(VarlinkText *text);

const VarlinkDefinition *varlink_find(const VarlinkText *text, VarlinkWord word, const char *name);
const VarlinkField *varlink_field(const VarlinkType *type, const char *name);

/* A VARLINK_NAMED made into what it names. */
const VarlinkType *varlink_resolve(const VarlinkText *text, const VarlinkType *type);

/* All interfaces of the daemon. */
typedef struct VarlinkService {
	VarlinkText *texts[8];
	size_t count;
} VarlinkService;

VarlinkService varlink_service(void);
void varlink_service_deinit(VarlinkService *service);
const VarlinkText *varlink_interface(const VarlinkService *service, const char *name);

/*
 * What is wrong with a reply to "interface.Method" (NULL: to something that is no method): a field
 * that is missing, unknown or of another type, or an error that the method cannot answer. NULL when
 * nothing is. The text is good until the next call.
 */
const char *varlink_reply_flaw(const VarlinkService *service, const char *method,
			       const JsonValue *reply);

#endif
