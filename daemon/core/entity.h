/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_ENTITY_H
#define DAEMON_CORE_ENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/tree.h"
#include "proto/macros.h"

typedef struct Broker Broker;

/*
 * Everything that can be listed and watched embeds an Entity. Its serial is assigned at creation
 * and never reused, so serials of all types are in the order of creation. The serial of the last
 * entity seen is a cursor, which stays valid when entities are added or removed.
 */
typedef enum ThingType {
	THING_ADAPTER,
	THING_QUARANTINE,
	THING_VIRTUAL_MACHINE,
	THING_VIRTUAL_GPU,
	THING_REGISTRATION,
	THING_GPU_PROCESS,
	THING_OBJECT,
	THING_MAX,
} ThingType;

typedef struct Thing {
	ThingType type;
	uint64_t serial;
	RB_ENTRY(Thing) by_serial;
} Thing;

typedef RB_HEAD(ThingTree, Thing) ThingTree;

/*
 * Prepare sets the type and assigns the next serial, which identifies the persisted record. Insert
 * adds the entity to the list of its type.
 */
void thing_prepare(Broker *broker, Thing *thing, ThingType type);
void thing_insert(Broker *broker, Thing *thing);

/* Prepares and inserts an entity. */
void thing_add(Broker *broker, Thing *thing, ThingType type);

/* Replaces an inserted entity. The new one takes over its type and serial. */
void thing_replace(Broker *broker, Thing *old, Thing *thing);

void thing_remove(Broker *broker, Thing *thing);

/* Returns NULL if no entity of the type has the serial. */
Thing *thing_find(Broker *broker, ThingType type, uint64_t serial);

/* Return the first entity (of the type, or of any type) above the serial, or NULL at the end. */
Thing *thing_after(Broker *broker, ThingType type, uint64_t serial);
Thing *thing_after_of_any_type(Broker *broker, uint64_t serial);

/* Returns the next entity of the same type, or NULL at the end. thing must still be in the list. */
const Thing *thing_next(const Thing *thing);

/* Returns the structure that embeds the entity as its member "thing". Accepts NULL. */
#define thing_owner(pointer, type)                                 \
	({                                                         \
		Thing *_thing = (pointer);                         \
		_thing ? container_of(_thing, type, thing) : NULL; \
	})

#endif
