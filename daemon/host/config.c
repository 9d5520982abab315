/* SPDX-License-Identifier: MIT */
#include "daemon/host/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/host/config-fault.h"
#include "daemon/host/config-mistake.h"
#include "daemon/host/config-software-adapter.h"
#include "daemon/host/config-syntax.h"
#include "daemon/host/process/file-read.h"
#include "daemon/host/process/user-database.h"
#include "proto/fd-util.h"

#define DEFAULT_OPERATOR_GROUP "vaild"

#define NOT_AN_OBJECT "the file is not one JSON object; write the keys between { and }"

/* A larger file is no configuration, and reading it could take all memory. */
#define FILE_SIZE_MAX (1 << 20)

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
	const ConfigKeys keys[] = {
		{ "the configuration", &table, false },
		{ "\"limits\"", &limit_table, true },
		{ "\"softwareAdapter\"", &config_software_adapter_table, false },
		{ "the items of \"reservations\"", &config_reservation_table, false },
	};
	JsonFault fault;

	return json_table_decode(&table, object, NULL, values, &fault) ||
	       config_fault(file, &fault, keys, ARRAY_SIZE(keys));
}

/*
 * Looks up the group by name. An empty name means that there is no operator group. So does the name
 * of a group that has been removed since the daemon kept the configuration: then fewer users are
 * operators, and not others.
 */
static bool set_operator_group(const ConfigFile *file, const char *name, Settings *settings)
{
	const char *position = config_find(file, "operatorGroup");
	char quote[CONFIG_QUOTE_SIZE];
	gid_t group = 0;
	Lookup lookup = name[0] != '\0' ? user_database_find_group(name, &group) : LOOKUP_ABSENT;

	config_quote(name, strlen(name), quote);
	if (lookup == LOOKUP_EXHAUSTED) {
		file->ret_error->is_temporary = true;
		return config_mistake_at(file, position,
					 "operatorGroup: group \"%s\" " GROUP_LOOKUP_FAILED, quote);
	}
	bool exists = lookup == LOOKUP_FOUND && id_is_mapped(group) &&
		      strlen(name) < sizeof(settings->operator_group_name);
	settings->has_operator_group = exists;
	settings->operator_group = exists ? group : 0;
	snprintf(settings->operator_group_name, sizeof(settings->operator_group_name), "%s",
		 exists ? name : "");
	if (exists || name[0] == '\0' || file->is_kept)
		return true;
	if (lookup == LOOKUP_FOUND)
		return config_mistake_at(file, position,
					 "operatorGroup: group \"%s\" has gid %u, which stands for "
					 "unknown groups; name another",
					 quote, group);
	return config_mistake_at(file, position,
				 "operatorGroup: group \"%s\" does not exist; create it, or name "
				 "another",
				 quote);
}

/* Finds the item that a message like "reservations[1]: …" is about. */
static const char *find_reservation(const ConfigFile *file, const char *message)
{
	char path[JSON_PATH_SIZE];

	snprintf(path, sizeof(path), "softwareAdapter.%.*s", (int)strcspn(message, ":"), message);
	return config_find(file, path);
}

static bool set_software_adapter(const ConfigFile *file, const SoftwareAdapterSettings *adapter,
				 Settings *settings)
{
	Failure failure;

	if (!config_check_software_adapter(adapter, &limits_default, &failure))
		return config_mistake_at(file, find_reservation(file, failure.message),
					 "softwareAdapter.%s", failure.message);
	settings->software_adapter = *adapter;
	return true;
}

/* Checks the limits of this file together with those of earlier files, which are right. */
static bool check_limits(const ConfigFile *file, const Limits *limits)
{
	Failure failure;
	char path[sizeof(failure.parameter) + sizeof("limits.")];

	if (limits_check(limits, &failure) == STATUS_SUCCESS)
		return true;
	snprintf(path, sizeof(path), "limits.%s", failure.parameter);
	return config_mistake_at(file, config_find(file, path), "limits.%s", failure.message);
}

/* Applies the file's values to its settings, which are unchanged if a value is wrong. */
static bool read_object(const ConfigFile *file, const JsonValue *object)
{
	ConfigValues values = { .settings = *file->settings };

	if (json_type_of(object) != JSON_OBJECT)
		return config_mistake_at(file, config_find(file, ""), NOT_AN_OBJECT);
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

static bool read_text(ConfigFile *file, const Buffer *text)
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
			       : read_object(file, value);
	json_free(value);
	json_parser_free(parser);
	return read;
}

static bool check_type(const ConfigFile *file, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return config_cannot_read(file, errno);
	if (!S_ISREG(status.st_mode))
		return config_mistake(file, "is not a regular file; replace it");
	return status.st_size <= FILE_SIZE_MAX ||
	       config_mistake(file, "is larger than %d bytes; make it smaller", FILE_SIZE_MAX);
}

/* Accepts only files that root alone can change, because they decide who is an operator. */
static bool check_owner(const ConfigFile *file, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return config_cannot_read(file, errno);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return config_mistake(
			file,
			"belongs to uid %u, who could become an operator; check its contents "
			"and give it to root with: chown root",
			status.st_uid);
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return config_mistake(file,
				      "other users can change it and could become operators; check "
				      "its contents and protect it with: chmod go-w");
	return true;
}

