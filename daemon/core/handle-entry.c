/* SPDX-License-Identifier: MIT */
#include "daemon/core/handle-entry.h"

#include "daemon/core/broker.h"

static int handle_entry_compare(const HandleEntry *a, const HandleEntry *b)
{
	return handle_compare(&a->handle, &b->handle);
}

TREE_GENERATE(HandleTree, HandleEntry, by_handle, handle_entry_compare)

bool handle_entry_is_taken(Broker *broker, const Handle *handle)
{
	return RB_FIND(HandleTree, &broker->handles, &(HandleEntry){ .handle = *handle }) != NULL;
}

void handle_entry_prepare(Broker *broker, HandleEntry *handle_entry, HandleType type)
{
	handle_entry->type = type;
	do
		broker->host->random_bytes(broker->host->self, &handle_entry->handle,
					   sizeof(handle_entry->handle));
	while (handle_entry_is_taken(broker, &handle_entry->handle));
}

void handle_entry_insert(Broker *broker, HandleEntry *handle_entry)
{
	RB_INSERT(HandleTree, &broker->handles, handle_entry);
}

void handle_entry_add(Broker *broker, HandleEntry *handle_entry, HandleType type)
{
	handle_entry_prepare(broker, handle_entry, type);
	handle_entry_insert(broker, handle_entry);
}

void handle_entry_remove(Broker *broker, HandleEntry *handle_entry)
{
	RB_REMOVE(HandleTree, &broker->handles, handle_entry);
}

void handle_entry_change(Broker *broker, HandleEntry *handle_entry, const Handle *handle)
{
	handle_entry_remove(broker, handle_entry);
	handle_entry->handle = *handle;
	handle_entry_insert(broker, handle_entry);
}

HandleEntry *handle_entry_find(Broker *broker, HandleType type, const Handle *handle)
{
	HandleEntry *handle_entry =
		RB_FIND(HandleTree, &broker->handles, &(HandleEntry){ .handle = *handle });

	return handle_entry && handle_entry->type == type ? handle_entry : NULL;
}
