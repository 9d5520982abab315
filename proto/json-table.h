/* SPDX-License-Identifier: MIT */
#ifndef PROTO_JSON_TABLE_H
#define PROTO_JSON_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/json-writer.h"
#include "proto/json.h"

/*
 * Decodes JSON objects into plain structures and encodes them again, both by tables with one row
 * per member. A table decides everything about the shape of an object: which members exist, which
 * of them are required, and the type and bounds of each.
 */

typedef enum JsonFieldType {
	JSON_FIELD_INTEGER,      /* unsigned, of 1, 2, 4 or 8 bytes */
	JSON_FIELD_BOOLEAN,      /* bool */
	JSON_FIELD_STRING,       /* const char *, owned by the JSON value */
	JSON_FIELD_OWNED_STRING, /* char *, owned by the structure */
	JSON_FIELD_FULL_STRING,  /* char[], NUL-terminated; empty, or all characters used */
	JSON_FIELD_ADDRESS,      /* uint64_t, as a string of "0x" and 1 to 16 hex digits */
	JSON_FIELD_GUID,         /* Guid */
	JSON_FIELD_HANDLE,       /* Handle */
	JSON_FIELD_CHOICE,       /* uint64_t, an index into the choices */
	JSON_FIELD_CHOICES,      /* uint64_t with a bit for each choice in an array of names */
	JSON_FIELD_OBJECT,       /* a nested structure with its own table */
	JSON_FIELD_ARRAY,        /* items stored inside the structure */
	JSON_FIELD_LIST,         /* a pointer to items, owned by the structure */
} JsonFieldType;

typedef struct JsonTable JsonTable;

/* As an offset: the structure has no such member. */
#define JSON_NO_MEMBER SIZE_MAX

typedef struct JsonField {
	const char *name;
	const char *quoted; /* "name": as it is encoded; NULL if the table is only decoded */
	JsonFieldType type;
	bool is_required;
	bool is_ascending;     /* each integer of an array or list exceeds the one before it */
	size_t offset;         /* of the structure's member */
	size_t size;           /* of that member; of one item of an array or list */
	size_t present_offset; /* of a bool, set if the object has the member; JSON_NO_MEMBER */
	size_t count_offset;   /* of the size_t that counts items; JSON_NO_MEMBER if all are used */
	uint64_t maximum;      /* value of an integer, bytes of a string, or number of items */
	const JsonTable *table;     /* of an object, or of each item; NULL for plain items */
	JsonFieldType item_type;    /* of a plain item: JSON_FIELD_INTEGER or JSON_FIELD_STRING */
	const char *const *choices; /* names of a choice, terminated by NULL */
} JsonField;

struct JsonTable {
	const JsonField *fields;
	size_t count;      /* at most 64 */
	bool refuses_null; /* null is of the wrong type, instead of the same as an absent member */
};

/* The part of a row that follows from the structure's member. */
#define JSON_FIELD(field_type, field_name, structure, member)                   \
	.type = (field_type), .name = (field_name),                             \
	.quoted = "\"" field_name "\":", .offset = offsetof(structure, member), \
	.size = sizeof(((structure *)0)->member)

typedef enum JsonFaultKind {
	JSON_FAULT_MISSING,
	JSON_FAULT_UNKNOWN,  /* the table has no such member */
	JSON_FAULT_VALUE,    /* of another type or form than expected, or out of range */
	JSON_FAULT_TOO_LONG, /* a string */
	JSON_FAULT_TOO_MANY, /* items of an array */
	JSON_FAULT_TOO_FEW,
	JSON_FAULT_ORDER, /* an item of an array does not exceed the one before it */
	JSON_FAULT_NO_MEMORY,
} JsonFaultKind;

#define JSON_PATH_SIZE 96

/* The first fault of an object. */
typedef struct JsonFault {
	JsonFaultKind kind;
	JsonFieldType expected;     /* type of the value */
	uint64_t maximum;           /* highest integer, longest string, or number of items */
	const char *const *choices; /* as in JsonField */
	const char *member;     /* outermost member on the path, owned by the object or the table */
	const JsonValue *value; /* of JSON_FAULT_VALUE, owned by the object; NULL for null */
	const char *key;        /* name of an unknown member, owned by the object */
	const JsonTable *table; /* without that member */

	/* Path of the value, like "planes[0].offset"; a longer path is cut after a character. */
	char path[JSON_PATH_SIZE];
} JsonFault;

/*
 * Decodes an object into *structure, in the order of the text; members that the object lacks leave
 * the structure unchanged. Zero the structure before, because json_table_free() frees what it
 * points at. A value that is not an object counts as one without members. Members of the outermost
 * object whose names are in ignored (terminated by NULL, or NULL for none) are skipped if the table
 * does not have them.
 *
 * Returns false, with *ret_fault filled in, at the first fault. In both cases the structure may own
 * memory, to be freed with json_table_free().
 */
bool json_table_decode(const JsonTable *table, const JsonValue *object, const char *const *ignored,
		       void *structure, JsonFault *ret_fault);

/* Frees the strings and lists that a structure owns. */
void json_table_free(const JsonTable *table, void *structure);

/*
 * Writes the structure's members without the braces, in the order of the table. Leaves out optional
 * strings that are NULL, optional booleans that are false, and optional objects that are not
 * present. Fails as the writer does.
 */
void json_table_encode(Writer *writer, const JsonTable *table, const void *structure);

/*
 * Formats the fault as the predicate of a sentence whose subject is the path: "is missing". Returns
 * text, cut if size bytes are too few.
 */
char *json_fault_format(const JsonFault *fault, char *text, size_t size);

#endif
