/* SPDX-License-Identifier: MIT */
#include "daemon/host/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/host/config-software-adapter.h"
#include "daemon/host/process/file-read.h"
#include "daemon/host/process/user-database.h"
#include "proto/fd-util.h"

#define DEFAULT_OPERATOR_GROUP "vaild"

#define NOT_AN_OBJECT "the file is not one JSON object"

typedef struct ConfigFile {
	const char *path;
	Settings *settings; /* changed by the file */
	char **ret_error;
} ConfigFile;

/*
 * Stores "PATH: SENTENCE" in *ret_error, or NULL if out of memory. Always returns false, so that
 * callers can return the result.
 */
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

/* --- values ---------------------------------------------------------------------------------- */

#define GROUP_LOOKUP_FAILED \
	"cannot be looked up now; check that \"getent group\" works on this host, and try again"

/* The values of one file. settings starts as the result of the earlier files. */
typedef struct ConfigValues {
	Settings settings;
	const char *operator_group; /* NULL if the file does not name one */
	bool has_software_adapter;
	SoftwareAdapterSettings software_adapter;
} ConfigValues;

#define ROW(type, name, member)                                                         \
	JSON_FIELD(type, name, ConfigValues, member), .present_offset = JSON_NO_MEMBER, \
						      .count_offset = JSON_NO_MEMBER

/* Row of one limit in an array of Limits, which begins at the offset. */
static JsonField limit_row(const char *name, size_t array_offset, LimitKind kind)
{
	return (JsonField){
		.name = name,
		.type = JSON_FIELD_INTEGER,
		.offset = array_offset + kind * sizeof(uint64_t),
		.size = sizeof(uint64_t),
		.present_offset = JSON_NO_MEMBER,
		.count_offset = JSON_NO_MEMBER,
		.maximum = LIMIT_VALUE_MAX,
	};
}

#define LIMIT_ROWS_MAX (3 * LIMIT_MAX)

/* Makes one row per named limit. Returns the number of rows. */
static size_t make_limit_rows(JsonField rows[static LIMIT_ROWS_MAX])
{
	size_t count = 0;

	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		const char *entity_limit_name = limit_entity_name(kind);

		rows[count++] = limit_row(limit_name(kind, true), offsetof(Limits, per_uid), kind);
		rows[count++] =
			limit_row(limit_name(kind, false), offsetof(Limits, host_wide), kind);
		if (entity_limit_name)
			rows[count++] =
				limit_row(entity_limit_name, offsetof(Limits, per_entity), kind);
	}
	return count;
}

static bool report_fault(const ConfigFile *file, const JsonFault *fault)
{
	char text[200];

	if (fault->kind == JSON_FAULT_UNKNOWN)
		return mistake(file, "%s is not a key of the configuration; remove it",
			       fault->path);
	return mistake(file, "%s %s", fault->path, json_fault_format(fault, text, sizeof(text)));
}

static bool decode_values(const ConfigFile *file, const JsonValue *object, ConfigValues *values)
{
	JsonField limit_rows[LIMIT_ROWS_MAX];
	const JsonTable limit_table = {
		.fields = limit_rows,
		.count = make_limit_rows(limit_rows),
		.refuses_null = true,
	};
	const JsonField fields[] = {
		{ ROW(JSON_FIELD_STRING, "operatorGroup", operator_group), .maximum = UINT64_MAX },
		{ ROW(JSON_FIELD_BOOLEAN, "allowUserMachines", settings.allow_user_machines) },
		{ ROW(JSON_FIELD_BOOLEAN, "requireSealedMemory", settings.require_sealed_memory) },
		{ ROW(JSON_FIELD_OBJECT, "limits", settings.limits), .table = &limit_table },
		{ JSON_FIELD(JSON_FIELD_OBJECT, "softwareAdapter", ConfigValues, software_adapter),
		  .present_offset = offsetof(ConfigValues, has_software_adapter),
		  .count_offset = JSON_NO_MEMBER, .table = &config_software_adapter_table },
	};
	const JsonTable table = {
		.fields = fields,
		.count = ARRAY_SIZE(fields),
		.refuses_null = true,
	};
	JsonFault fault;

	return json_table_decode(&table, object, NULL, values, &fault) ||
	       report_fault(file, &fault);
}

/* Looks up the group by name. An empty name means that there is no operator group. */
static bool set_operator_group(const ConfigFile *file, const char *name, Settings *settings)
{
	settings->has_operator_group = name[0] != '\0';
	if (!settings->has_operator_group)
		return true;
	switch (user_database_find_group(name, &settings->operator_group)) {
	case LOOKUP_FOUND:
		return id_is_mapped(settings->operator_group) ||
		       mistake(file,
			       "operatorGroup: group \"%s\" has gid %u, which stands for unknown "
			       "groups; name another",
			       name, settings->operator_group);
	case LOOKUP_EXHAUSTED:
		return mistake(file, "operatorGroup: group \"%s\" " GROUP_LOOKUP_FAILED, name);
	default:
		return mistake(file,
			       "operatorGroup: group \"%s\" does not exist; create it, or name "
			       "another",
			       name);
	}
}

