/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STORE_RECORD_FIELDS_H
#define DAEMON_STORE_RECORD_FIELDS_H

#include "proto/json-table.h"
#include "proto/status.h"

/*
 * The rows of persisted records: the same table writes a record and reads it back. Records are read
 * strictly. Every member that is not optional must be present, with the type and in the range of
 * the structure's member, and unknown members are refused.
 */

#define RECORD_TABLE(array)                                   \
	{                                                     \
		.fields = (array), .count = ARRAY_SIZE(array) \
	}

/* A row whose presence and number of items are not stored. */
#define RECORD_ROW(kind, text, structure, member)                                    \
	JSON_FIELD(kind, text, structure, member), .is_required = true,              \
						   .present_offset = JSON_NO_MEMBER, \
						   .count_offset = JSON_NO_MEMBER

#define NUMBER_TO(text, structure, member, highest)                                           \
	{                                                                                     \
		RECORD_ROW(JSON_FIELD_INTEGER, text, structure, member), .maximum = (highest) \
	}
#define NUMBER(text, structure, member) NUMBER_TO(text, structure, member, INT64_MAX)
/* Not written if 0, and 0 if absent. */
#define OPTIONAL_NUMBER_TO(text, structure, member, highest)                              \
	{                                                                                 \
		JSON_FIELD(JSON_FIELD_INTEGER, text, structure, member),                  \
			.present_offset = JSON_NO_MEMBER, .count_offset = JSON_NO_MEMBER, \
			.maximum = (highest)                                              \
	}
#define OPTIONAL_NUMBER(text, structure, member) \
	OPTIONAL_NUMBER_TO(text, structure, member, INT64_MAX)
#define UID(text, structure, member) NUMBER_TO(text, structure, member, UINT32_MAX)
#define PID(text, structure, member) NUMBER_TO(text, structure, member, INT32_MAX)
#define WORD(text, structure, member)                                   \
	{                                                               \
		RECORD_ROW(JSON_FIELD_ADDRESS, text, structure, member) \
	}
#define BOOLEAN(text, structure, member)                                \
	{                                                               \
		RECORD_ROW(JSON_FIELD_BOOLEAN, text, structure, member) \
	}
/* Left out if it is false. */
#define OPTIONAL_BOOLEAN(text, structure, member)                                        \
	{                                                                                \
		JSON_FIELD(JSON_FIELD_BOOLEAN, text, structure, member),                 \
			.present_offset = JSON_NO_MEMBER, .count_offset = JSON_NO_MEMBER \
	}
#define TEXT(text, structure, member)                                         \
	{                                                                     \
		RECORD_ROW(JSON_FIELD_OWNED_STRING, text, structure, member), \
			.maximum = UINT64_MAX                                 \
	}
#define OPTIONAL_TEXT(text, structure, member)                                            \
	{                                                                                 \
		JSON_FIELD(JSON_FIELD_OWNED_STRING, text, structure, member),             \
			.present_offset = JSON_NO_MEMBER, .count_offset = JSON_NO_MEMBER, \
			.maximum = UINT64_MAX                                             \
	}
#define LETTERS(text, structure, member)                                    \
	{                                                                   \
		RECORD_ROW(JSON_FIELD_FULL_STRING, text, structure, member) \
	}
#define GUID(text, structure, member)                                \
	{                                                            \
		RECORD_ROW(JSON_FIELD_GUID, text, structure, member) \
	}
#define HANDLE(text, structure, member)                                \
	{                                                              \
		RECORD_ROW(JSON_FIELD_HANDLE, text, structure, member) \
	}
#define STRUCTURE(text, structure, member, of)                                        \
	{                                                                             \
		RECORD_ROW(JSON_FIELD_OBJECT, text, structure, member), .table = (of) \
	}
/* Left out if the structure's bool present is false, which also tells whether it was read. */
#define OPTIONAL_STRUCTURE(text, structure, member, present, of)        \
	{                                                               \
		JSON_FIELD(JSON_FIELD_OBJECT, text, structure, member), \
			.present_offset = offsetof(structure, present), \
			.count_offset = JSON_NO_MEMBER, .table = (of)   \
	}

#define RECORD_ITEMS(kind, text, structure, member, counter, item, most, of)            \
	.type = (kind), .name = (text), .quoted = "\"" text "\":", .is_required = true, \
	.offset = offsetof(structure, member), .size = sizeof(item),                    \
	.present_offset = JSON_NO_MEMBER, .count_offset = (counter), .maximum = (most), \
	.table = (of)
#define LIST(text, structure, member, counter, item, most, of)             \
	{                                                                  \
		RECORD_ITEMS(JSON_FIELD_LIST, text, structure, member,     \
			     offsetof(structure, counter), item, most, of) \
	}
#define ARRAY(text, structure, member, counter, item, most, of)            \
	{                                                                  \
		RECORD_ITEMS(JSON_FIELD_ARRAY, text, structure, member,    \
			     offsetof(structure, counter), item, most, of) \
	}

/* An array of integers of which all items are used. */
#define NUMBERS(text, structure, member)                                                        \
	{                                                                                       \
		RECORD_ITEMS(JSON_FIELD_ARRAY, text, structure, member, JSON_NO_MEMBER,         \
			     ((structure *)0)->member[0], ARRAY_SIZE(((structure *)0)->member), \
			     NULL)                                                              \
	}

/* Groups: sorted, because membership is found by bisection. */
#define GROUPS(text, structure, member)                                                   \
	{                                                                                 \
		RECORD_ITEMS(JSON_FIELD_LIST, text, structure, member.ids,                \
			     offsetof(structure, member.count), gid_t, UINT64_MAX, NULL), \
			.is_ascending = true                                              \
	}

/* Writes the structure's members without the braces. */
void fields_write(Writer *writer, const JsonTable *table, const void *structure);

/*
 * Fills a zeroed structure from a record. Members whose names are in ignored (terminated by NULL,
 * or NULL for none) are skipped. Whatever is returned, the caller frees the structure's memory with
 * fields_free().
 *
 * Returns STATUS_SUCCESS; STATUS_NO_MEMORY; or STATUS_INVALID_PARAMETER if the record does not
 * match the table. On failure *ret_name is the name of the record's member at fault, owned by the
 * record or the table.
 */
NTSTATUS fields_read(const JsonTable *table, const JsonValue *object, const char *const *ignored,
		     void *structure, const char **ret_name);

/* Frees the memory that the structure owns. */
void fields_free(const JsonTable *table, void *structure);

#endif
