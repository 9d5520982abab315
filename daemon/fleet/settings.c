/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/config/config-fault.h"
#include "daemon/config/config-text.h"
#include "proto/fd-util.h"

/* A larger file is no configuration. */
#define FILE_SIZE_MAX 65536

#define DEFAULT_PREFIX         "/vaild/"
#define DEFAULT_TTL            15
#define DEFAULT_OPERATOR_GROUP "vaild"
#define DEFAULT_OBSERVER_GROUP "vaild-observers"

#define PREFIX_MAX       256
#define HOST_NAME_LENGTH 64

/* --- values ---------------------------------------------------------------------------------- */

/* The values of the file. Strings belong to its JSON value. */
typedef struct Values {
	const char *endpoints[SETTINGS_ENDPOINTS_MAX];
	size_t endpoint_count;
	const char *prefix, *ca, *certificate, *private_key, *name, *operator_group,
		*observer_group;
	uint64_t ttl;
} Values;

#define ROW(type, name, member)                                                   \
	JSON_FIELD(type, name, Values, member), .present_offset = JSON_NO_MEMBER, \
						.count_offset = JSON_NO_MEMBER

static bool decode(const ConfigFile *file, const JsonValue *object, Values *values)
{
	static const JsonField fields[] = {
		{ .name = "endpoints",
		  .type = JSON_FIELD_ARRAY,
		  .is_required = true,
		  .offset = offsetof(Values, endpoints),
		  .size = sizeof(char *),
		  .present_offset = JSON_NO_MEMBER,
		  .count_offset = offsetof(Values, endpoint_count),
		  .maximum = SETTINGS_ENDPOINTS_MAX,
		  .item_type = JSON_FIELD_STRING },
		{ ROW(JSON_FIELD_STRING, "prefix", prefix), .maximum = PREFIX_MAX },
		{ ROW(JSON_FIELD_STRING, "caFile", ca), .maximum = UINT64_MAX },
		{ ROW(JSON_FIELD_STRING, "certificateFile", certificate), .maximum = UINT64_MAX },
		{ ROW(JSON_FIELD_STRING, "keyFile", private_key), .maximum = UINT64_MAX },
		{ ROW(JSON_FIELD_STRING, "name", name), .maximum = HOST_NAME_LENGTH },
		{ ROW(JSON_FIELD_STRING, "operatorGroup", operator_group), .maximum = UINT64_MAX },
		{ ROW(JSON_FIELD_STRING, "observersGroup", observer_group), .maximum = UINT64_MAX },
		{ ROW(JSON_FIELD_INTEGER, "ttl", ttl), .maximum = SETTINGS_TTL_MAX },
	};
	static const JsonTable table = { .fields = fields,
					 .count = ARRAY_SIZE(fields),
					 .refuses_null = true };
	static const ConfigKeys keys[] = { { "the configuration", &table, false } };
	JsonFault fault;

	return json_table_decode(&table, object, NULL, values, &fault) ||
	       config_fault(file, &fault, keys, ARRAY_SIZE(keys));
}

static bool is_https(const char *url)
{
	return strncmp(url, "https://", strlen("https://")) == 0;
}

/* Refuses http:// beside https://, because an attacker needs only one unprotected connection. */
static bool check_protection(const ConfigFile *file, const Values *values)
{
	char path[32];

	for (size_t i = 1; i < values->endpoint_count; i++) {
		snprintf(path, sizeof(path), "endpoints[%zu]", i);
		if (is_https(values->endpoints[i]) != is_https(values->endpoints[0]))
			return config_mistake_at(file, config_find(file, path),
						 "%s: one URL has https:// and another http://, "
						 "which protects nothing; write https:// in all of "
						 "them",
						 path);
	}
	return true;
}

