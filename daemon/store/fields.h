/* SPDX-License-Identifier: MIT */
#ifndef STORE_FIELDS_H
#define STORE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "status.h"
#include "writer.h"

/*
 * Structures as JSON objects, both ways by the same tables: what one says is written and read. Read
 * strictly: each field has to be there, once, with the type and in the range of its member, and
 * nothing else.
 */

typedef enum FieldType {
	FIELD_NUMBER,  /* of 1, 2, 4 or 8 bytes, unsigned */
	FIELD_WORD,    /* 64 bits, all of them of use */
	FIELD_BOOLEAN, /* bool */
	FIELD_TEXT,    /* char *, owned; NULL is left out where the field is optional */
	FIELD_LETTERS, /* char[], NUL-terminated and full */
	FIELD_GUID,
	FIELD_HANDLE,
	FIELD_GROUPS,    /* Groups, owned */
	FIELD_STRUCTURE, /* of another table */
	FIELD_LIST,      /* a pointer to items, owned, with a count */
	FIELD_ARRAY,     /* items in place, with a count or all of them */
} FieldType;

typedef struct FieldTable FieldTable;

typedef struct Field {
	FieldType type;
	bool is_optional;
	const char *name;
	const char *quoted; /* "name": */
	size_t offset;
	size_t size; /* of the member; of an item, of a list or array */
	size_t count_offset;
	uint64_t maximum;        /* of a number; how many items */
	const FieldTable *table; /* of a structure, or of items (NULL: they are numbers) */
} Field;

struct FieldTable {
	const Field *fields;
	size_t count;
};

#define FIELD_ALL_ITEMS SIZE_MAX /* as count_offset: the array is always full */

#define FIELD_TABLE(array)                                    \
	{                                                     \
		.fields = (array), .count = ARRAY_SIZE(array) \
	}

#define FIELD(kind, text, structure, member)                              \
	.type = (kind), .name = (text),                                   \
	.quoted = "\"" text "\":", .offset = offsetof(structure, member), \
	.size = sizeof(((structure *)0)->member)

#define NUMBER_TO(text, structure, member, highest)                                \
	{                                                                          \
		FIELD(FIELD_NUMBER, text, structure, member), .maximum = (highest) \
	}
#define NUMBER(text, structure, member) NUMBER_TO(text, structure, member, INT64_MAX)
#define UID(text, structure, member)    NUMBER_TO(text, structure, member, UINT32_MAX)
#define PID(text, structure, member)    NUMBER_TO(text, structure, member, INT32_MAX)
#define WORD(text, structure, member)                      \
	{                                                  \
		FIELD(FIELD_WORD, text, structure, member) \
	}
#define BOOLEAN(text, structure, member)                      \
	{                                                     \
		FIELD(FIELD_BOOLEAN, text, structure, member) \
	}
#define TEXT(text, structure, member)                      \
	{                                                  \
		FIELD(FIELD_TEXT, text, structure, member) \
	}
#define OPTIONAL_TEXT(text, structure, member)                                  \
	{                                                                       \
		FIELD(FIELD_TEXT, text, structure, member), .is_optional = true \
	}
#define LETTERS(text, structure, member)                      \
	{                                                     \
		FIELD(FIELD_LETTERS, text, structure, member) \
	}
#define GUID(text, structure, member)                      \
	{                                                  \
		FIELD(FIELD_GUID, text, structure, member) \
	}
#define HANDLE(text, structure, member)                      \
	{                                                    \
		FIELD(FIELD_HANDLE, text, structure, member) \
	}
#define GROUPS(text, structure, member)                      \
	{                                                    \
		FIELD(FIELD_GROUPS, text, structure, member) \
	}
#define STRUCTURE(text, structure, member, of)                                 \
	{                                                                      \
		FIELD(FIELD_STRUCTURE, text, structure, member), .table = (of) \
	}

#define ITEMS(kind, text, structure, member, counter, item, most, of)               \
	{                                                                           \
		.type = (kind), .name = (text),                                     \
		.quoted = "\"" text "\":", .offset = offsetof(structure, member),   \
		.size = sizeof(item), .count_offset = offsetof(structure, counter), \
		.maximum = (most), .table = (of),                                   \
	}
#define LIST(text, structure, member, counter, item, most, of) \
	ITEMS(FIELD_LIST, text, structure, member, counter, item, most, of)
#define ARRAY(text, structure, member, counter, item, most, of) \
	ITEMS(FIELD_ARRAY, text, structure, member, counter, item, most, of)
#define NUMBERS(text, structure, member)                                                      \
	{                                                                                     \
		.type = FIELD_ARRAY, .name = (text),                                          \
		.quoted = "\"" text "\":", .offset = offsetof(structure, member),             \
		.size = sizeof(((structure *)0)->member[0]), .count_offset = FIELD_ALL_ITEMS, \
		.maximum = ARRAY_SIZE(((structure *)0)->member),                              \
	}

/* The members alone, without braces. */
void fields_write(Writer *writer, const FieldTable *table, const void *structure);

/*
 * Fills the structure, which is all zero, from an object; what is owned is fields_free()'s, also
 * where it fails. Members named in ignored (NULL behind the last) are somebody else's. Returns
 * STATUS_SUCCESS, STATUS_NO_MEMORY, or STATUS_INVALID_PARAMETER: the object is not so, and
 * *ret_name is the name of what is wrong.
 */
NTSTATUS fields_read(const FieldTable *table, const JsonValue *object, const char *const *ignored,
		     void *structure, const char **ret_name);

/* Frees what the structure owns. */
void fields_free(const FieldTable *table, void *structure);

#endif
