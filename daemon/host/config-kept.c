/* SPDX-License-Identifier: MIT */
#include "daemon/host/config-kept.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/host/config-machines.h"
#include "daemon/host/persist/file-io.h"
#include "daemon/host/process/file-read.h"
#include "proto/fd-util.h"
#include "proto/json-writer.h"

#define NAME           "configuration.json"
#define DAMAGED_NAME   NAME ".damaged"
#define TEMPORARY_NAME NAME ".new"
#define KEPT_VERSION   1

/* Opens the directory. Returns an fd, or a negative errno. */
static int open_directory(const char *path)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return directory < 0 ? -errno : directory;
}

/* Reads the whole file, and checks that it is a regular one. Returns an fd, or a negative errno. */
static int open_and_read(int directory, Buffer *ret_text)
{
	off_t size;
	_cleanup_close_ int fd = file_open_regular(directory, NAME, O_RDONLY, &size);

	if (fd < 0)
		return fd;
	int error = file_read_all(fd, ret_text);
	return error < 0 ? error : TAKE_FD(fd);
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_limit(Writer *writer, const char *name, uint64_t value)
{
	char quoted[64];
	int length = snprintf(quoted, sizeof(quoted), "\"%s\":", name);

	writer_key_quoted(writer, quoted, (size_t)length);
	writer_unsigned(writer, value);
}

static void write_limits(Writer *writer, const Limits *limits)
{
	writer_object_begin(writer);
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		const char *entity_limit_name = limit_entity_name(kind);

		write_limit(writer, limit_name(kind, true), limits->per_uid[kind]);
		write_limit(writer, limit_name(kind, false), limits->host_wide[kind]);
		if (entity_limit_name)
			write_limit(writer, entity_limit_name, limits->per_entity[kind]);
	}
	writer_object_end(writer);
}

static void write_reservations(Writer *writer, const ConfiguredReservations *reservations)
{
	writer_array_begin(writer);
	for (size_t i = 0; i < reservations->count; i++) {
		const DriverReservation *item = &reservations->items[i];

		writer_object_begin(writer);
		writer_key(writer, "sizeInBytes");
		writer_unsigned(writer, item->size);
		writer_key(writer, "alignment");
		writer_unsigned(writer, item->alignment);
		writer_key(writer, "baseAddress");
		writer_address(writer, item->base_address);
		writer_key(writer, "allowUserModeMapping");
		writer_boolean(writer, item->allow_user_mode_mapping);
		writer_object_end(writer);
	}
	writer_array_end(writer);
}

static void write_settings(Writer *writer, const Settings *settings)
{
	writer_object_begin(writer);
	writer_key(writer, "operatorGroup");
	writer_string(writer, settings->operators.name);
	writer_key(writer, "observersGroup");
	writer_string(writer, settings->observers.name);
	writer_key(writer, "quarantineGroup");
	writer_string(writer, settings->quarantiners.name);
	writer_key(writer, "allowUserMachines");
	writer_boolean(writer, settings->allow_user_machines);
	writer_key(writer, "requireSealedMemory");
	writer_boolean(writer, settings->require_sealed_memory);
	writer_key(writer, "limits");
	write_limits(writer, &settings->limits);
	writer_key(writer, "softwareAdapter");
	writer_object_begin(writer);
	writer_key(writer, "reservations");
	write_reservations(writer, &settings->software_adapter.of_processes);
	writer_key(writer, "systemReservations");
	write_reservations(writer, &settings->software_adapter.of_system_process);
	writer_object_end(writer);
	writer_object_end(writer);
}

static void write_drop_ins(Writer *writer, const DropIns *drop_ins)
{
	writer_array_begin(writer);
	for (size_t i = 0; i < drop_ins->count; i++) {
		writer_object_begin(writer);
		writer_key(writer, "path");
		writer_string(writer, drop_ins->items[i].path);
		writer_key(writer, "text");
		writer_string(writer, drop_ins->items[i].text);
		writer_object_end(writer);
	}
	writer_array_end(writer);
}

static bool encode(Buffer *text, const Settings *settings, const DropIns *drop_ins)
{
	Writer writer = WRITER_INIT(text);

	writer_object_begin(&writer);
	writer_key(&writer, "version");
	writer_unsigned(&writer, KEPT_VERSION);
	writer_key(&writer, "configuration");
	write_settings(&writer, settings);
	writer_key(&writer, "machines");
	write_drop_ins(&writer, drop_ins);
	writer_object_end(&writer);
	writer_terminator(&writer, '\n');
	return !writer.failed;
}

/* Tests whether the file has these contents already. */
static bool is_kept(int directory, const Buffer *text)
{
	_cleanup_(buffer_deinit) Buffer present = BUFFER_INIT;
	_cleanup_close_ int fd = open_and_read(directory, &present);

	return fd >= 0 && buffer_size(&present) == buffer_size(text) &&
	       memcmp(buffer_head(&present), buffer_head(text), buffer_size(text)) == 0;
}