bool config_parse(const char *name, const Buffer *text, Settings *settings, ConfigError *ret_error)
{
	ConfigFile file = { .path = name, .settings = settings, .ret_error = ret_error };

	*ret_error = (ConfigError){ 0 };
	return read_text(&file, text);
}

/* Opens the file, and checks that it is what the daemon may read. Returns an fd, or -1. */
static int open_file(const ConfigFile *file, bool checks_owner)
{
	/* O_NONBLOCK, because opening a FIFO would wait for a writer. */
	_cleanup_close_ int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		config_cannot_read(file, errno);
	else if (check_type(file, fd) && (!checks_owner || check_owner(file, fd)))
		return TAKE_FD(fd);
	return -1;
}

static bool read_file(const char *path, bool checks_owner, Settings *settings,
		      ConfigError *ret_error)
{
	ConfigFile file = { .path = path, .settings = settings, .ret_error = ret_error };
	_cleanup_close_ int fd = open_file(&file, checks_owner);
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;

	if (fd < 0)
		return false;
	int error = file_read_all(fd, &text);
	return error < 0 ? config_cannot_read(&file, -error) : read_text(&file, &text);
}

/* Returns DIR/NAME, to be freed, or NULL if out of memory. */
static char *path_in(const char *directory, const char *name, ConfigError *ret_error)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) >= 0)
		return path;
	*ret_error = (ConfigError){ .message = "out of memory", .is_temporary = true };
	return NULL;
}

/* Reads DIR/vaild.json, which may be absent. */
static bool read_main_file(const char *directory, Settings *settings, ConfigError *ret_error)
{
	_cleanup_free_ char *path = path_in(directory, "vaild.json", ret_error);

	if (!path)
		return false;
	return (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) ||
	       read_file(path, true, settings, ret_error);
}

static int is_drop_in(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && suffix && strcmp(suffix, ".json") == 0;
}

static bool read_drop_in(const char *directory, const char *name, Settings *settings,
			 ConfigError *ret_error)
{
	_cleanup_free_ char *path = path_in(directory, name, ret_error);

	return path && read_file(path, true, settings, ret_error);
}

static bool read_drop_ins(const char *directory, Settings *settings, ConfigError *ret_error)
{
	_cleanup_free_ char *path = path_in(directory, "vaild.json.d", ret_error);
	ConfigFile file = { .path = path, .settings = settings, .ret_error = ret_error };
	struct dirent **entries = NULL;
	bool read = true;

	if (!path)
		return false;
	int count = scandir(path, &entries, is_drop_in, alphasort);
	if (count < 0)
		return errno == ENOENT || config_cannot_read(&file, errno);
	for (int i = 0; i < count; i++) {
		read = read && read_drop_in(path, entries[i]->d_name, settings, ret_error);
		free(entries[i]);
	}
	free(entries);
	return read;
}

/* Checks values that are right by themselves against those of all other files. */
static bool check_whole(const char *path, Settings *settings, ConfigError *ret_error)
{
	ConfigFile file = { .path = path, .settings = settings, .ret_error = ret_error };
	Failure failure;

	return config_check_software_adapter(&settings->software_adapter, &settings->limits,
					     &failure) ||
	       config_mistake(&file, "softwareAdapter, with the limits of all files: %s",
			      failure.message);
}

bool config_default(Settings *ret_settings, ConfigError *ret_error)
{
	Settings settings = { .limits = limits_default };
	ConfigFile file = {
		.path = "the default",
		.is_kept = true, /* the default group need not exist */
		.ret_error = ret_error,
	};

	*ret_error = (ConfigError){ 0 };
	if (!set_operator_group(&file, DEFAULT_OPERATOR_GROUP, &settings))
		return false;
	*ret_settings = settings;
	return true;
}

bool config_load(const char *directory, Settings *ret_settings, ConfigError *ret_error)
{
	Settings settings;

	if (!config_default(&settings, ret_error) ||
	    !read_main_file(directory, &settings, ret_error) ||
	    !read_drop_ins(directory, &settings, ret_error) ||
	    !check_whole(directory, &settings, ret_error))
		return false;
	*ret_settings = settings;
	return true;
}

bool config_check_file(const char *path, ConfigError *ret_error)
{
	Settings settings;

	return config_default(&settings, ret_error) &&
	       read_file(path, false, &settings, ret_error) &&
	       check_whole(path, &settings, ret_error);
}

bool config_read_kept(const char *name, int fd, const JsonValue *object, Settings *ret_settings,
		      ConfigError *ret_error)
{
	Settings settings;
	ConfigFile file = {
		.path = name,
		.is_kept = true,
		.settings = &settings,
		.ret_error = ret_error,
	};

	if (!config_default(&settings, ret_error) || !check_owner(&file, fd) ||
	    !read_object(&file, object) || !check_whole(name, &settings, ret_error))
		return false;
	*ret_settings = settings;
	return true;
}
