/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/machine-reply.h"

#include <errno.h>
#include <string.h>

int machine_reply_list(sd_bus_message *reply, MachineTable *table)
{
	const char *name, *class, *service, *path;
	int result;

	if (sd_bus_message_has_signature(reply, "a(ssso)") <= 0 ||
	    sd_bus_message_enter_container(reply, 'a', "(ssso)") <= 0)
		return -EBADMSG;
	machine_table_begin(table);
	while ((result = sd_bus_message_read(reply, "(ssso)", &name, &class, &service, &path)) > 0)
		machine_table_list(table, name, class, path);
	/* A message that sd-bus has accepted can be read to its end. */
	if (result == 0)
		machine_table_end(table);
	return result;
}

static int read_property(sd_bus_message *reply, const char *name, MachineFacts *facts)
{
	const void *id = NULL;
	size_t size = 0;

	if (strcmp(name, "Class") == 0)
		return sd_bus_message_read(reply, "v", "s", &facts->class);
	if (strcmp(name, "Leader") == 0)
		return sd_bus_message_read(reply, "v", "u", &facts->leader);
	if (strcmp(name, "UID") == 0)
		return sd_bus_message_read(reply, "v", "u", &facts->owner);
	if (strcmp(name, "TimestampMonotonic") == 0)
		return sd_bus_message_read(reply, "v", "t", &facts->created);
	if (strcmp(name, "Id") != 0)
		return sd_bus_message_skip(reply, "v");
	int result = sd_bus_message_enter_container(reply, 'v', "ay");
	if (result > 0)
		result = sd_bus_message_read_array(reply, 'y', &id, &size);
	if (result < 0)
		return result;
	facts->id = id;
	facts->id_size = size;
	return sd_bus_message_exit_container(reply);
}

/*
 * Skips a property that has another type than it should, as if it were absent. Only an absent UID
 * means root, because older versions of machined have no such property.
 */
static int read_typed_property(sd_bus_message *reply, const char *name, MachineFacts *facts)
{
	static const struct {
		const char *name;
		const char *type;
	} known[] = { { "Class", "s" },
		      { "Leader", "u" },
		      { "UID", "u" },
		      { "Id", "ay" },
		      { "TimestampMonotonic", "t" } };
	const char *contents;

	if (sd_bus_message_peek_type(reply, NULL, &contents) <= 0)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0 && strcmp(known[i].type, contents) == 0)
			return read_property(reply, name, facts);
	if (strcmp(name, "UID") == 0)
		facts->owner = MACHINE_OWNER_UNKNOWN;
	return sd_bus_message_skip(reply, "v");
}

bool machine_reply_read(sd_bus_message *reply, MachineFacts *ret)
{
	MachineFacts facts = { .class = NULL };
	const char *name;
	int result;

	if (sd_bus_message_has_signature(reply, "a{sv}") <= 0 ||
	    sd_bus_message_enter_container(reply, 'a', "{sv}") <= 0)
		return false;
	while ((result = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
		result = sd_bus_message_read_basic(reply, 's', &name);
		if (result > 0)
			result = read_typed_property(reply, name, &facts);
		if (result >= 0)
			result = sd_bus_message_exit_container(reply);
		if (result < 0)
			return false;
	}
	*ret = facts;
	return result == 0;
}

bool machine_reply_has_name(sd_bus_message *reply, const char *name)
{
	const char *listed;

	if (sd_bus_message_enter_container(reply, 'a', "s") <= 0)
		return false;
	while (sd_bus_message_read_basic(reply, 's', &listed) > 0)
		if (strcmp(listed, name) == 0)
			return true;
	return false;
}
