/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <assert.h>
#include <string.h>

#include "address.h"
#include "credentials.h"
#include "macros.h"

/* Numbers from 0 up to the highest of these, by their size. */
static uint64_t highest_of_size(size_t size)
{
	return size < 8 ? (UINT64_C(1) << (8 * size)) - 1 : INT64_MAX;
}

static uint64_t load_number(const void *from, size_t size)
{
	uint64_t number = 0; /* the low bytes come first on each machine that vaild is built for */

	memcpy(&number, from, size);
	return number;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied by their low bytes");

static size_t count_of(const Field *field, const void *structure)
{
	size_t count = field->maximum;

	if (field->count_offset != FIELD_ALL_ITEMS)
		memcpy(&count, (const char *)structure + field->count_offset, sizeof(count));
	return count;
}

static const char *items_of(const Field *field, const void *structure)
{
	const char *at = (const char *)structure + field->offset;

	if (field->type == FIELD_LIST)
		memcpy(&at, at, sizeof(at));
	return at;
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_structure(Writer *writer, const FieldTable *table, const void *structure)
{
	writer_object_begin(writer);
	fields_write(writer, table, structure);
	writer_object_end(writer);
}

static void write_items(Writer *writer, const Field *field, const void *structure)
{
	const char *items = items_of(field, structure);
	size_t count = count_of(field, structure);

	writer_array_begin(writer);
	for (size_t i = 0; i < count; i++) {
		const char *item = items + i * field->size;

		if (field->table)
			write_structure(writer, field->table, item);
		else
			writer_unsigned(writer, load_number(item, field->size));
	}
	writer_array_end(writer);
}

static void write_groups(Writer *writer, const Groups *groups)
{
	writer_array_begin(writer);
	for (size_t i = 0; i < groups->count; i++)
		writer_unsigned(writer, groups->ids[i]);
	writer_array_end(writer);
}

static const char *text_of(const void *member)
{
	const char *text;

	memcpy(&text, member, sizeof(text));
	return text;
}

static void write_value(Writer *writer, const Field *field, const void *structure)
{
	const void *member = (const char *)structure + field->offset;

	switch (field->type) {
	case FIELD_NUMBER:
		writer_unsigned(writer, load_number(member, field->size));
		return;
	case FIELD_WORD:
		writer_address(writer, *(const uint64_t *)member);
		return;
	case FIELD_BOOLEAN:
		writer_boolean(writer, *(const bool *)member);
		return;
	case FIELD_TEXT:
		writer_string(writer, text_of(member));
		return;
	case FIELD_LETTERS:
		writer_string(writer, member);
		return;
	case FIELD_GUID:
		writer_guid(writer, member);
		return;
	case FIELD_HANDLE:
		writer_handle(writer, member);
		return;
	case FIELD_GROUPS:
		write_groups(writer, member);
		return;
	case FIELD_STRUCTURE:
		write_structure(writer, field->table, member);
		return;
	case FIELD_LIST:
	case FIELD_ARRAY:
		write_items(writer, field, structure);
		return;
	}
}

void fields_write(Writer *writer, const FieldTable *table, const void *structure)
{
	for (size_t i = 0; i < table->count; i++) {
		const Field *field = &table->fields[i];

		if (field->is_optional && !text_of((const char *)structure + field->offset))
			continue;
		writer_key_quoted(writer, field->quoted, strlen(field->quoted));
		write_value(writer, field, structure);
	}
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_number(const JsonValue *value, uint64_t maximum, size_t size, void *member)
{
	uint64_t highest = highest_of_size(size), number;

	if (!json_read_unsigned(value, &number) || number > maximum || number > highest)
		return false;
	memcpy(member, &number, size);
	return true;
}

static bool read_word(const JsonValue *value, uint64_t *ret)
{
	const char *text = json_string(value);

	return text && address_parse(text, ret);
}

static NTSTATUS is_right(bool is_so)
{
	return is_so ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static NTSTATUS read_text(const JsonValue *value, char **ret)
{
	const char *text = json_string(value);

	if (!text)
		return STATUS_INVALID_PARAMETER;
	*ret = strdup(text);
	return *ret ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static bool read_letters(const JsonValue *value, size_t size, char *ret)
{
	const char *text = json_string(value);

	if (!text || (strlen(text) != size - 1 && text[0] != '\0'))
		return false;
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

/* In their order, for they are searched by it. */
static NTSTATUS read_groups(const JsonValue *value, Groups *ret)
{
	size_t count = json_array_size(value);
	gid_t *ids = calloc(count + 1, sizeof(*ids));

	if (!ids)
		return STATUS_NO_MEMORY;
	*ret = (Groups){ .ids = ids, .count = count };
	for (size_t i = 0; i < count; i++)
		if (!read_number(json_array_at(value, i), UINT32_MAX, sizeof(*ids), &ids[i]) ||
		    (i > 0 && ids[i] <= ids[i - 1]))
			return STATUS_INVALID_PARAMETER;
	return is_right(json_type_of(value) == JSON_ARRAY);
}

static NTSTATUS read_structure(const FieldTable *table, const JsonValue *value, void *structure)
{
	const char *name;

	return fields_read(table, value, NULL, structure, &name);
}

/* Room for the items of a list, which belongs to the structure with its count. */
static char *make_room(const Field *field, size_t count, void *structure)
{
	char *items = (char *)structure + field->offset;

	if (field->type == FIELD_LIST) {
		char *list = calloc(count + 1, field->size);

		memcpy(items, &list, sizeof(list));
		items = list;
	}
	if (items && field->count_offset != FIELD_ALL_ITEMS)
		memcpy((char *)structure + field->count_offset, &count, sizeof(count));
	return items;
}

static NTSTATUS read_items(const Field *field, const JsonValue *value, void *structure)
{
	size_t count = json_array_size(value);
	bool must_be_full = field->count_offset == FIELD_ALL_ITEMS;

	if (json_type_of(value) != JSON_ARRAY || count > field->maximum ||
	    (must_be_full && count < field->maximum))
		return STATUS_INVALID_PARAMETER;
	char *items = make_room(field, count, structure);
	NTSTATUS status = items ? STATUS_SUCCESS : STATUS_NO_MEMORY;
	for (size_t i = 0; i < count && status == STATUS_SUCCESS; i++) {
		const JsonValue *item = json_array_at(value, i);
		void *at = items + i * field->size;

		status = field->table ? read_structure(field->table, item, at)
				      : is_right(read_number(item, INT64_MAX, field->size, at));
	}
	return status;
}

static NTSTATUS read_value(const Field *field, const JsonValue *value, void *structure)
{
	void *member = (char *)structure + field->offset;
	const char *text = json_string(value);

	switch (field->type) {
	case FIELD_NUMBER:
		return is_right(read_number(value, field->maximum, field->size, member));
	case FIELD_WORD:
		return is_right(read_word(value, member));
	case FIELD_BOOLEAN:
		return is_right(json_read_boolean(value, member));
	case FIELD_TEXT:
		return read_text(value, member);
	case FIELD_LETTERS:
		return is_right(read_letters(value, field->size, member));
	case FIELD_GUID:
		return is_right(text && guid_parse(text, member));
	case FIELD_HANDLE:
		return is_right(text && handle_parse(text, member));
	case FIELD_GROUPS:
		return read_groups(value, member);
	case FIELD_STRUCTURE:
		return read_structure(field->table, value, member);
	case FIELD_LIST:
	case FIELD_ARRAY:
		return read_items(field, value, structure);
	}
	return STATUS_INVALID_PARAMETER;
}

static bool is_among(const char *name, const char *const *names)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* Records name their fields in the table's order: the next one is tried first. */
static const Field *find_field(const FieldTable *table, size_t next, const char *name)
{
	if (next < table->count && strcmp(table->fields[next].name, name) == 0)
		return &table->fields[next];
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->fields[i].name, name) == 0)
			return &table->fields[i];
	return NULL;
}

/* The first field that has to be there and is not; NULL: none. */
static const Field *find_missing(const FieldTable *table, uint64_t found)
{
	for (size_t i = 0; i < table->count; i++)
		if (!(found >> i & 1) && !table->fields[i].is_optional)
			return &table->fields[i];
	return NULL;
}

NTSTATUS fields_read(const FieldTable *table, const JsonValue *object, const char *const *ignored,
		     void *structure, const char **ret_name)
{
	JsonMembers members = json_members(object);
	uint64_t found = 0; /* by the place in the table */
	size_t next = 0;

	assert(table->count <= 64);
	while (json_members_next(&members)) {
		const Field *field = find_field(table, next, members.name);

		*ret_name = members.name;
		if (!field && is_among(members.name, ignored))
			continue;
		if (!field)
			return STATUS_INVALID_PARAMETER;
		if (!members.value) /* null is as if it were not there */
			continue;
		NTSTATUS status = read_value(field, members.value, structure);
		if (status != STATUS_SUCCESS)
			return status;
		next = (size_t)(field - table->fields);
		found |= UINT64_C(1) << next++;
	}
	const Field *missing = find_missing(table, found);
	if (missing)
		*ret_name = missing->name;
	return is_right(!missing && json_type_of(object) == JSON_OBJECT);
}

/* --- freeing --------------------------------------------------------------------------------- */

static void free_list(const Field *field, void *structure)
{
	size_t count = count_of(field, structure);
	char *items = (char *)items_of(field, structure);

	for (size_t i = 0; items && field->table && i < count; i++)
		fields_free(field->table, items + i * field->size);
	free(items);
}

void fields_free(const FieldTable *table, void *structure)
{
	for (size_t i = 0; i < table->count; i++) {
		const Field *field = &table->fields[i];
		void *member = (char *)structure + field->offset;

		switch (field->type) {
		case FIELD_TEXT:
			free_pointer(member);
			break;
		case FIELD_GROUPS:
			groups_deinit(member);
			break;
		case FIELD_STRUCTURE:
			fields_free(field->table, member);
			break;
		case FIELD_LIST:
			free_list(field, structure);
			break;
		default: /* items in place own nothing */
			break;
		}
	}
}
