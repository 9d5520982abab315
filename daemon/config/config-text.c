/* SPDX-License-Identifier: MIT */
#include "daemon/config/config-text.h"

#include <string.h>

#include "daemon/config/config-syntax.h"

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Returns the text without the blanks around it. */
static JsonText trim(JsonText text)
{
	while (text.length > 0 && is_blank(text.start[0])) {
		text.start++;
		text.length--;
	}
	while (text.length > 0 && is_blank(text.start[text.length - 1]))
		text.length--;
	return text;
}

static bool is_byte_order_mark(JsonText text)
{
	return text.length >= 3 && memcmp(text.start, "\xef\xbb\xbf", 3) == 0;
}

/* Checks that the text is JSON. Mistakes have positions from then on. */
static bool check_json(ConfigFile *file, const Buffer *text)
{
	const char *start = buffer_head(text);
	JsonText value = trim((JsonText){ .start = start, .length = buffer_size(text) });
	size_t position;

	if (value.length == 0)
		return config_mistake(file,
				      "the file is empty; write {} for an empty configuration");
	file->text = start;
	if (is_byte_order_mark(value))
		return config_mistake_at(file, value.start,
					 "the file begins with a byte order mark; save it as UTF-8 "
					 "without one");
	const char *error = config_syntax_check(start, buffer_size(text), &position);
	if (error)
		return config_mistake_at(file, start + position, "the file is not JSON: %s", error);
	file->value = value;
	return true;
}

/* Refuses a key that stands twice in its object, because only one of the values could apply. */
static bool refuse_repeated(const ConfigFile *file, const char *name)
{
	char quote[CONFIG_QUOTE_SIZE];

	return config_mistake_at(file, name - 1, "%s stands twice; remove one of them",
				 config_quote(name, strcspn(name, "\""), quote));
}

static bool out_of_memory(const ConfigFile *file)
{
	file->ret_error->is_temporary = true;
	return config_mistake(file, "cannot be read: out of memory; try again later");
}

bool config_read_value(const ConfigFile *file, const JsonValue *value, ConfigReader *reader,
		       void *context)
{
	if (json_type_of(value) == JSON_OBJECT)
		return reader(file, value, context);
	return config_mistake_at(file, config_find(file, ""),
				 "the file is not one JSON object; write the keys between { and }");
}

bool config_text_read(ConfigFile *file, const Buffer *text, ConfigReader *reader, void *context)
{
	const char *error;

	if (!check_json(file, text))
		return false;
	JsonParser *parser = json_parser_new();
	if (!parser)
		return out_of_memory(file);
	JsonValue *value = json_parse(parser, buffer_head(text), buffer_size(text), &error);
	const char *repeated = error ? NULL : json_repeated_name(parser);
	bool read = error      ? out_of_memory(file)
		    : repeated ? refuse_repeated(file, repeated)
			       : config_read_value(file, value, reader, context);
	json_free(value);
	json_parser_free(parser);
	return read;
}
