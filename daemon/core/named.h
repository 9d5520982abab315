/* SPDX-License-Identifier: MIT */
#ifndef CORE_NAMED_H
#define CORE_NAMED_H

#include "guid.h"
#include "tree.h"

typedef struct Broker Broker;

/*
 * What has a handle embeds a Named; all of them are in one tree, so that no two things ever share a
 * handle and a handle of the wrong type names nothing.
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

/* Gives it a handle that nobody has, which is its own from the insertion on. */
void named_prepare(Broker *broker, Named *named, NamedType type);
void named_insert(Broker *broker, Named *named);

/* Both at once. Cannot fail. */
void named_add(Broker *broker, Named *named, NamedType type);

/* It gets the handle, which nobody has, in the place of its own. */
void named_change(Broker *broker, Named *named, const Handle *handle);

/* Whether a thing of any type has the handle. */
bool named_is_taken(Broker *broker, const Handle *handle);

void named_remove(Broker *broker, Named *named);

/* NULL where no live thing of that type has the handle. */
Named *named_find(Broker *broker, NamedType type, const Handle *handle);

#endif
