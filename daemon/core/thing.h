/* SPDX-License-Identifier: MIT */
#ifndef CORE_THING_H
#define CORE_THING_H

#include <stddef.h>
#include <stdint.h>

#include "macros.h"
#include "tree.h"

typedef struct Broker Broker;

/*
 * What can be listed and watched embeds a Thing. Its serial is given when it comes to be and is
 * never used again, so the order of serials is the order of time, over all types, and the serial of
 * the last thing seen is a cursor that stays good whatever comes and goes.
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

/* Gives it the next serial; what is prepared has one already, to be made lasting under. */
void thing_prepare(Broker *broker, Thing *thing, ThingType type);
void thing_insert(Broker *broker, Thing *thing);

/* Both at once. Cannot fail. */
void thing_add(Broker *broker, Thing *thing, ThingType type);

/* Puts it in the place of an old one, which is the same thing as it was before. */
void thing_replace(Broker *broker, Thing *old, Thing *thing);

void thing_remove(Broker *broker, Thing *thing);

/* NULL: no thing of the type has the serial. */
Thing *thing_find(Broker *broker, ThingType type, uint64_t serial);

/* The first thing of the type, or of any, whose serial is above the cursor; NULL at the end. */
Thing *thing_after(Broker *broker, ThingType type, uint64_t serial);
/* The next of the same type; NULL at the end. For walks that nothing changes under. */
const Thing *thing_next(const Thing *thing);
Thing *thing_after_of_any_type(Broker *broker, uint64_t serial);

/* From a Thing, which may be NULL, to what embeds it as member "thing". */
#define thing_owner(pointer, type)                                 \
	({                                                         \
		Thing *_thing = (pointer);                         \
		_thing ? container_of(_thing, type, thing) : NULL; \
	})

#endif
