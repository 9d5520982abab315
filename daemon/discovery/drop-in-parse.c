/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/drop-in-parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/config-fault.h"
#include "daemon/core/broker.h"
#include "proto/names.h"

/* More would make the registration of a VM slow, because it looks at each. */
#define DROP_INS_MAX 4096

/* --- values ---------------------------------------------------------------------------------- */

typedef struct ClientValues {
	const char *user;
	uint64_t rights; /* as DISPLAY_RIGHT_BIT() */
} ClientValues;

/* The values of one file, whose strings belong to its JSON object. */
typedef struct DropInValues {
	bool has_guid;
	Guid guid;
	const char *name;
	const char *pattern;
	const char *registered_by;
	bool has_clients;
	size_t client_count;
	ClientValues clients[LIMIT_DISPLAY_CLIENTS];
	bool has_agent;
	ClientValues agent;
	bool requires_sealed_memory;
} DropInValues;

#define NAME_OF(name, text) text,
static const char *const right_names[] = { DISPLAY_RIGHT_NAMES(NAME_OF) NULL };

#define ROW(type, name, structure, member)                                           \
	JSON_FIELD(type, name, structure, member), .present_offset = JSON_NO_MEMBER, \
						   .count_offset = JSON_NO_MEMBER
#define USER ROW(JSON_FIELD_STRING, "user", ClientValues, user)

static const JsonField client_fields[] = {
	{ USER, .is_required = true, .maximum = LIMIT_USER_NAME_LENGTH },
	{ ROW(JSON_FIELD_CHOICES, "rights", ClientValues, rights), .choices = right_names },
};
static const JsonTable client_table = { client_fields, ARRAY_SIZE(client_fields), true };

static const JsonField agent_fields[] = {
	{ USER, .is_required = true, .maximum = LIMIT_USER_NAME_LENGTH },
};
static const JsonTable agent_table = { agent_fields, ARRAY_SIZE(agent_fields), true };

static const JsonField drop_in_fields[] = {
	{ JSON_FIELD(JSON_FIELD_GUID, "virtualMachineGuid", DropInValues, guid),
	  .present_offset = offsetof(DropInValues, has_guid), .count_offset = JSON_NO_MEMBER },
	{ ROW(JSON_FIELD_STRING, "name", DropInValues, name), .maximum = LIMIT_NAME_LENGTH },
	{ ROW(JSON_FIELD_STRING, "namePattern", DropInValues, pattern),
	  .maximum = LIMIT_NAME_LENGTH },
	{ ROW(JSON_FIELD_STRING, "registeredBy", DropInValues, registered_by),
	  .maximum = LIMIT_USER_NAME_LENGTH },
	{ .type = JSON_FIELD_ARRAY,
	  .name = "displayClients",
	  .offset = offsetof(DropInValues, clients),
	  .size = sizeof(ClientValues),
	  .present_offset = offsetof(DropInValues, has_clients),
	  .count_offset = offsetof(DropInValues, client_count),
	  .maximum = LIMIT_DISPLAY_CLIENTS,
	  .table = &client_table },
	{ JSON_FIELD(JSON_FIELD_OBJECT, "agent", DropInValues, agent),
	  .present_offset = offsetof(DropInValues, has_agent), .count_offset = JSON_NO_MEMBER,
	  .table = &agent_table },
	{ ROW(JSON_FIELD_BOOLEAN, "requireSealedMemory", DropInValues, requires_sealed_memory) },
};
static const JsonTable drop_in_table = { drop_in_fields, ARRAY_SIZE(drop_in_fields), true };

static bool decode(const ConfigFile *file, const JsonValue *object, DropInValues *values)
{
	static const ConfigKeys keys[] = {
		{ "the drop-in", &drop_in_table, false },
		{ "the items of \"displayClients\"", &client_table, false },
		{ "\"agent\"", &agent_table, false },
	};
	JsonFault fault;

	return json_table_decode(&drop_in_table, object, NULL, values, &fault) ||
	       config_fault(file, &fault, keys, ARRAY_SIZE(keys));
}

/* --- checks ---------------------------------------------------------------------------------- */

#define SUBJECTS "virtualMachineGuid, name or namePattern"

static bool refuse_empty(const ConfigFile *file, const char *key, const char *value)
{
	return !value || value[0] != '\0' ||
	       config_mistake_at(file, config_find(file, key),
				 "%s is empty, and no VM has an empty name; correct it", key);
}

static bool check_subject(const ConfigFile *file, const DropInValues *values)
{
	int count = values->has_guid + (values->name != NULL) + (values->pattern != NULL);

	if (count == 0)
		return config_mistake_at(file, config_find(file, ""),
					 "the drop-in names no VM; add " SUBJECTS);
	if (count > 1)
		return config_mistake_at(file, config_find(file, ""),
					 "the drop-in has more than one of " SUBJECTS
					 "; write one file for each");
	return refuse_empty(file, "name", values->name) &&
	       refuse_empty(file, "namePattern", values->pattern);
}

static bool check_clients(const ConfigFile *file, const DropInValues *values)
{
	return !values->has_clients || values->client_count > 0 ||
	       config_mistake_at(file, config_find(file, "displayClients"),
				 "displayClients names nobody; name a user, or remove the key");
}

/* --- users ----------------------------------------------------------------------------------- */

