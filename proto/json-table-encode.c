/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "proto/json-table.h"

static uint64_t load_integer(const void *from, size_t size)
{
	uint64_t number = 0;

	memcpy(&number, from, size); /* little-endian: json-table.c asserts it */
	return number;
}

static const char *load_pointer(const void *from)
{
	const char *pointer;

	memcpy(&pointer, from, sizeof(pointer));
	return pointer;
}

static size_t load_count(const JsonField *field, const char *structure)
{
	size_t count = field->maximum;

	if (field->count_offset != JSON_NO_MEMBER)
		memcpy(&count, structure + field->count_offset, sizeof(count));
	return count;
}

static void encode_object(Writer *writer, const JsonTable *table, const void *structure)
{
	writer_object_begin(writer);
	json_table_encode(writer, table, structure);
	writer_object_end(writer);
}

static void encode_array(Writer *writer, const JsonField *field, const char *structure)
{
	const char *member = structure + field->offset;
	const char *items = field->type == JSON_FIELD_LIST ? load_pointer(member) : member;
	size_t count = load_count(field, structure);

	writer_array_begin(writer);
	for (size_t i = 0; i < count; i++) {
		const char *item = items + i * field->size;

		if (field->table)
			encode_object(writer, field->table, item);
		else
			writer_unsigned(writer, load_integer(item, field->size));
	}
	writer_array_end(writer);
}

static void encode_choices(Writer *writer, const JsonField *field, uint64_t bits)
{
	writer_array_begin(writer);
	for (unsigned int i = 0; field->choices[i]; i++)
		if (bits & UINT64_C(1) << i)
			writer_string(writer, field->choices[i]);
	writer_array_end(writer);
}

static void encode_value(Writer *writer, const JsonField *field, const char *structure)
{
	const void *member = structure + field->offset;

	switch (field->type) {
	case JSON_FIELD_INTEGER:
		writer_unsigned(writer, load_integer(member, field->size));
		return;
	case JSON_FIELD_BOOLEAN:
		writer_boolean(writer, *(const bool *)member);
		return;
	case JSON_FIELD_STRING:
	case JSON_FIELD_OWNED_STRING:
		writer_string(writer, load_pointer(member));
		return;
	case JSON_FIELD_FULL_STRING:
		writer_string(writer, member);
		return;
	case JSON_FIELD_ADDRESS:
		writer_address(writer, *(const uint64_t *)member);
		return;
	case JSON_FIELD_GUID:
		writer_guid(writer, member);
		return;
	case JSON_FIELD_HANDLE:
		writer_handle(writer, member);
		return;
	case JSON_FIELD_CHOICE:
		writer_string(writer, field->choices[*(const uint64_t *)member]);
		return;
	case JSON_FIELD_CHOICES:
		encode_choices(writer, field, *(const uint64_t *)member);
		return;
	case JSON_FIELD_OBJECT:
		encode_object(writer, field->table, member);
		return;
	case JSON_FIELD_ARRAY:
	case JSON_FIELD_LIST:
		encode_array(writer, field, structure);
		return;
	}
}

/*
 * Optional strings are absent if NULL, optional integers of a record if 0, and optional objects if
 * their present member is false.
 */
static bool is_absent(const JsonField *field, const char *structure)
{
	const char *member = structure + field->offset;
	bool is_string = field->type == JSON_FIELD_STRING || field->type == JSON_FIELD_OWNED_STRING;

	if (field->is_required)
		return false;
	if (field->type == JSON_FIELD_BOOLEAN)
		return !*(const bool *)member;
	if (field->type == JSON_FIELD_INTEGER && field->present_offset == JSON_NO_MEMBER)
		return load_integer(member, field->size) == 0;
	if (field->type == JSON_FIELD_OBJECT && field->present_offset != JSON_NO_MEMBER)
		return !*(const bool *)(structure + field->present_offset);
	return is_string && !load_pointer(member);
}

void json_table_encode(Writer *writer, const JsonTable *table, const void *structure)
{
	for (size_t i = 0; i < table->count; i++) {
		const JsonField *field = &table->fields[i];

		if (is_absent(field, structure))
			continue;
		writer_key_quoted(writer, field->quoted, strlen(field->quoted));
		encode_value(writer, field, structure);
	}
}
