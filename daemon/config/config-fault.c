/* SPDX-License-Identifier: MIT */
#include "daemon/config/config-fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/suggest.h"

/* --- keys ------------------------------------------------------------------------------------ */

/* The keys of an object as an array, for suggest_nearest(). */
typedef struct KeyNames {
	const char *names[64]; /* as many as a table may have */
	size_t count;
} KeyNames;

static KeyNames names_of(const ConfigKeys *keys)
{
	KeyNames result = { .count = keys->table->count };

	for (size_t i = 0; i < keys->table->count; i++)
		result.names[i] = keys->table->fields[i].name;
	return result;
}

static const char *nearest_key(const ConfigKeys *keys, const char *typed)
{
	KeyNames names = names_of(keys);

	return suggest_nearest(typed, names.names, names.count);
}

/* Returns the keys of which typed is one, if case, '-' and '_' do not count. */
static const ConfigKeys *find_place(const ConfigKeys *all, size_t count, const char *typed)
{
	for (size_t i = 0; i < count; i++) {
		const char *nearest = nearest_key(&all[i], typed);

		if (nearest && suggest_distance(typed, nearest) == 0)
			return &all[i];
	}
	return NULL;
}

/* Returns keys of which one resembles typed: own, or else the first place that has such a key. */
static const ConfigKeys *find_nearest(const ConfigKeys *own, const ConfigKeys *all, size_t count,
				      const char *typed)
{
	const ConfigKeys *best = nearest_key(own, typed) ? own : NULL;

	for (size_t i = 0; i < count && !best; i++)
		if (nearest_key(&all[i], typed))
			best = &all[i];
	return best;
}

/* Lists the keys as "a, b, c". */
static char *list_keys(const ConfigKeys *keys, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < keys->table->count; i++) {
		size_t length = strlen(text);

		snprintf(text + length, size - length, "%s%s", i > 0 ? ", " : "",
			 keys->table->fields[i].name);
	}
	return text;
}

/* Tests whether the key is meant as a comment. */
static bool is_comment(const char *key)
{
	return key[0] == '#' || key[0] == '_' || strncmp(key, "//", 2) == 0 ||
	       suggest_distance(key, "comment") <= 1;
}

static bool report_unknown(const ConfigFile *file, const JsonFault *fault, const ConfigKeys *own)
{
	const char *position = config_find(file, fault->path);
	char keys[200];

	if (fault->key[0] == '\0')
		return config_mistake_at(file, position, "%s has an empty key; remove it",
					 own->place);

	if (is_comment(fault->key))
		return config_mistake_at(file, position,
					 "%s is not a key of %s, and comments are not allowed; "
					 "remove it",
					 fault->path, own->place);
	if (own->are_many)
		return config_mistake_at(file, position,
					 "%s is not a key of %s; vaild.json(5) lists its keys",
					 fault->path, own->place);
	return config_mistake_at(file, position, "%s is not a key of %s; its keys are %s",
				 fault->path, own->place, list_keys(own, keys, sizeof(keys)));
}

/* Reports a key that resembles one of the place's. */
static bool report_similar(const ConfigFile *file, const JsonFault *fault, const ConfigKeys *own,
			   const ConfigKeys *place, const ConfigKeys *outermost, const char *key)
{
	const char *position = config_find(file, fault->path);

	if (place == own)
		return config_mistake_at(file, position,
					 "%s is not a key of %s; did you mean \"%s\"?", fault->path,
					 own->place, key);
	if (strcmp(key, fault->key) == 0 && place == outermost)
		return config_mistake_at(file, position,
					 "%s belongs to the outermost object; move it out of %s",
					 fault->path, own->place);
	if (strcmp(key, fault->key) == 0)
		return config_mistake_at(file, position,
					 "%s is not a key of %s but of %s; move it there",
					 fault->path, own->place, place->place);
	return config_mistake_at(file, position,
				 "%s is not a key of %s; did you mean \"%s\", a key of %s?",
				 fault->path, own->place, key, place->place);
}

static bool fault_of_key(const ConfigFile *file, const JsonFault *fault, const ConfigKeys *all,
			 size_t count)
{
	const char *dot = strrchr(fault->key, '.'), *typed = fault->key;
	const ConfigKeys *own = all;

	while (own->table != fault->table)
		own++;
	if (dot && !find_nearest(own, all, count, typed))
		typed = dot + 1; /* such as "limits.contexts" */

	const ConfigKeys *place = find_place(own, 1, typed);
	if (!place)
		place = find_place(all, count, typed);
	if (!place)
		place = find_nearest(own, all, count, typed);
	if (!place)
		return report_unknown(file, fault, own);
	return report_similar(file, fault, own, place, all, nearest_key(place, typed));
}

/* --- values ---------------------------------------------------------------------------------- */

/* Formats the value that was found, for a sentence. */
static char *format_found(const JsonValue *value, char *text, size_t size)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	JsonType type = json_type_of(value);
	const char *string = json_string(value);
	char quote[CONFIG_QUOTE_SIZE];

	if (string) {
		snprintf(text, size, "the string \"%s\"",
			 config_quote(string, strlen(string), quote));
	} else if (type == JSON_BOOLEAN || type == JSON_INTEGER || type == JSON_REAL) {
		_cleanup_free_ char *literal = json_format(value, false);

		snprintf(
			text, size, "%s%s", type == JSON_BOOLEAN ? "" : "the number ",
			config_quote(literal ? literal : "", literal ? strlen(literal) : 0, quote));
	} else {
		snprintf(text, size, "%s", names[type]);
	}
	return text;
}

/* Tests whether the string would be right without its quotes. */
static bool is_needlessly_quoted(const JsonFault *fault)
{
	const char *string = json_string(fault->value);

	if (!string || string[0] == '\0')
		return false;
	if (fault->expected == JSON_FIELD_BOOLEAN)
		return strcmp(string, "true") == 0 || strcmp(string, "false") == 0;
	return fault->expected == JSON_FIELD_INTEGER && strlen(string) < 8 &&
	       string[strspn(string, "0123456789")] == '\0';
}

static bool fault_of_value(const ConfigFile *file, const JsonFault *fault)
{
	char expected[200], found[CONFIG_QUOTE_SIZE + sizeof("the string \"\"")];

	return config_mistake_at(file, config_find(file, fault->path), "%s %s, but %s%s",
				 fault->path, json_fault_format(fault, expected, sizeof(expected)),
				 format_found(fault->value, found, sizeof(found)),
				 is_needlessly_quoted(fault) ? "; remove the quotes" : "");
}

bool config_fault(const ConfigFile *file, const JsonFault *fault, const ConfigKeys *all,
		  size_t count)
{
	const char *position = config_find(file, fault->path);
	char text[200];

	switch (fault->kind) {
	case JSON_FAULT_UNKNOWN:
		return fault_of_key(file, fault, all, count);
	case JSON_FAULT_VALUE:
		return fault_of_value(file, fault);
	case JSON_FAULT_MISSING:
		return config_mistake_at(file, position, "%s is missing; add it", fault->path);
	case JSON_FAULT_TOO_MANY:
		return config_mistake_at(file, position,
					 "%s has more than %" PRIu64 " items; remove some",
					 fault->path, fault->maximum);
	default:
		file->ret_error->is_temporary = fault->kind == JSON_FAULT_NO_MEMORY;
		return config_mistake_at(file, position, "%s %s", fault->path,
					 json_fault_format(fault, text, sizeof(text)));
	}
}