static bool out_of_memory(const ConfigFile *file)
{
	file->ret_error->is_temporary = true;
	return config_mistake(file, "cannot be read: out of memory; try again later");
}

/* A user that does not exist is remembered only if the daemon has kept the drop-in. */
static bool check_user(const ConfigFile *file, const char *path, const char *name, Lookup lookup,
		       const DropInUser *user)
{
	const char *position = config_find(file, path);
	char quote[CONFIG_QUOTE_SIZE];

	config_quote(name, strlen(name), quote);
	if (lookup == LOOKUP_EXHAUSTED) {
		file->ret_error->is_temporary = true;
		return config_mistake_at(file, position,
					 "%s: user \"%s\" cannot be looked up now; check that "
					 "\"getent passwd\" works on this host, and try again",
					 path, quote);
	}
	if (!user->is_unknown || file->is_kept)
		return true;
	if (lookup == LOOKUP_FOUND)
		return config_mistake_at(file, position,
					 "%s: user \"%s\" has uid %u, which stands for unknown "
					 "users; name another",
					 path, quote, user->uid);
	return config_mistake_at(file, position,
				 "%s: user \"%s\" does not exist; create it, or name another", path,
				 quote);
}

/* Returns the same user of an earlier drop-in, because a lookup can take long. */
static const DropInUser *find_known(const DropIns *drop_ins, const char *name)
{
	for (size_t i = drop_ins->count; i-- > 0;) {
		const DropIn *drop_in = &drop_ins->items[i];

		if (drop_in->has_registrar && strcmp(drop_in->registrar.name, name) == 0)
			return &drop_in->registrar;
		if (drop_in->has_agent && strcmp(drop_in->agent.name, name) == 0)
			return &drop_in->agent;
		for (size_t j = 0; j < drop_in->client_count; j++)
			if (strcmp(drop_in->clients[j].name, name) == 0)
				return &drop_in->clients[j];
	}
	return NULL;
}

static bool find_user(const ConfigFile *file, const DropInReader *reader, const char *path,
		      const char *name, DropInUser *ret)
{
	const DropInUser *known = find_known(reader->drop_ins, name);
	Lookup lookup = known && !known->is_unknown ? LOOKUP_FOUND : LOOKUP_ABSENT;

	ret->uid = known ? known->uid : (uid_t)-1;
	if (!known)
		lookup = reader->find_user(name, &ret->uid);
	ret->is_unknown = lookup != LOOKUP_FOUND || !id_is_mapped(ret->uid);
	if (!check_user(file, path, name, lookup, ret))
		return false;
	ret->name = strdup(name);
	return ret->name || out_of_memory(file);
}

static bool find_clients(const ConfigFile *file, const DropInReader *reader,
			 const DropInValues *values, DropIn *drop_in)
{
	char path[64];

	if (values->client_count == 0)
		return true;
	drop_in->clients = calloc(values->client_count, sizeof(*drop_in->clients));
	if (!drop_in->clients)
		return out_of_memory(file);
	for (size_t i = 0; i < values->client_count; i++) {
		DropInUser *client = &drop_in->clients[drop_in->client_count++];

		snprintf(path, sizeof(path), "displayClients[%zu].user", i);
		client->rights = (unsigned int)values->clients[i].rights;
		if (!find_user(file, reader, path, values->clients[i].user, client))
			return false;
	}
	return true;
}

static bool find_users(const ConfigFile *file, const DropInReader *reader,
		       const DropInValues *values, DropIn *drop_in)
{
	drop_in->has_registrar = values->registered_by != NULL;
	drop_in->has_agent = values->has_agent;
	return (!drop_in->has_registrar || find_user(file, reader, "registeredBy",
						     values->registered_by, &drop_in->registrar)) &&
	       find_clients(file, reader, values, drop_in) &&
	       (!drop_in->has_agent ||
		find_user(file, reader, "agent.user", values->agent.user, &drop_in->agent));
}

/* --- the drop-in ----------------------------------------------------------------------------- */

static bool set_subject(const ConfigFile *file, const DropInValues *values, DropIn *drop_in)
{
	const char *name = values->name ? values->name : values->pattern;

	drop_in->subject = values->has_guid ? DROP_IN_GUID
			   : values->name   ? DROP_IN_NAME
					    : DROP_IN_NAME_PATTERN;
	drop_in->guid = values->guid;
	drop_in->name = name ? strdup(name) : NULL;
	drop_in->path = strdup(file->path);
	drop_in->text = strndup(file->value.start, file->value.length);
	drop_in->requires_sealed_memory = values->requires_sealed_memory;
	return (drop_in->name || !name) && drop_in->path && drop_in->text;
}

bool drop_in_read(const ConfigFile *file, const JsonValue *object, void *context)
{
	const DropInReader *reader = context;
	DropInValues values = { 0 };
	DropIn drop_in = { 0 };

	if (!decode(file, object, &values) || !check_subject(file, &values) ||
	    !check_clients(file, &values))
		return false;
	if (reader->drop_ins->count == DROP_INS_MAX)
		return config_mistake(file, "there are more than %d drop-ins; remove some",
				      DROP_INS_MAX);
	bool is_read = find_users(file, reader, &values, &drop_in);
	if (is_read &&
	    (!set_subject(file, &values, &drop_in) || !drop_ins_add(reader->drop_ins, &drop_in)))
		is_read = out_of_memory(file);
	drop_in_deinit(&drop_in);
	return is_read;
}