/* Returns NULL, or the fault of the URL, as the predicate of a sentence. */
static const char *url_fault(const char *url)
{
	const char *host = NULL;

	if (is_https(url))
		host = url + strlen("https://");
	else if (strncmp(url, "http://", strlen("http://")) == 0)
		host = url + strlen("http://");
	if (!host)
		return "does not begin with https:// or http://";
	size_t length = strcspn(host, "/");
	if (length == 0 || host[0] == ':')
		return "has no host";
	if (strcmp(host + length, "") != 0 && strcmp(host + length, "/") != 0)
		return "has a path; only the host and its port belong here";
	if (strpbrk(host, "@?#"))
		return "has a user, query or fragment; only the host and its port belong here";
	for (const char *at = host; *at; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
			return "has a character that no URL may have";
	return NULL;
}

static bool check_endpoints(const ConfigFile *file, const Values *values)
{
	char path[32], quote[CONFIG_QUOTE_SIZE];

	if (values->endpoint_count == 0)
		return config_mistake_at(file, config_find(file, "endpoints"),
					 "endpoints is empty; name a member of etcd, such as "
					 "\"https://etcd1:2379\"");
	for (size_t i = 0; i < values->endpoint_count; i++) {
		const char *url = values->endpoints[i];
		const char *wrong = url_fault(url);

		snprintf(path, sizeof(path), "endpoints[%zu]", i);
		if (wrong)
			return config_mistake_at(file, config_find(file, path),
						 "%s: \"%s\" %s; write something like "
						 "\"https://etcd1:2379\"",
						 path, config_quote(url, strlen(url), quote),
						 wrong);
	}
	return true;
}

static bool check_prefix(const ConfigFile *file, const char *prefix)
{
	size_t length = strlen(prefix);

	if (length == 0 || prefix[length - 1] != '/')
		return config_mistake_at(file, config_find(file, "prefix"),
					 "prefix does not end with a slash; write something like "
					 "\"" DEFAULT_PREFIX "\"");
	for (const char *at = prefix; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return config_mistake_at(file, config_find(file, "prefix"),
						 "prefix has a control character; remove it");
	return true;
}

static bool check_path(const ConfigFile *file, const char *key, const char *path)
{
	return !path || path[0] == '/' ||
	       config_mistake_at(file, config_find(file, key),
				 "%s is not an absolute path; begin it with a slash", key);
}

static bool check_tls(const ConfigFile *file, const Values *values)
{
	bool has_https = false;

	if (!check_path(file, "caFile", values->ca) ||
	    !check_path(file, "certificateFile", values->certificate) ||
	    !check_path(file, "keyFile", values->private_key))
		return false;
	if (values->certificate && !values->private_key)
		return config_mistake_at(file, config_find(file, "certificateFile"),
					 "certificateFile needs a keyFile; add it");
	if (values->private_key && !values->certificate)
		return config_mistake_at(file, config_find(file, "keyFile"),
					 "keyFile needs a certificateFile; add it");
	for (size_t i = 0; i < values->endpoint_count; i++)
		has_https |= is_https(values->endpoints[i]);
	return has_https || (!values->ca && !values->certificate) ||
	       config_mistake_at(file, config_find(file, "endpoints"),
				 "endpoints has no URL with https://, so %s would have no effect; "
				 "write https://, or remove the file",
				 values->ca ? "caFile" : "certificateFile");
}

static bool check_rest(const ConfigFile *file, const Values *values)
{
	if (values->ttl < SETTINGS_TTL_MIN)
		return config_mistake_at(file, config_find(file, "ttl"),
					 "ttl is less than %d seconds; etcd and the network need "
					 "more time",
					 SETTINGS_TTL_MIN);
	if (values->name && values->name[0] == '\0')
		return config_mistake_at(file, config_find(file, "name"),
					 "name is empty; remove it, or name this host");
	return true;
}

static char *copy(const char *text, bool *all_copied)
{
	char *copied = text ? strdup(text) : NULL;

	*all_copied &= !text || copied;
	return copied;
}

static bool copy_values(const ConfigFile *file, const Values *values, Settings *settings)
{
	bool all_copied = true;

	for (size_t i = 0; i < values->endpoint_count; i++)
		settings->endpoints[i] = copy(values->endpoints[i], &all_copied);
	settings->endpoint_count = values->endpoint_count;
	settings->prefix = copy(values->prefix, &all_copied);
	settings->ca = copy(values->ca, &all_copied);
	settings->certificate = copy(values->certificate, &all_copied);
	settings->private_key = copy(values->private_key, &all_copied);
	settings->name = copy(values->name, &all_copied);
	settings->operator_group = copy(values->operator_group, &all_copied);
	settings->observer_group = copy(values->observer_group, &all_copied);
	settings->ttl = (unsigned int)values->ttl;
	return all_copied || config_cannot_read(file, ENOMEM);
}

static bool read_object(const ConfigFile *file, const JsonValue *object, void *context)
{
	Settings *settings = context;
	Values values = { .prefix = DEFAULT_PREFIX,
			  .operator_group = DEFAULT_OPERATOR_GROUP,
			  .observer_group = DEFAULT_OBSERVER_GROUP,
			  .ttl = DEFAULT_TTL };

	return decode(file, object, &values) && check_endpoints(file, &values) &&
	       check_protection(file, &values) && check_prefix(file, values.prefix) &&
	       check_tls(file, &values) && check_rest(file, &values) &&
	       copy_values(file, &values, settings);
}

void settings_deinit(Settings *settings)
{
	for (size_t i = 0; i < settings->endpoint_count; i++)
		free(settings->endpoints[i]);
	free(settings->prefix);
	free(settings->ca);
	free(settings->certificate);
	free(settings->private_key);
	free(settings->name);
	free(settings->operator_group);
	free(settings->observer_group);
	*settings = (Settings){ 0 };
}

bool settings_parse(const char *path, const Buffer *text, Settings *ret_settings,
		    ConfigError *ret_error)
{
	ConfigFile file = { .path = path, .ret_error = ret_error };
	_cleanup_(settings_deinit) Settings settings = { 0 };

	*ret_error = (ConfigError){ 0 };
	if (!config_text_read(&file, text, read_object, &settings))
		return false;
	*ret_settings = settings;
	settings = (Settings){ 0 };
	return true;
}

/* --- files ----------------------------------------------------------------------------------- */

/* The endpoints decide whom this host believes, and which quarantines it imposes. */
static bool check_owner(const ConfigFile *file, const struct stat *status)
{
	if (status->st_uid != 0 && status->st_uid != geteuid())
		return config_mistake(file,
				      "belongs to uid %u, who could choose another etcd; check its "
				      "contents and give it to root with: chown root",
				      status->st_uid);
	if (status->st_mode & (S_IWGRP | S_IWOTH))
		return config_mistake(file, "other users can change it and could choose another "
					    "etcd; check its contents and protect it with: chmod "
					    "go-w");
	return true;
}

static bool check_file(const ConfigFile *file, int fd, bool is_checked_only)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return config_cannot_read(file, errno);
	if (!S_ISREG(status.st_mode))
		return config_mistake(file, "is not a regular file; replace it");
	if (status.st_size > FILE_SIZE_MAX)
		return config_mistake(file, "is larger than %d bytes; make it smaller",
				      FILE_SIZE_MAX);
	return is_checked_only || check_owner(file, &status);
}

/* Appends the contents of the file, up to one byte more than it may have. */
static bool read_text(const ConfigFile *file, int fd, Buffer *text)
{
	ssize_t count;

	if (!buffer_reserve(text, FILE_SIZE_MAX + 1))
		return config_cannot_read(file, ENOMEM);
	do {
		count = read(fd, buffer_tail(text), FILE_SIZE_MAX + 1 - buffer_size(text));
		if (count > 0)
			text->end += (size_t)count;
	} while (count > 0 || (count < 0 && errno == EINTR));
	return count == 0 || config_cannot_read(file, errno);
}

bool settings_load(const char *path, bool is_checked_only, Settings *ret_settings,
		   ConfigError *ret_error)
{
	ConfigFile file = { .path = path, .ret_error = ret_error };
	_cleanup_(buffer_deinit) Buffer text = BUFFER_INIT;

	*ret_error = (ConfigError){ 0 };
	/* O_NONBLOCK, because opening a FIFO would wait for a writer. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return config_cannot_read(&file, errno);
	return check_file(&file, fd, is_checked_only) && read_text(&file, fd, &text) &&
	       settings_parse(path, &text, ret_settings, ret_error);
}
