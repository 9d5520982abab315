/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_VARLINK_TEXT_H
#define TESTS_SUPPORT_VARLINK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/json.h"

/*
 * Parses interface files (.varlink), to compare the method table and replies of the daemon with its
 * interface descriptions.
 */

typedef enum VarlinkKind {
	VARLINK_STRING,
	VARLINK_INT,
	VARLINK_BOOL,
	VARLINK_FLOAT,
	VARLINK_ARRAY,  /* elements of type element */
	VARLINK_STRUCT, /* an object with fields */
	VARLINK_ENUM,   /* names in fields, which have no type */
	VARLINK_NAMED,  /* a type that the file defines under name */
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
	VarlinkType *out; /* parameters of a method's reply; NULL for others */
} VarlinkDefinition;

#define VARLINK_DEFINITION_MAX 64

typedef struct VarlinkText {
	char interface[64];
	VarlinkDefinition definitions[VARLINK_DEFINITION_MAX];
	size_t count;
} VarlinkText;

/* Returns NULL and prints the position to stderr if the text is not an interface description. */
VarlinkText *varlink_parse(const char *text);
void varlink_free(VarlinkText *text);

/* Return NULL if nothing of that name exists. */
const VarlinkDefinition *varlink_find(const VarlinkText *text, VarlinkWord word, const char *name);
const VarlinkField *varlink_field(const VarlinkType *type, const char *name);

/* Returns the definition of a VARLINK_NAMED type, NULL if it is missing, or type itself. */
const VarlinkType *varlink_resolve(const VarlinkText *text, const VarlinkType *type);

/* All parsed interfaces of the daemon. */
typedef struct VarlinkService {
	VarlinkText *texts[8];
	size_t count;
} VarlinkService;

VarlinkService varlink_service(void);
void varlink_service_deinit(VarlinkService *service);
const VarlinkText *varlink_interface(const VarlinkService *service, const char *name);

/*
 * Checks a reply to "interface.Method" (NULL if the call named no method) for missing, unknown and
 * mistyped fields and for errors that the method must not return. Returns a description of the
 * flaw, valid until the next call, or NULL if the reply is correct.
 */
const char *varlink_reply_flaw(const VarlinkService *service, const char *method,
			       const JsonValue *reply);

#endif
