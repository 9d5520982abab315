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
typedef enum EntityType {
	ENTITY_ADAPTER,
	ENTITY_QUARANTINE,
	ENTITY_VIRTUAL_MACHINE,
	ENTITY_VIRTUAL_GPU,
	ENTITY_REGISTRATION,
	ENTITY_GPU_PROCESS,
	ENTITY_OBJECT,
	ENTITY_DISPLAY,
	ENTITY_MAX,
} EntityType;

typedef struct Entity {
	EntityType type;
	uint64_t serial;
	RB_ENTRY(Entity) by_serial;
} Entity;

typedef RB_HEAD(EntityTree, Entity) EntityTree;

/*
 * Prepare sets the type and assigns the next serial, which identifies the persisted record. Insert
 * adds the entity to the list of its type.
 */
void entity_prepare(Broker *broker, Entity *entity, EntityType type);
void entity_insert(Broker *broker, Entity *entity);

/* Prepares and inserts an entity. */
void entity_add(Broker *broker, Entity *entity, EntityType type);

/* Replaces an inserted entity. The new one takes over its type and serial. */
void entity_replace(Broker *broker, Entity *old, Entity *entity);

void entity_remove(Broker *broker, Entity *entity);

/* Returns NULL if no entity of the type has the serial. */
Entity *entity_find(Broker *broker, EntityType type, uint64_t serial);

/* Return the first entity (of the type, or of any type) above the serial, or NULL at the end. */
Entity *entity_after(Broker *broker, EntityType type, uint64_t serial);
Entity *entity_after_of_any_type(Broker *broker, uint64_t serial);

/* Returns the next entity of the same type, or NULL at the end. The entity must still be in the
 * list. */
const Entity *entity_next(const Entity *entity);

/* Returns the structure that embeds the entity as its member "entity". Accepts NULL. */
#define entity_container(pointer, type)                               \
	({                                                            \
		Entity *_entity = (pointer);                          \
		_entity ? container_of(_entity, type, entity) : NULL; \
	})

#endif
