/* SPDX-License-Identifier: MIT */
#include "daemon/core/entity.h"

#include "daemon/core/broker.h"

static int compare_serials(const Entity *a, const Entity *b)
{
	return compare_numbers(a->serial, b->serial);
}

TREE_GENERATE(EntityTree, Entity, by_serial, compare_serials)

void entity_prepare(Broker *broker, Entity *entity, EntityType type)
{
	entity->type = type;
	entity->serial = broker_next_serial(broker);
}

void entity_insert(Broker *broker, Entity *entity)
{
	RB_INSERT(EntityTree, &broker->entities[entity->type], entity);
}

void entity_add(Broker *broker, Entity *entity, EntityType type)
{
	entity_prepare(broker, entity, type);
	entity_insert(broker, entity);
}

void entity_replace(Broker *broker, Entity *old, Entity *entity)
{
	EntityTree *entities = &broker->entities[old->type];

	RB_REMOVE(EntityTree, entities, old);
	entity->type = old->type;
	entity->serial = old->serial;
	RB_INSERT(EntityTree, entities, entity);
}

void entity_remove(Broker *broker, Entity *entity)
{
	RB_REMOVE(EntityTree, &broker->entities[entity->type], entity);
}

Entity *entity_find(Broker *broker, EntityType type, uint64_t serial)
{
	return RB_FIND(EntityTree, &broker->entities[type], &(Entity){ .serial = serial });
}

Entity *entity_after(Broker *broker, EntityType type, uint64_t serial)
{
	return RB_NFIND(EntityTree, &broker->entities[type], &(Entity){ .serial = serial + 1 });
}

const Entity *entity_next(const Entity *entity)
{
	return RB_NEXT(EntityTree, NULL, (Entity *)entity);
}

Entity *entity_after_of_any_type(Broker *broker, uint64_t serial)
{
	Entity *first = NULL;

	for (EntityType type = 0; type < ENTITY_MAX; type++) {
		Entity *entity = entity_after(broker, type, serial);

		if (entity && (!first || entity->serial < first->serial))
			first = entity;
	}
	return first;
}