/* Always creates the file, because an existing one may be a link to a file outside. */
static bool replace(int directory, const Buffer *text)
{
	unlinkat(directory, TEMPORARY_NAME, 0);
	_cleanup_close_ int file =
		openat(directory, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return file >= 0 && file_write_at(file, buffer_head(text), buffer_size(text), 0) &&
	       fsync(file) == 0 && renameat(directory, TEMPORARY_NAME, directory, NAME) == 0 &&
	       fsync(directory) == 0;
}

int config_keep(const char *state_directory, const Settings *settings, const DropIns *drop_ins)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	_cleanup_close_ int directory = open_directory(state_directory);

	if (directory < 0)
		return directory;
	if (!encode(&text, settings, drop_ins))
		return -ENOMEM;
	if (is_kept(directory, &text) || replace(directory, &text))
		return 0;
	int error = -errno;
	unlinkat(directory, TEMPORARY_NAME, 0);
	return error;
}

/* --- reading --------------------------------------------------------------------------------- */

static KeptConfig refuse(ConfigError *error, KeptConfig result, const char *path, const char *what)
{
	snprintf(error->message, sizeof(error->message), "%s: %s", path, what);
	return result;
}

/* Reads the drop-ins, which a file of an older version lacks. */
static bool read_drop_ins(const char *path, const JsonValue *object, DropIns *ret_drop_ins,
			  ConfigError *ret_error)
{
	const JsonValue *machines = json_member(object, "machines");
	_cleanup_(drop_ins_deinit) DropIns drop_ins = DROP_INS_INIT;

	for (size_t i = 0; i < json_array_size(machines); i++) {
		const JsonValue *item = json_array_at(machines, i);
		const char *name = json_string(json_member(item, "path"));
		const char *text = json_string(json_member(item, "text"));

		if (!name || !text) {
			refuse(ret_error, KEPT_CONFIG_DAMAGED, path, "has a damaged drop-in");
			return false;
		}
		if (!config_read_kept_drop_in(name, text, &drop_ins, ret_error))
			return false;
	}
	*ret_drop_ins = drop_ins;
	drop_ins = DROP_INS_INIT;
	return true;
}

/* Checks the version, and reads the configuration and the drop-ins in the object. */
static KeptConfig read_object(const char *path, int fd, const JsonValue *object,
			      Settings *ret_settings, DropIns *ret_drop_ins, ConfigError *ret_error)
{
	Settings settings;
	uint64_t version;

	if (!json_read_unsigned(json_member(object, "version"), &version) || version == 0)
		return refuse(ret_error, KEPT_CONFIG_DAMAGED, path, "has no version");
	if (version > KEPT_VERSION)
		return refuse(ret_error, KEPT_CONFIG_NEWER, path,
			      "was written by a newer version of vaild");
	if (config_read_kept(path, fd, json_member(object, "configuration"), &settings,
			     ret_error) &&
	    read_drop_ins(path, object, ret_drop_ins, ret_error)) {
		*ret_settings = settings;
		return KEPT_CONFIG_READ;
	}
	return ret_error->is_temporary ? KEPT_CONFIG_TEMPORARY : KEPT_CONFIG_DAMAGED;
}

static KeptConfig read_text(const char *path, int fd, const Buffer *text, Settings *ret_settings,
			    DropIns *ret_drop_ins, ConfigError *ret_error)
{
	JsonParser *parser = json_parser_new();
	const char *error;

	if (!parser)
		return refuse(ret_error, KEPT_CONFIG_TEMPORARY, path, "out of memory");
	JsonValue *object = json_parse(parser, buffer_head(text), buffer_size(text), &error);
	json_parser_free(parser);
	KeptConfig result =
		error ? refuse(ret_error, KEPT_CONFIG_DAMAGED, path, "is not JSON")
		      : read_object(path, fd, object, ret_settings, ret_drop_ins, ret_error);
	json_free(object);
	return result;
}

/* Saves a damaged file under another name, so that a person can look at it. */
static void set_aside(int directory, ConfigError *error)
{
	size_t length = strlen(error->message);

	if (renameat(directory, NAME, directory, DAMAGED_NAME) == 0)
		snprintf(error->message + length, sizeof(error->message) - length,
			 "; it is saved as " DAMAGED_NAME);
}

static KeptConfig read_file(const char *path, int directory, Settings *ret_settings,
			    DropIns *ret_drop_ins, ConfigError *ret_error)
{
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;
	_cleanup_close_ int fd = open_and_read(directory, &text);

	if (fd == -ENOENT)
		return KEPT_CONFIG_ABSENT;
	if (fd < 0)
		return refuse(ret_error,
			      errno_is_exhaustion(-fd) ? KEPT_CONFIG_TEMPORARY
						       : KEPT_CONFIG_DAMAGED,
			      path, fd == -EINVAL ? "is not a regular file" : strerror(-fd));
	return read_text(path, fd, &text, ret_settings, ret_drop_ins, ret_error);
}

KeptConfig config_kept_read(const char *state_directory, Settings *ret_settings,
			    DropIns *ret_drop_ins, ConfigError *ret_error)
{
	_cleanup_close_ int directory = open_directory(state_directory);
	char path[128];

	*ret_error = (ConfigError){ 0 };
	if (directory == -ENOENT)
		return KEPT_CONFIG_ABSENT;
	if (directory < 0)
		return refuse(ret_error, KEPT_CONFIG_TEMPORARY, state_directory,
			      strerror(-directory));
	snprintf(path, sizeof(path), "%.100s/" NAME, state_directory);
	KeptConfig result = read_file(path, directory, ret_settings, ret_drop_ins, ret_error);
	if (result == KEPT_CONFIG_DAMAGED)
		set_aside(directory, ret_error);
	return result;
}
