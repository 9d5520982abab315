/* SPDX-License-Identifier: MIT */
#include "proto/json-table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/hex-address.h"
#include "proto/macros.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are copied by their low bytes");

/* Position of a value in the object. Formatted only if there is a fault. */
typedef struct Path {
	const struct Path *parent;
	const char *name; /* NULL for an item of the parent, which is an array */
	size_t index;
} Path;

/* --- faults ---------------------------------------------------------------------------------- */

/* Appends as much of the path as fits. */
static void path_append(const Path *path, char *text, size_t size)
{
	if (path->parent)
		path_append(path->parent, text, size);
	size_t length = strlen(text);

	if (path->name)
		snprintf(text + length, size - length, "%s%s", length > 0 ? "." : "", path->name);
	else
		snprintf(text + length, size - length, "[%zu]", path->index);
}

/* Removes the last character of a path that fills the array, because it may be cut in UTF-8. */
static void trim_path(char text[static JSON_PATH_SIZE])
{
	size_t end = strlen(text);

	if (end + 1 < JSON_PATH_SIZE)
		return;
	while (end > 0 && (text[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > 0 && text[end - 1] & 0x80)
		text[end - 1] = '\0';
}

static bool fail(const Path *path, JsonFault fault, JsonFault *ret_fault)
{
	const Path *root = path;

	while (root->parent)
		root = root->parent;
	*ret_fault = fault;
	ret_fault->member = root->name;
	path_append(path, ret_fault->path, sizeof(ret_fault->path));
	trim_path(ret_fault->path);
	return false;
}

static bool fail_with_bound(const Path *path, JsonFaultKind kind, uint64_t maximum,
			    JsonFault *ret_fault)
{
	return fail(path, (JsonFault){ .kind = kind, .maximum = maximum }, ret_fault);
}

static bool fail_with_key(const Path *path, const JsonTable *table, JsonFault *ret_fault)
{
	const JsonFault fault = { .kind = JSON_FAULT_UNKNOWN, .key = path->name, .table = table };

	return fail(path, fault, ret_fault);
}

/* Highest value that an integer member accepts. */
static uint64_t highest_integer(const JsonField *field)
{
	uint64_t highest = field->size < 8 ? (UINT64_C(1) << (8 * field->size)) - 1 : INT64_MAX;

	return highest < field->maximum ? highest : field->maximum;
}

static bool fail_with_value(const Path *path, const JsonField *field, const JsonValue *value,
			    JsonFault *ret_fault)
{
	const JsonFault fault = {
		.kind = JSON_FAULT_VALUE,
		.value = value,
		.expected = field->type,
		.maximum = highest_integer(field),
		.choices = field->choices,
	};

	return fail(path, fault, ret_fault);
}

/* --- values ---------------------------------------------------------------------------------- */

static bool read_integer(const JsonField *field, const JsonValue *value, void *target)
{
	uint64_t number;

	if (!json_read_unsigned(value, &number) || number > highest_integer(field))
		return false;
	memcpy(target, &number, field->size);
	return true;
}

static bool read_full_string(const char *text, size_t size, char *target)
{
	if (!text || (strlen(text) != size - 1 && text[0] != '\0'))
		return false;
	memcpy(target, text, strlen(text) + 1);
	return true;
}

static bool read_choice(const char *text, const char *const *choices, uint64_t *target)
{
	for (uint64_t i = 0; text && choices[i]; i++)
		if (strcmp(text, choices[i]) == 0) {
			*target = i;
			return true;
		}
	return false;
}

static bool decode_string(const JsonField *field, const JsonValue *value, const char **target,
			  const Path *path, JsonFault *fault)
{
	const char *text = json_string(value);

	if (!text)
		return fail_with_value(path, field, value, fault);
	if (strlen(text) > field->maximum)
		return fail_with_bound(path, JSON_FAULT_TOO_LONG, field->maximum, fault);
	if (field->type == JSON_FIELD_OWNED_STRING)
		text = strdup(text);
	if (!text)
		return fail_with_bound(path, JSON_FAULT_NO_MEMORY, 0, fault);
	memcpy(target, &text, sizeof(text));
	return true;
}

/* Decodes a value that neither owns memory nor contains others. */
static bool read_value(const JsonField *field, const JsonValue *value, void *target)
{
	const char *text = json_string(value);

	switch (field->type) {
	case JSON_FIELD_INTEGER:
		return read_integer(field, value, target);
	case JSON_FIELD_BOOLEAN:
		return json_read_boolean(value, target);
	case JSON_FIELD_FULL_STRING:
		return read_full_string(text, field->size, target);
	case JSON_FIELD_ADDRESS:
		return text && address_parse(text, target);
	case JSON_FIELD_GUID:
		return text && guid_parse(text, target);
	case JSON_FIELD_HANDLE:
		return text && handle_parse(text, target);
	case JSON_FIELD_CHOICE:
		return read_choice(text, field->choices, target);
	default:
		return false;
	}
}

/* --- arrays ---------------------------------------------------------------------------------- */

static bool decode_members(const JsonTable *table, const JsonValue *object,
			   const char *const *ignored, void *structure, const Path *path,
			   JsonFault *fault);

static bool decode_object(const JsonField *field, const JsonValue *value, void *target,
			  const Path *path, JsonFault *fault)
{
	if (json_type_of(value) != JSON_OBJECT)
		return fail_with_value(path, &(JsonField){ .type = JSON_FIELD_OBJECT }, value,
				       fault);
	return decode_members(field->table, value, NULL, target, path, fault);
}

/* Decodes an item that is an integer. previous is the item before it, NULL for the first. */
static bool decode_integer_item(const JsonField *field, const JsonValue *value,
				const void *previous, void *target, const Path *path,
				JsonFault *fault)
{
	const JsonField integer = {
		.type = JSON_FIELD_INTEGER,
		.size = field->size,
		.maximum = INT64_MAX,
	};
	uint64_t number = 0, before = 0;

	if (!read_value(&integer, value, target))
		return fail_with_value(path, &integer, value, fault);
	if (!field->is_ascending || !previous)
		return true;
	memcpy(&number, target, field->size);
	memcpy(&before, previous, field->size);
	return number > before || fail_with_bound(path, JSON_FAULT_ORDER, 0, fault);
}

/* Decodes an item that is a string, which the JSON value owns. */
static bool decode_string_item(const JsonValue *value, const char **target, const Path *path,
			       JsonFault *fault)
{
	const JsonField string = { .type = JSON_FIELD_STRING, .maximum = UINT64_MAX };

	return decode_string(&string, value, target, path, fault);
}

static bool decode_items(const JsonField *field, const JsonValue *array, char *items,
			 const Path *path, JsonFault *fault)
{
	size_t count = json_array_size(array);
	bool is_decoded = true;

	for (size_t i = 0; i < count && is_decoded; i++) {
		const Path item = { .parent = path, .index = i };
		const JsonValue *value = json_array_at(array, i);
		char *target = items + i * field->size;
		const char *previous = i > 0 ? target - field->size : NULL;

		if (field->table)
			is_decoded = decode_object(field, value, target, &item, fault);
		else if (field->item_type == JSON_FIELD_STRING)
			is_decoded = decode_string_item(value, (const char **)(void *)target, &item,
							fault);
		else
			is_decoded =
				decode_integer_item(field, value, previous, target, &item, fault);
	}
	return is_decoded;
}

/* Decodes an array of names. Sets the bit of each, and leaves the other bits unchanged. */
static bool decode_choices(const JsonField *field, const JsonValue *array, uint64_t *target,
			   const Path *path, JsonFault *fault)
{
	const JsonField choice = { .type = JSON_FIELD_CHOICE, .choices = field->choices };
	size_t count = json_array_size(array);

	if (json_type_of(array) != JSON_ARRAY)
		return fail_with_value(path, field, array, fault);
	for (size_t i = 0; i < count; i++) {
		const Path item = { .parent = path, .index = i };
		const JsonValue *value = json_array_at(array, i);
		uint64_t number;

		if (!read_choice(json_string(value), field->choices, &number))
			return fail_with_value(&item, &choice, value, fault);
		*target |= UINT64_C(1) << number;
	}
	return true;
}

/* Allocates the items of a list and stores the pointer in the structure, which owns them. */
static char *allocate_items(const JsonField *field, size_t count, char *structure)
{
	char *items = calloc(count + 1, field->size);

	memcpy(structure + field->offset, &items, sizeof(items));
	return items;
}

static bool decode_array(const JsonField *field, const JsonValue *value, char *structure,
			 const Path *path, JsonFault *fault)
{
	size_t count = json_array_size(value);
	char *items = structure + field->offset;

	if (json_type_of(value) != JSON_ARRAY)
		return fail_with_value(path, field, value, fault);
	if (count > field->maximum)
		return fail_with_bound(path, JSON_FAULT_TOO_MANY, field->maximum, fault);
	if (field->count_offset == JSON_NO_MEMBER && count < field->maximum)
		return fail_with_bound(path, JSON_FAULT_TOO_FEW, field->maximum, fault);
	if (field->type == JSON_FIELD_LIST)
		items = allocate_items(field, count, structure);
	if (!items)
		return fail_with_bound(path, JSON_FAULT_NO_MEMORY, 0, fault);
	if (field->count_offset != JSON_NO_MEMBER)
		memcpy(structure + field->count_offset, &count, sizeof(count));
	return decode_items(field, value, items, path, fault);
}

/* --- objects --------------------------------------------------------------------------------- */

static bool decode_field(const JsonField *field, const JsonValue *value, char *structure,
			 const Path *path, JsonFault *fault)
{
	void *target = structure + field->offset;

	switch (field->type) {
	case JSON_FIELD_STRING:
	case JSON_FIELD_OWNED_STRING:
		return decode_string(field, value, target, path, fault);
	case JSON_FIELD_CHOICES:
		return decode_choices(field, value, target, path, fault);
	case JSON_FIELD_OBJECT:
		return decode_object(field, value, target, path, fault);
	case JSON_FIELD_ARRAY:
	case JSON_FIELD_LIST:
		return decode_array(field, value, structure, path, fault);
	default:
		return read_value(field, value, target) ||
		       fail_with_value(path, field, value, fault);
	}
}

/* Tries the expected row first, because most objects name their members in the table's order. */
static const JsonField *find_field(const JsonTable *table, size_t expected, const char *name)
{
	if (expected < table->count && strcmp(table->fields[expected].name, name) == 0)
		return &table->fields[expected];
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->fields[i].name, name) == 0)
			return &table->fields[i];
	return NULL;
}

