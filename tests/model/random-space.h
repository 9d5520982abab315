/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_RANDOM_SPACE_H
#define TESTS_MODEL_RANDOM_SPACE_H

#include <stdio.h>

#include "tests/model/naive-space.h"
#include "tests/model/random.h"

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

/*
 * A phase prefers certain operations for a while: the space fills up, stays about equally full,
 * empties, or has its page tables changed.
 */
typedef enum SpacePhase {
	SPACE_PHASE_DRIVER,
	SPACE_PHASE_FILL,
	SPACE_PHASE_STEADY,
	SPACE_PHASE_EMPTY,
	SPACE_PHASE_TABLES,
	SPACE_PHASE_MAX,
} SpacePhase;

/* Chooses an operation whose arguments are close to the existing ranges. */
SpaceOperation space_operation_roll(const NaiveSpace *space, SpacePhase phase, Dice *dice);
void space_operation_print(const SpaceOperation *operation, FILE *file);

GpuMmu space_mmu_roll(Dice *dice);
Limits space_limits_roll(Dice *dice);

#endif
