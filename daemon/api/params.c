/* SPDX-License-Identifier: MIT */
#include "params.h"

#include <stdio.h>
#include <string.h>

#include "address.h"
#include "macros.h"

/* Where in the message a value stands. Made into text only when something is wrong there. */
typedef struct Path {
	const struct Path *parent;
	const char *name; /* NULL: an item of the parent, which is an array */
	size_t index;
} Path;

/* Appends to text, whose size is that of Failure.parameter, as much as fits. */
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

/* failure_parameter() of the path. */
#define path_failure(failure, path, ...)                          \
	({                                                        \
		char _text[sizeof((failure)->parameter)] = "";    \
		path_append((path), _text, sizeof(_text));        \
		failure_parameter((failure), _text, __VA_ARGS__); \
	})

static NTSTATUS decode_table(const ParamTable *table, const JsonValue *object, void *ret,
			     const Path *path, Failure *failure);

static NTSTATUS decode_guid(const JsonValue *value, Guid *ret, const Path *path, Failure *failure)
{
	const char *text = json_string(value);

	if (text && guid_parse(text, ret))
		return STATUS_SUCCESS;
	return path_failure(failure, path,
			    "is not a GUID; write it as 8-4-4-4-12 hex digits, not all zero");
}

static NTSTATUS decode_string(const ParamField *field, const JsonValue *value, const char **ret,
			      const Path *path, Failure *failure)
{
	const char *text = json_string(value);

	if (!text)
		return path_failure(failure, path, "is not a string");
	if (field->maximum > 0 && strlen(text) > field->maximum)
		return path_failure(failure, path, "is longer than %zu bytes; shorten it",
				    field->maximum);
	*ret = text;
	return STATUS_SUCCESS;
}

static NTSTATUS decode_integer(const JsonValue *value, OptionalInteger *ret, const Path *path,
			       Failure *failure)
{
	if (!json_read_unsigned(value, &ret->value))
		return path_failure(failure, path,
				    "is not an integer from 0 to 9223372036854775807");
	ret->present = true;
	return STATUS_SUCCESS;
}

static NTSTATUS decode_address(const JsonValue *value, OptionalInteger *ret, const Path *path,
			       Failure *failure)
{
	const char *text = json_string(value);

	if (!text || !address_parse(text, &ret->value))
		return path_failure(failure, path,
				    "is not an address; write it as a string of \"0x\" and 1 to 16 "
				    "hex digits");
	ret->present = true;
	return STATUS_SUCCESS;
}

static NTSTATUS decode_choice(const ParamField *field, const JsonValue *value, OptionalInteger *ret,
			      const Path *path, Failure *failure)
{
	const char *text = json_string(value);
	char choices[128] = "";

	for (size_t i = 0; field->choices[i]; i++) {
		size_t length = strlen(choices);

		if (text && strcmp(text, field->choices[i]) == 0) {
			*ret = (OptionalInteger){ .present = true, .value = i };
			return STATUS_SUCCESS;
		}
		snprintf(choices + length, sizeof(choices) - length, "%s%s", i > 0 ? ", " : "",
			 field->choices[i]);
	}
	return path_failure(failure, path, "is none of %s", choices);
}

static NTSTATUS decode_boolean(const JsonValue *value, OptionalBoolean *ret, const Path *path,
			       Failure *failure)
{
	if (!json_read_boolean(value, &ret->value))
		return path_failure(failure, path, "is neither true nor false");
	ret->present = true;
	return STATUS_SUCCESS;
}

static NTSTATUS decode_object(const ParamField *field, const JsonValue *value, void *ret,
			      const Path *path, Failure *failure)
{
	if (json_type_of(value) != JSON_OBJECT)
		return path_failure(failure, path, "is not an object");
	*(bool *)ret = true;
	return decode_table(field->table, value, ret, path, failure);
}

/* An item of an array: an object of the field's table, or an integer. */
static NTSTATUS decode_item(const ParamField *field, const JsonValue *value, void *ret,
			    const Path *path, Failure *failure)
{
	OptionalInteger number;

	if (field->table)
		return decode_object(field, value, ret, path, failure);
	NTSTATUS status = decode_integer(value, &number, path, failure);
	if (status == STATUS_SUCCESS)
		*(uint64_t *)ret = number.value;
	return status;
}

static NTSTATUS decode_array(const ParamField *field, const JsonValue *value, void *structure,
			     const Path *path, Failure *failure)
{
	ParamArray *array = (ParamArray *)((char *)structure + field->offset);
	char *items = (char *)structure + field->items_offset;
	size_t count = json_array_size(value);

	if (json_type_of(value) != JSON_ARRAY)
		return path_failure(failure, path, "is not an array");
	if (count > field->maximum)
		return path_failure(failure, path, "has more than %zu items; name fewer",
				    field->maximum);
	for (size_t i = 0; i < count; i++) {
		Path item = { .parent = path, .index = i };
		NTSTATUS status = decode_item(field, json_array_at(value, i),
					      items + i * field->item_size, &item, failure);

		if (status != STATUS_SUCCESS)
			return status;
	}
	array->present = true;
	array->count = count;
	return STATUS_SUCCESS;
}

static NTSTATUS decode_field(const ParamField *field, const JsonValue *value, void *structure,
			     const Path *path, Failure *failure)
{
	void *target = (char *)structure + field->offset;

	switch (field->type) {
	case PARAM_GUID:
		return decode_guid(value, target, path, failure);
	case PARAM_STRING:
	case PARAM_HANDLE:
		return decode_string(field, value, target, path, failure);
	case PARAM_INTEGER:
		return decode_integer(value, target, path, failure);
	case PARAM_BOOLEAN:
		return decode_boolean(value, target, path, failure);
	case PARAM_ADDRESS:
		return decode_address(value, target, path, failure);
	case PARAM_CHOICE:
		return decode_choice(field, value, target, path, failure);
	case PARAM_OBJECT:
		return decode_object(field, value, target, path, failure);
	case PARAM_ARRAY:
		return decode_array(field, value, structure, path, failure);
	}
	return path_failure(failure, path, "cannot be decoded");
}

static const ParamField *table_find(const ParamTable *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->fields[i].name, name) == 0)
			return &table->fields[i];
	return NULL;
}

static NTSTATUS find_missing(const ParamTable *table, uint64_t present, const Path *path,
			     Failure *failure)
{
	for (size_t i = 0; i < table->count; i++) {
		const ParamField *field = &table->fields[i];

		if (!field->required || present & UINT64_C(1) << i)
			continue;
		Path missing = { .parent = path, .name = field->name };
		return path_failure(failure, &missing, "is missing");
	}
	return STATUS_SUCCESS;
}

static NTSTATUS decode_table(const ParamTable *table, const JsonValue *object, void *ret,
			     const Path *path, Failure *failure)
{
	JsonMembers members = json_members(object);
	uint64_t present = 0; /* a bit a field */

	while (json_members_next(&members)) {
		const ParamField *field = table_find(table, members.name);
		Path member = { .parent = path, .name = members.name };

		if (!field)
			return path_failure(failure, &member,
					    "is not a parameter of this method; leave it out");
		if (!members.value) /* null counts as absent */
			continue;
		NTSTATUS status = decode_field(field, members.value, ret, &member, failure);
		if (status != STATUS_SUCCESS)
			return status;
		present |= UINT64_C(1) << (field - table->fields);
	}
	return find_missing(table, present, path, failure);
}

NTSTATUS params_decode(const ParamTable *table, const JsonValue *parameters, void *ret,
		       Failure *failure)
{
	return decode_table(table, parameters, ret, NULL, failure);
}