static bool is_among(const char *name, const char *const *names)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* Checks that each required row has its bit set in found. */
static bool check_required(const JsonTable *table, uint64_t found, const Path *path,
			   JsonFault *fault)
{
	for (size_t i = 0; i < table->count; i++) {
		const Path missing = { .parent = path, .name = table->fields[i].name };

		if (table->fields[i].is_required && !(found >> i & 1))
			return fail_with_bound(&missing, JSON_FAULT_MISSING, 0, fault);
	}
	return true;
}

static bool decode_members(const JsonTable *table, const JsonValue *object,
			   const char *const *ignored, void *structure, const Path *path,
			   JsonFault *fault)
{
	JsonMembers members = json_members(object);
	uint64_t found = 0; /* one bit per row */
	size_t expected = 0;

	assert(table->count <= 64);
	while (json_members_next(&members)) {
		const JsonField *field = find_field(table, expected, members.name);
		const Path member = { .parent = path, .name = members.name };

		if (!field && is_among(members.name, ignored))
			continue;
		if (!field)
			return fail_with_key(&member, table, fault);
		if (!members.value && !table->refuses_null)
			continue;
		if (!decode_field(field, members.value, structure, &member, fault))
			return false;
		if (field->present_offset != JSON_NO_MEMBER)
			*(bool *)((char *)structure + field->present_offset) = true;
		expected = (size_t)(field - table->fields);
		found |= UINT64_C(1) << expected++;
	}
	return check_required(table, found, path, fault);
}

