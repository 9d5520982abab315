/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_HANDLE_ENTRY_H
#define DAEMON_CORE_HANDLE_ENTRY_H

#include "daemon/core/tree.h"
#include "proto/guid.h"

typedef struct Broker Broker;

/*
 * Every entity with a handle embeds a HandleEntry. All entries are in one tree, so a handle is
 * unique across all types.
 */
typedef enum HandleType {
	HANDLE_ADAPTER,
	HANDLE_VIRTUAL_GPU,
	HANDLE_GPU_PROCESS,
	HANDLE_CONTEXT,
	HANDLE_OBJECT,
	HANDLE_DISPLAY,
} HandleType;

typedef struct HandleEntry {
	Handle handle;
	HandleType type;
	RB_ENTRY(HandleEntry) by_handle;
} HandleEntry;

typedef RB_HEAD(HandleTree, HandleEntry) HandleTree;

/*
 * Prepare sets the type and draws a random handle that is not in use. Insert adds the entry to the
 * tree, so that the handle can be found.
 */
void handle_entry_prepare(Broker *broker, HandleEntry *handle_entry, HandleType type);
void handle_entry_insert(Broker *broker, HandleEntry *handle_entry);

/* Prepares and inserts an entry. */
void handle_entry_add(Broker *broker, HandleEntry *handle_entry, HandleType type);

/* Replaces the handle of an inserted entry. The new one must be unused. */
void handle_entry_change(Broker *broker, HandleEntry *handle_entry, const Handle *handle);

/* Tests whether an entity of any type has the handle. */
bool handle_entry_is_taken(Broker *broker, const Handle *handle);

void handle_entry_remove(Broker *broker, HandleEntry *handle_entry);

/* Returns NULL if no entity of that type has the handle. */
HandleEntry *handle_entry_find(Broker *broker, HandleType type, const Handle *handle);

#endif
