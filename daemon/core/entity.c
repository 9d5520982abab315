/* SPDX-License-Identifier: MIT */
#include "daemon/core/entity.h"

#include "daemon/core/broker.h"

static int compare_serials(const Thing *a, const Thing *b)
{
	return compare_numbers(a->serial, b->serial);
}

TREE_GENERATE(ThingTree, Thing, by_serial, compare_serials)

void thing_prepare(Broker *broker, Thing *thing, ThingType type)
{
	thing->type = type;
	thing->serial = broker_next_serial(broker);
}

void thing_insert(Broker *broker, Thing *thing)
{
	RB_INSERT(ThingTree, &broker->things[thing->type], thing);
}

void thing_add(Broker *broker, Thing *thing, ThingType type)
{
	thing_prepare(broker, thing, type);
	thing_insert(broker, thing);
}

void thing_replace(Broker *broker, Thing *old, Thing *thing)
{
	ThingTree *things = &broker->things[old->type];

	RB_REMOVE(ThingTree, things, old);
	thing->type = old->type;
	thing->serial = old->serial;
	RB_INSERT(ThingTree, things, thing);
}

void thing_remove(Broker *broker, Thing *thing)
{
	RB_REMOVE(ThingTree, &broker->things[thing->type], thing);
}

Thing *thing_find(Broker *broker, ThingType type, uint64_t serial)
{
	return RB_FIND(ThingTree, &broker->things[type], &(Thing){ .serial = serial });
}

Thing *thing_after(Broker *broker, ThingType type, uint64_t serial)
{
	return RB_NFIND(ThingTree, &broker->things[type], &(Thing){ .serial = serial + 1 });
}

const Thing *thing_next(const Thing *thing)
{
	return RB_NEXT(ThingTree, NULL, (Thing *)thing);
}

Thing *thing_after_of_any_type(Broker *broker, uint64_t serial)
{
	Thing *first = NULL;

	for (ThingType type = 0; type < THING_MAX; type++) {
		Thing *thing = thing_after(broker, type, serial);

		if (thing && (!first || thing->serial < first->serial))
			first = thing;
	}
	return first;
}
