/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config-software-adapter.h"
#include "frame.h"
#include "proc-file.h"
#include "user-database.h"

#define DEFAULT_OPERATOR_GROUP "vaild"

/* A file that is being read. */
typedef struct ConfigFile {
	const char *path;
	Settings *settings;
	char **ret_error;
} ConfigFile;

/* Leaves the sentence "PATH: …" and returns false. */
static _printf_(2, 3) bool mistake(const ConfigFile *file, const char *format, ...)
{
	va_list arguments;
	_cleanup_free_ char *text = NULL;

	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		text = NULL;
	if (!text || asprintf(file->ret_error, "%s: %s", file->path, text) < 0)
		*file->ret_error = NULL;
	return false;
}

#define NOW "now; see that the host's users can be looked up (getent group), and try again"

static bool read_operator_group(const ConfigFile *file, const char *key, const JsonValue *value)
{
	const char *name = json_string(value);
	Settings *settings = file->settings;

	if (!name)
		return mistake(file, "%s: is not a string; give the name of a group", key);
	settings->has_operator_group = name[0] != '\0';
	if (!settings->has_operator_group)
		return true;
	switch (user_database_find_group(name, &settings->operator_group)) {
	case EVIDENCE_FOUND:
		return true;
	case EVIDENCE_EXHAUSTED:
		return mistake(file, "%s: whether there is a group \"%s\" cannot be found out " NOW,
			       key, name);
	default:
		return mistake(file, "%s: there is no group \"%s\"; create it, or name another",
			       key, name);
	}
}

static bool read_allow_user_machines(const ConfigFile *file, const char *key,
				     const JsonValue *value)
{
	if (json_read_boolean(value, &file->settings->allow_user_machines))
		return true;
	return mistake(file, "%s: is neither true nor false", key);
}

static bool read_require_sealed_memory(const ConfigFile *file, const char *key,
				       const JsonValue *value)
{
	if (json_read_boolean(value, &file->settings->require_sealed_memory))
		return true;
	return mistake(file, "%s: is neither true nor false", key);
}

/* The limit of that name; NULL where there is none. */
static uint64_t *find_limit(Limits *limits, const char *name)
{
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		if (strcmp(limit_name(kind, true), name) == 0)
			return &limits->per_uid[kind];
		if (strcmp(limit_name(kind, false), name) == 0)
			return &limits->in_all[kind];
		if (limit_owner_name(kind) && strcmp(limit_owner_name(kind), name) == 0)
			return &limits->per_owner[kind];
	}
	return NULL;
}

static bool read_limits(const ConfigFile *file, const char *key, const JsonValue *value)
{
	JsonMembers members = json_members(value);

	if (json_type_of(value) != JSON_OBJECT)
		return mistake(file, "%s: is not an object", key);
	while (json_members_next(&members)) {
		uint64_t *limit = find_limit(&file->settings->limits, members.name);
		uint64_t number;

		if (!limit)
			return mistake(file, "%s.%s: is no limit", key, members.name);
		if (!json_read_unsigned(members.value, &number) || number > LIMIT_VALUE_MAX)
			return mistake(file, "%s.%s: is not an integer from 0 to %d", key,
				       members.name, LIMIT_VALUE_MAX);
		*limit = number;
	}
	return true;
}

static bool read_software_adapter(const ConfigFile *file, const char *key, const JsonValue *value)
{
	Failure failure;

	if (config_read_software_adapter(value, &file->settings->software_adapter, &failure))
		return true;
	return mistake(file, "%s: %s", key, failure.message);
}

static const struct {
	const char *name;
	bool (*read)(const ConfigFile *file, const char *key, const JsonValue *value);
} keys[] = {
	{ "operatorGroup", read_operator_group },
	{ "allowUserMachines", read_allow_user_machines },
	{ "requireSealedMemory", read_require_sealed_memory },
	{ "limits", read_limits },
	{ "softwareAdapter", read_software_adapter },
};

static bool read_key(const ConfigFile *file, const JsonMembers *member)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, member->name) == 0)
			return keys[i].read(file, keys[i].name, member->value);
	return mistake(file, "%s: is no key of the configuration", member->name);
}