static bool set_software_adapter(const ConfigFile *file, const SoftwareAdapterSettings *adapter,
				 Settings *settings)
{
	Failure failure;

	if (!config_check_software_adapter(adapter, &limits_default, &failure))
		return mistake(file, "softwareAdapter.%s", failure.message);
	settings->software_adapter = *adapter;
	return true;
}

/* Checks the limits of this file together with those of earlier files, which are right. */
static bool check_limits(const ConfigFile *file, const Limits *limits)
{
	Failure failure;

	return limits_check(limits, &failure) == STATUS_SUCCESS ||
	       mistake(file, "limits.%s", failure.message);
}

/* Applies the file's values to its settings, which are unchanged if a value is wrong. */
static bool read_object(const ConfigFile *file, const JsonValue *object)
{
	ConfigValues values = { .settings = *file->settings };

	if (json_type_of(object) != JSON_OBJECT)
		return mistake(file, NOT_AN_OBJECT);
	if (!decode_values(file, object, &values) || !check_limits(file, &values.settings.limits))
		return false;
	if (values.operator_group &&
	    !set_operator_group(file, values.operator_group, &values.settings))
		return false;
	if (values.has_software_adapter &&
	    !set_software_adapter(file, &values.software_adapter, &values.settings))
		return false;
	*file->settings = values.settings;
	return true;
}

/* --- files ----------------------------------------------------------------------------------- */

static bool is_blank(const Buffer *text)
{
	size_t blanks = 0;

	while (blanks < buffer_size(text) && strchr(" \t\r\n", buffer_head(text)[blanks]))
		blanks++;
	return blanks == buffer_size(text);
}

static bool read_text(const ConfigFile *file, const Buffer *text)
{
	const char *error;

	if (is_blank(text))
		return mistake(file, "the file is empty; write {} for an empty configuration");
	JsonParser *parser = json_parser_new();
	if (!parser)
		return mistake(file, "cannot be read: out of memory; try again later");
	JsonValue *value = json_parse(parser, buffer_head(text), buffer_size(text), &error);
	json_parser_free(parser);
	bool read = error ? mistake(file, "the file is not JSON: %s; correct it", error)
			  : read_object(file, value);
	json_free(value);
	return read;
}

/* Accepts only files that root alone can change, because they decide who is an operator. */
static bool check_owner(const ConfigFile *file, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return mistake(file, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return mistake(file, "is not a regular file; replace it");
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return mistake(
			file,
			"belongs to uid %u, who could become an operator; check its contents "
			"and give it to root with: chown root",
			status.st_uid);
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return mistake(file, "other users can change it and could become operators; check "
				     "its contents and protect it with: chmod go-w");
	return true;
}

bool config_parse(const char *name, Buffer *text, Settings *settings, char **ret_error)
{
	ConfigFile file = { .path = name, .settings = settings, .ret_error = ret_error };

	*ret_error = NULL;
	return read_text(&file, text);
}

static bool read_file(const char *path, bool may_be_absent, Settings *settings, char **ret_error)
{
	ConfigFile file = { .path = path, .settings = settings, .ret_error = ret_error };
	/* O_NONBLOCK, because opening a FIFO would wait for a writer. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;

	if (fd < 0 && errno == ENOENT && may_be_absent)
		return true;
	if (fd < 0)
		return mistake(&file, "cannot be read: %s", strerror(errno));
	if (!check_owner(&file, fd))
		return false;
	int error = file_read_all(fd, &text);
	if (error < 0)
		return mistake(&file, "cannot be read: %s", strerror(-error));
	return config_parse(path, &text, settings, ret_error);
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

/* Checks values that are right by themselves against those of all other files. */
static bool check_whole(const char *directory, Settings *settings, char **ret_error)
{
	ConfigFile file = { .path = directory, .settings = settings, .ret_error = ret_error };
	Failure failure;

	if (config_check_software_adapter(&settings->software_adapter, &settings->limits, &failure))
		return true;
	return mistake(&file, "softwareAdapter, with the limits of all files: %s", failure.message);
}

bool config_load(const char *directory, Settings *ret_settings, char **ret_error)
{
	_cleanup_free_ char *path = NULL;
	Settings settings = { .limits = limits_default };

	*ret_error = NULL;
	Lookup group = user_database_find_group(DEFAULT_OPERATOR_GROUP, &settings.operator_group);
	if (group == LOOKUP_EXHAUSTED) {
		*ret_error = strdup("group \"" DEFAULT_OPERATOR_GROUP "\" " GROUP_LOOKUP_FAILED);
		return false;
	}
	settings.has_operator_group =
		group == LOOKUP_FOUND && id_is_mapped(settings.operator_group);
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
