/* SPDX-License-Identifier: MIT */
#include "daemon/host/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config/config-fault.h"
#include "daemon/host/config-read.h"
#include "daemon/host/config-software-adapter.h"
#include "daemon/host/process/user-database.h"
#include "proto/fd-util.h"

#define DEFAULT_OPERATOR_GROUP  "vaild"
#define DEFAULT_OBSERVERS_GROUP "vaild-observers"

/* --- values ---------------------------------------------------------------------------------- */

#define GROUP_LOOKUP_FAILED \
	"cannot be looked up now; check that \"getent group\" works on this host, and try again"

/* The values of one file. settings starts as the result of the earlier files. */
typedef struct ConfigValues {
	Settings settings;
	const char *operator_group; /* NULL if the file does not name one, as for the others */
	const char *observers_group;
	const char *quarantine_group;
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
		{ ROW(JSON_FIELD_STRING, "observersGroup", observers_group),
		  .maximum = UINT64_MAX },
		{ ROW(JSON_FIELD_STRING, "quarantineGroup", quarantine_group),
		  .maximum = UINT64_MAX },
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

/* A key that names a group. */
typedef struct GroupKey {
	const char *name;
	bool refuses_root; /* gid 0, which many processes in containers have */
} GroupKey;

static const GroupKey operator_key = { "operatorGroup", false };
static const GroupKey observers_key = { "observersGroup", true };
static const GroupKey quarantine_key = { "quarantineGroup", true };

/* Reports why the group cannot be used. */
static bool refuse_group(const ConfigFile *file, const GroupKey *key, const char *quote,
			 Lookup lookup, gid_t gid)
{
	const char *position = config_find(file, key->name);

	if (lookup == LOOKUP_EXHAUSTED) {
		file->ret_error->is_temporary = true;
		return config_mistake_at(file, position, "%s: group \"%s\" " GROUP_LOOKUP_FAILED,
					 key->name, quote);
	}
	if (lookup != LOOKUP_FOUND)
		return config_mistake_at(file, position,
					 "%s: group \"%s\" does not exist; create it, or name "
					 "another",
					 key->name, quote);
	if (gid == 0)
		return config_mistake_at(file, position,
					 "%s: group \"%s\" has gid 0, which many processes in "
					 "containers have; name another",
					 key->name, quote);
	return config_mistake_at(file, position,
				 "%s: group \"%s\" has gid %u, which stands for unknown groups; "
				 "name another",
				 key->name, quote, gid);
}

/*
 * Looks up the group by name. An empty name means that there is no such group. So does the name of
 * a group that has been removed since the daemon kept the configuration: then fewer users have its
 * rights, and not others.
 */
static bool set_group(const ConfigFile *file, const GroupKey *key, const char *name,
		      ConfiguredGroup *group)
{
	char quote[CONFIG_QUOTE_SIZE];
	gid_t gid = 0;
	Lookup lookup = name[0] != '\0' ? user_database_find_group(name, &gid) : LOOKUP_ABSENT;
	bool is_usable = lookup == LOOKUP_FOUND && id_is_mapped(gid) &&
			 (gid != 0 || !key->refuses_root) && strlen(name) < sizeof(group->name);

	config_quote(name, strlen(name), quote);
	if (lookup == LOOKUP_EXHAUSTED || (!is_usable && name[0] != '\0' && !file->is_kept))
		return refuse_group(file, key, quote, lookup, gid);
	*group = (ConfiguredGroup){ .exists = is_usable, .gid = is_usable ? gid : 0 };
	if (is_usable)
		snprintf(group->name, sizeof(group->name), "%s", name);
	return true;
}

/* Sets the groups that the file names. */
static bool set_groups(const ConfigFile *file, ConfigValues *values)
{
	Settings *settings = &values->settings;
	const struct {
		const GroupKey *key;
		const char *name;
		ConfiguredGroup *group;
	} rows[] = {
		{ &operator_key, values->operator_group, &settings->operators },
		{ &observers_key, values->observers_group, &settings->observers },
		{ &quarantine_key, values->quarantine_group, &settings->quarantiners },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].name && !set_group(file, rows[i].key, rows[i].name, rows[i].group))
			return false;
	return true;
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

/* Applies the file's values to the Settings, which are unchanged if a value is wrong. */
static bool read_object(const ConfigFile *file, const JsonValue *object, void *context)
{
	Settings *settings = context;
	ConfigValues values = { .settings = *settings };

	if (!decode_values(file, object, &values) || !check_limits(file, &values.settings.limits))
		return false;
	if (!set_groups(file, &values))
		return false;
	if (values.has_software_adapter &&
	    !set_software_adapter(file, &values.software_adapter, &values.settings))
		return false;
	*settings = values.settings;
	return true;
}

/* --- files ----------------------------------------------------------------------------------- */

/* The files decide who is an operator. */
static const ConfigRisk risk = { "become an operator", "become operators" };

bool config_parse(const char *name, const Buffer *text, Settings *settings, ConfigError *ret_error)
{
	ConfigFile file = { .path = name, .ret_error = ret_error };

	*ret_error = (ConfigError){ 0 };
	return config_text_read(&file, text, read_object, settings);
}

/* Reads DIR/vaild.json, which may be absent. */
static bool read_main_file(const char *directory, Settings *settings, ConfigError *ret_error)
{
	_cleanup_free_ char *path = config_path(directory, "vaild.json", ret_error);

	if (!path)
		return false;
	return (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) ||
	       config_read_file(path, &risk, read_object, settings, ret_error);
}

static bool read_drop_ins(const char *directory, Settings *settings, ConfigError *ret_error)
{
	_cleanup_free_ char *path = config_path(directory, "vaild.json.d", ret_error);

	return path && config_read_folder(path, &risk, read_object, settings, ret_error);
}

/* Checks values that are right by themselves against those of all other files. */
static bool check_whole(const char *path, Settings *settings, ConfigError *ret_error)
{
	ConfigFile file = { .path = path, .ret_error = ret_error };
	Failure failure;

	return config_check_software_adapter(&settings->software_adapter, &settings->limits,
					     &failure) ||
	       config_mistake(&file, "softwareAdapter, with the limits of all files: %s",
			      failure.message);
}

bool config_default(Settings *ret_settings, ConfigError *ret_error)
{
	ConfigValues values = {
		.settings.limits = limits_default,
		.operator_group = DEFAULT_OPERATOR_GROUP,
		.observers_group = DEFAULT_OBSERVERS_GROUP,
	};
	ConfigFile file = {
		.path = "the default",
		.is_kept = true, /* the default groups need not exist */
		.ret_error = ret_error,
	};

	*ret_error = (ConfigError){ 0 };
	if (!set_groups(&file, &values))
		return false;
	*ret_settings = values.settings;
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
	       config_read_file(path, NULL, read_object, &settings, ret_error) &&
	       check_whole(path, &settings, ret_error);
}

bool config_read_kept(const char *name, int fd, const JsonValue *object, Settings *ret_settings,
		      ConfigError *ret_error)
{
	Settings settings;
	ConfigFile file = {
		.path = name,
		.is_kept = true,
		.ret_error = ret_error,
	};

	if (!config_default(&settings, ret_error) || !config_check_owner(&file, fd, &risk) ||
	    !config_read_value(&file, object, read_object, &settings) ||
	    !check_whole(name, &settings, ret_error))
		return false;
	*ret_settings = settings;
	return true;
}