static bool read_object(const ConfigFile *file, const JsonValue *object)
{
	JsonMembers members = json_members(object);

	if (json_type_of(object) != JSON_OBJECT)
		return mistake(file, "the file is not one JSON object");
	while (json_members_next(&members))
		if (!read_key(file, &members))
			return false;
	return true;
}

/* Parses the text, which has to be one value and nothing else, as strictly as a message. */
static bool read_text(const ConfigFile *file, Buffer *text)
{
	Frame frame = FRAME_INIT;
	FrameMessage message;
	const char *error = "the file is empty; write {} for an empty configuration";

	for (size_t i = 0; i < buffer_size(text); i++)
		if (text->data[i] == '\n')
			text->data[i] = ' '; /* here a line break does not end the value */
	FrameResult result = frame_next(&frame, text, true, &message, &error);
	if (result != FRAME_MESSAGE)
		return mistake(file, "%s",
			       result == FRAME_MALFORMED ? "the file is not one JSON object"
							 : error);
	JsonParser *parser = json_parser_new();
	if (!parser)
		return mistake(file, "there is no memory to read it");
	JsonValue *value = json_parse(parser, message.text, message.length, &error);
	json_parser_free(parser);
	bool read =
		error ? mistake(file, "the file is not JSON: %s", error) : read_object(file, value);
	json_free(value);
	return read;
}

static bool read_file(const char *path, bool may_be_absent, Settings *settings, char **ret_error)
{
	ConfigFile file = { .path = path, .settings = settings, .ret_error = ret_error };
	Buffer text;
	int error = proc_file_read(AT_FDCWD, path, &text);

	if (error == -ENOENT && may_be_absent)
		return true;
	if (error < 0)
		return mistake(&file, "cannot be read: %s", strerror(-error));
	bool read = read_text(&file, &text);
	buffer_deinit(&text);
	return read;
}

static int is_drop_in(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && suffix && strcmp(suffix, ".json") == 0;
}

static bool read_drop_in(const char *directory, const char *name, Settings *settings,
			 char **ret_error)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/vaild.json.d/%s", directory, name) < 0) {
		path = NULL;
		return false;
	}
	return read_file(path, false, settings, ret_error);
}

static bool read_drop_ins(const char *directory, Settings *settings, char **ret_error)
{
	_cleanup_free_ char *path = NULL;
	struct dirent **entries = NULL;
	bool read = true;

	if (asprintf(&path, "%s/vaild.json.d", directory) < 0) {
		path = NULL;
		return false;
	}
	int count = scandir(path, &entries, is_drop_in, alphasort);
	if (count < 0 && errno != ENOENT) {
		ConfigFile file = { .path = path, .settings = settings, .ret_error = ret_error };
		return mistake(&file, "cannot be read: %s", strerror(errno));
	}
	for (int i = 0; i < count; i++) {
		read = read && read_drop_in(directory, entries[i]->d_name, settings, ret_error);
		free(entries[i]);
	}
	free(entries);
	return read;
}

/* What the files say together has to be possible, too. */
static bool check_whole(const char *directory, Settings *settings, char **ret_error)
{
	ConfigFile file = { .path = directory, .settings = settings, .ret_error = ret_error };
	Failure failure;

	if (config_check_software_adapter(&settings->software_adapter, &settings->limits, &failure))
		return true;
	return mistake(&file, "softwareAdapter: with these limits, %s", failure.message);
}

bool config_load(const char *directory, Settings *ret_settings, char **ret_error)
{
	_cleanup_free_ char *path = NULL;
	Settings settings = { .limits = limits_default };

	*ret_error = NULL;
	Evidence group = user_database_find_group(DEFAULT_OPERATOR_GROUP, &settings.operator_group);
	if (group == EVIDENCE_EXHAUSTED) {
		*ret_error = strdup("whether there is a group \"" DEFAULT_OPERATOR_GROUP
				    "\" cannot be found out " NOW);
		return false;
	}
	settings.has_operator_group = group == EVIDENCE_FOUND;
	if (asprintf(&path, "%s/vaild.json", directory) < 0) {
		path = NULL;
		return false;
	}
	if (!read_file(path, true, &settings, ret_error) ||
	    !read_drop_ins(directory, &settings, ret_error) ||
	    !check_whole(directory, &settings, ret_error))
		return false;
	*ret_settings = settings;
	return true;
}