bool json_table_decode(const JsonTable *table, const JsonValue *object, const char *const *ignored,
		       void *structure, JsonFault *ret_fault)
{
	return decode_members(table, object, ignored, structure, NULL, ret_fault);
}

/* --- freeing --------------------------------------------------------------------------------- */

static void free_items(const JsonField *field, char *structure)
{
	const void *member = structure + field->offset;
	char *items = structure + field->offset;
	size_t count = field->maximum;

	if (field->type == JSON_FIELD_LIST)
		memcpy(&items, member, sizeof(items));
	if (field->count_offset != JSON_NO_MEMBER)
		memcpy(&count, structure + field->count_offset, sizeof(count));
	for (size_t i = 0; items && field->table && i < count; i++)
		json_table_free(field->table, items + i * field->size);
	if (field->type == JSON_FIELD_LIST)
		free(items);
}

void json_table_free(const JsonTable *table, void *structure)
{
	for (size_t i = 0; i < table->count; i++) {
		const JsonField *field = &table->fields[i];
		void *member = (char *)structure + field->offset;

		switch (field->type) {
		case JSON_FIELD_OWNED_STRING:
			free_pointer(member);
			break;
		case JSON_FIELD_OBJECT:
			json_table_free(field->table, member);
			break;
		case JSON_FIELD_ARRAY:
		case JSON_FIELD_LIST:
			free_items(field, structure);
			break;
		default:
			break;
		}
	}
}
