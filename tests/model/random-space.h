/* SPDX-License-Identifier: MIT */
#ifndef TESTS_RANDOM_SPACE_H
#define TESTS_RANDOM_SPACE_H

#include <stdio.h>

#include "naive-space.h"
#include "random.h"

typedef enum SpaceOperationKind {
	SPACE_RESERVE_FOR_DRIVER,
	SPACE_RESERVE,
	SPACE_MAP,
	SPACE_FREE,
	SPACE_SET_ENTRY,
	SPACE_EVICT,
	SPACE_MAKE_RESIDENT,
	SPACE_TRANSLATE,
	SPACE_OPERATION_MAX,
} SpaceOperationKind;

extern const char *const space_operation_names[];

typedef struct SpaceOperation {
	SpaceOperationKind kind;
	Payer payer;
	DriverReservation reservation;
	Placement placement;
	Mapping mapping;
	uint64_t address;
	uint64_t size;
	uint64_t page_table_address;
} SpaceOperation;

/* What mostly happens for a while: a space fills, lives, empties, or sees its tables come and go.
 */
typedef enum SpaceMood {
	SPACE_MOOD_DRIVER,
	SPACE_MOOD_FILL,
	SPACE_MOOD_LIVE,
	SPACE_MOOD_EMPTY,
	SPACE_MOOD_TABLES,
	SPACE_MOOD_MAX,
} SpaceMood;

/* Arguments that are near to what is in the space, so that something interesting happens. */
SpaceOperation space_operation_roll(const NaiveSpace *space, SpaceMood mood, Dice *dice);
void space_operation_print(const SpaceOperation *operation, FILE *file);

GpuMmu space_mmu_roll(Dice *dice);
Limits space_limits_roll(Dice *dice);

#endif
