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
typedef enum NamedType {
	NAMED_ADAPTER,
	NAMED_VIRTUAL_GPU,
	NAMED_GPU_PROCESS,
	NAMED_CONTEXT,
	NAMED_OBJECT,
} NamedType;

typedef struct Named {
	Handle handle;
	NamedType type;
	RB_ENTRY(Named) by_handle;
} Named;

typedef RB_HEAD(NamedTree, Named) NamedTree;

/*
 * Prepare sets the type and draws a random handle that is not in use. Insert adds the entry to the
 * tree, so that the handle can be found.
 */
void named_prepare(Broker *broker, Named *named, NamedType type);
void named_insert(Broker *broker, Named *named);

/* Prepares and inserts an entry. */
void named_add(Broker *broker, Named *named, NamedType type);

/* Replaces the handle of an inserted entry. The new one must be unused. */
void named_change(Broker *broker, Named *named, const Handle *handle);

/* Tests whether an entity of any type has the handle. */
bool named_is_taken(Broker *broker, const Handle *handle);

void named_remove(Broker *broker, Named *named);

/* Returns NULL if no entity of that type has the handle. */
Named *named_find(Broker *broker, NamedType type, const Handle *handle);

#endif
