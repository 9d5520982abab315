/* SPDX-License-Identifier: MIT */
/* Random operations on address spaces, with arguments close to existing ranges and gaps. */
#include "tests/model/random-space.h"

#include <inttypes.h>
#include <stdio.h>

const char *const space_operation_names[] = {
	[SPACE_RESERVE_FOR_DRIVER] = "reserve for driver",
	[SPACE_RESERVE] = "reserve",
	[SPACE_MAP] = "map",
	[SPACE_FREE] = "free",
	[SPACE_SET_ENTRY] = "set entry",
	[SPACE_EVICT] = "evict",
	[SPACE_MAKE_RESIDENT] = "make resident",
	[SPACE_TRANSLATE] = "translate",
};

_Static_assert(ARRAY_SIZE(space_operation_names) == SPACE_OPERATION_MAX,
	       "each operation has a name");

/* The relative frequency of each operation in each phase. */
static const unsigned int weights[SPACE_PHASE_MAX][SPACE_OPERATION_MAX] = {
	/* reserve for driver, reserve, map, free, set, evict, resident, translate */
	[SPACE_PHASE_DRIVER] = { 12, 1, 1, 1, 4, 1, 1, 2 },
	[SPACE_PHASE_FILL] = { 1, 8, 10, 2, 2, 1, 1, 3 },
	[SPACE_PHASE_STEADY] = { 0, 5, 7, 11, 2, 1, 1, 3 },
	[SPACE_PHASE_EMPTY] = { 0, 2, 2, 16, 1, 1, 1, 2 },
	[SPACE_PHASE_TABLES] = { 2, 2, 5, 4, 12, 5, 5, 4 },
};

/* --- spaces ---------------------------------------------------------------------------------- */

/* All numbers of levels, and many sizes. The small ones fill up. */
static const GpuMmu mmus[] = {
	{ 2, { 1, 1 } },
	{ 2, { 2, 4 } },
	{ 2, { 4, 5 } },
	{ 3, { 3, 3, 3 } },
	{ 6, { 1, 1, 1, 1, 1, 1 } },
	{ 5, { 4, 2, 1, 2, 1 } },
	{ 4, { 2, 3, 3, 2 } },
	{ 2, { 10, 10 } },
	{ 2, { 1, 19 } },
	{ 3, { 5, 8, 7 } },
	{ 2, { 4, 24 } },
	{ 3, { 9, 9, 10 } },
	{ 4, { 9, 9, 9, 1 } },
	{ 2, { 11, 24 } },
	{ 4, { 9, 9, 9, 8 } },
	{ 5, { 9, 9, 9, 4, 4 } },
	{ 2, { 12, 24 } },
	{ 4, { 9, 9, 9, 9 } },
	{ 6, { 6, 6, 6, 6, 6, 6 } },
	{ 2, { 21, 24 } },
	{ 3, { 15, 15, 15 } },
	{ 5, { 9, 9, 9, 9, 9 } },
	{ 6, { 8, 8, 8, 7, 7, 7 } },
};

GpuMmu space_mmu_roll(Dice *dice)
{
	return mmus[dice_roll(dice, ARRAY_SIZE(mmus))];
}

Limits space_limits_roll(Dice *dice)
{
	static const uint64_t few[] = { 0, 1, 2, 4, 8, 16, 32 };
	static const LimitKind kinds[] = { LIMIT_DRIVER_RESERVATIONS, LIMIT_USER_RANGES,
					   LIMIT_PAGE_TABLE_ENTRIES };
	Limits limits = limits_default;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint64_t maximum = few[dice_roll(dice, ARRAY_SIZE(few))];
		limits.per_entity[kinds[i]] =
			dice_chance(dice, 8) ? maximum : 40 * (1 + maximum / 8);
		limits.per_uid[kinds[i]] = dice_chance(dice, 6) ? maximum : 1000;
		limits.host_wide[kinds[i]] = dice_chance(dice, 6) ? maximum + maximum / 2 : 1000;
	}
	return limits;
}

/* --- pages ----------------------------------------------------------------------------------- */

static uint64_t one_of(Dice *dice, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t numbers[] = { a, b, c, d };

	return numbers[dice_roll(dice, 4)];
}

static const NaiveRange *random_range(const NaiveSpace *space, Dice *dice)
{
	return &space->ranges[dice_roll(dice, space->range_count)];
}

/* Returns a range of that kind, or any other after a few tries. */
static const NaiveRange *random_range_of(const NaiveSpace *space, GpuRangeKind kind, Dice *dice)
{
	const NaiveRange *range = random_range(space, dice);

	for (size_t i = 0; i < 8 && range->kind != kind; i++)
		range = random_range(space, dice);
	return range;
}

/* Returns a page where a range begins or ends, or a special one. */
static uint64_t random_edge(const NaiveSpace *space, Dice *dice)
{
	const NaiveRange *range = random_range(space, dice);
	uint64_t pages = naive_space_pages(space);

	if (dice_chance(dice, 8))
		return one_of(dice, pages, pages / 2, naive_space_root_entry_pages(space),
			      naive_space_leaf_pages(space) *
				      dice_roll(dice, pages / naive_space_leaf_pages(space)));
	if (dice_chance(dice, 40))
		return one_of(dice, UINT64_C(1) << 52, UINT64_C(1) << 51, 0,
			      dice_roll(dice, pages));
	if (dice_chance(dice, 4))
		return range->first + dice_roll(dice, range->end - range->first);
	return dice_chance(dice, 3) ? range->first : range->end;
}

static uint64_t random_page(const NaiveSpace *space, Dice *dice)
{
	uint64_t page = random_edge(space, dice);
	uint64_t step = one_of(dice, 1, 16, naive_space_leaf_pages(space), 1 + dice_roll(dice, 32));

	if (dice_chance(dice, 2))
		return page;
	return dice_chance(dice, 2) ? page + step : page - step;
}

/* Returns an address in bytes. It is sometimes not a multiple of a page. */
static uint64_t random_address(const NaiveSpace *space, Dice *dice)
{
	uint64_t address = random_page(space, dice) * GPU_PAGE_SIZE;

	return dice_chance(dice, 16) ? address + one_of(dice, 1, 2048, 4095, UINT64_MAX) : address;
}

/* Returns the size of a random gap, in pages, in order to fill it exactly. */
static uint64_t random_gap(const NaiveSpace *space, Dice *dice)
{
	uint64_t begin = naive_space_root_entry_pages(space), chosen = 0, seen = 0;

	for (size_t i = 0; i <= space->range_count; i++) {
		bool is_last = i == space->range_count;
		if (!is_last && space->ranges[i].inside)
			continue;
		uint64_t end = is_last ? naive_space_pages(space) : space->ranges[i].first;
		/* Rarely choose the rest of a large space, because a full space tests little. */
		if (end > begin && dice_roll(dice, is_last ? 30 : ++seen) == 0)
			chosen = end - begin;
		if (!is_last)
			begin = space->ranges[i].end;
	}
	return chosen;
}

/* Returns a size in bytes, mostly a multiple of the granularity. */
static uint64_t random_size(const NaiveSpace *space, uint64_t granularity, Dice *dice)
{
	const NaiveRange *range = random_range(space, dice);
	uint64_t gap = random_gap(space, dice) * GPU_PAGE_SIZE;
	uint64_t size = granularity * (1 + dice_roll(dice, 4));

	if (dice_chance(dice, 3) && gap != 0)
		size = gap / granularity * granularity +
		       one_of(dice, 0, 0, granularity, -granularity);
	else if (dice_chance(dice, 5))
		size = granularity * (1 + dice_roll(dice, 40));
	else if (dice_chance(dice, 12))
		size = (range->end - range->first) * GPU_PAGE_SIZE;
	else if (dice_chance(dice, 50))
		size = one_of(dice, 0, UINT64_C(1) << 63, -granularity,
			      naive_space_pages(space) * GPU_PAGE_SIZE);
	return dice_chance(dice, 40) ? size + one_of(dice, 1, UINT64_MAX, 4096, 2048) : size;
}

static uint64_t random_base(const NaiveSpace *space, uint64_t alignment, Dice *dice)
{
	uint64_t address = random_address(space, dice);

	return dice_chance(dice, 16) ? address : address / alignment * alignment;
}

/* --- arguments ------------------------------------------------------------------------------- */

static DriverReservation random_reservation(const NaiveSpace *space, Dice *dice)
{
	uint64_t leaf = naive_space_leaf_pages(space) * GPU_PAGE_SIZE;
	uint64_t alignment = dice_chance(dice, 2) ? 0 : leaf << dice_roll(dice, 5);

	if (dice_chance(dice, 24))
		alignment = one_of(dice, leaf / 2, leaf * 3, UINT64_C(1) << dice_roll(dice, 64),
				   leaf + 1);
	return (DriverReservation){
		.size = random_size(space, leaf, dice),
		.alignment = alignment,
		.base_address =
			dice_chance(dice, 2)
				? random_base(space, alignment > leaf ? alignment : leaf, dice)
				: 0,
		.allow_user_mode_mapping = !dice_chance(dice, 3),
	};
}

static Placement random_placement(const NaiveSpace *space, uint64_t granularity, Dice *dice)
{
	Placement placement = { .size = random_size(space, granularity, dice),
				.maximum = UINT64_MAX };

	if (dice_chance(dice, 2))
		placement.base_address = random_base(space, granularity, dice);
	if (dice_chance(dice, 3))
		placement.minimum = random_address(space, dice);
	if (dice_chance(dice, 3))
		placement.maximum = random_address(space, dice);
	if (dice_chance(dice, 2) && placement.minimum > placement.maximum) {
		uint64_t minimum = placement.maximum;
		placement.maximum = placement.minimum;
		placement.minimum = minimum;
	}
	return placement;
}

/* Returns a place inside a reservation, or a little beyond its end. */
static Placement random_placement_inside(const NaiveSpace *space, Dice *dice)
{
	const NaiveRange *range = random_range_of(
		space,
		dice_chance(dice, 2) ? GPU_RANGE_DRIVER_RESERVATION : GPU_RANGE_USER_RESERVATION,
		dice);
	uint64_t first = range->first, size = 1 + dice_roll(dice, 4);
	uint64_t room = range->end - range->first;

	if (dice_chance(dice, 2))
		first += dice_roll(dice, room > 64 ? 64 : room);
	else if (dice_chance(dice, 2))
		first += dice_roll(dice, room);
	if (dice_chance(dice, 6))
		size = range->end - first + (dice_chance(dice, 5) ? 1 : 0);
	return (Placement){ .size = size * GPU_PAGE_SIZE, .base_address = first * GPU_PAGE_SIZE };
}

static Mapping random_mapping(Dice *dice)
{
	Mapping mapping = {
		.protection = (GpuProtection)dice_roll(dice, GPU_PROTECTION_MAX),
		.has_allocation = true,
		.allocation = dice_roll(dice, 4),
		.offset = dice_roll(dice, 64) * GPU_PAGE_SIZE,
	};

	if (dice_chance(dice, 40))
		mapping.offset = one_of(dice, 1, UINT64_C(1) << 63, UINT64_MAX - 4095,
					(UINT64_C(1) << 63) - dice_roll(dice, 4) * GPU_PAGE_SIZE);
	if (mapping.protection >= GPU_PROTECTION_NO_ACCESS ? dice_chance(dice, 2)
							   : dice_chance(dice, 40))
		mapping.has_allocation = false;
	return mapping;
}

/* Chooses a part of a range to free: all of it, an end, the middle, or beyond its end. */
static void roll_cut(const NaiveSpace *space, SpaceOperation *operation, Dice *dice)
{
	const NaiveRange *range = random_range_of(
		space, dice_chance(dice, 2) ? GPU_RANGE_MAPPING : GPU_RANGE_USER_RESERVATION, dice);
	if (dice_chance(dice, 6))
		range = &space->ranges[space->range_count - 1];
	uint64_t first = range->first, end = range->end, pages = end - first;
	if (dice_chance(dice, 2))
		first += dice_roll(dice, pages > 48 && dice_chance(dice, 2) ? 48 : pages);
	if (dice_chance(dice, 2))
		end = first + 1 + dice_roll(dice, range->end - first);
	if (dice_chance(dice, 16))
		end += 1;
	if (dice_chance(dice, 24))
		first -= 1;
	operation->address = first * GPU_PAGE_SIZE;
	operation->size = (end - first) * GPU_PAGE_SIZE;
	if (dice_chance(dice, 24))
		operation->address = random_address(space, dice);
	if (dice_chance(dice, 24))
		operation->size = random_size(space, GPU_PAGE_SIZE, dice);
}

/* Returns an address for page table operations, mostly in a driver reservation. */
static uint64_t random_table_address(const NaiveSpace *space, Dice *dice)
{
	const NaiveRange *range = random_range_of(space, GPU_RANGE_DRIVER_RESERVATION, dice);
	uint64_t pages = range->end - range->first;

	if (dice_chance(dice, 8))
		return random_address(space, dice);
	if (pages > 4 * naive_space_leaf_pages(space))
		pages = 4 * naive_space_leaf_pages(space);
	return (range->first + dice_roll(dice, pages)) * GPU_PAGE_SIZE + dice_roll(dice, 4096);
}

static Payer random_payer(Dice *dice)
{
	return (Payer){ .uid = (uid_t)dice_roll(dice, NAIVE_UID_MAX),
			.is_operator = dice_chance(dice, 4),
			.is_daemon = dice_chance(dice, 6) };
}

static SpaceOperationKind roll_kind(SpacePhase phase, Dice *dice)
{
	unsigned int sum = 0;
	int kind = 0;

	for (int i = 0; i < SPACE_OPERATION_MAX; i++)
		sum += weights[phase][i];
	for (uint64_t roll = dice_roll(dice, sum); roll >= weights[phase][kind]; kind++)
		roll -= weights[phase][kind];
	return (SpaceOperationKind)kind;
}

SpaceOperation space_operation_roll(const NaiveSpace *space, SpacePhase phase, Dice *dice)
{
	SpaceOperation operation = { .kind = roll_kind(phase, dice), .payer = random_payer(dice) };

	switch (operation.kind) {
	case SPACE_RESERVE_FOR_DRIVER:
		operation.reservation = random_reservation(space, dice);
		break;
	case SPACE_RESERVE:
		operation.placement = random_placement(space, GPU_RESERVATION_GRANULARITY, dice);
		break;
	case SPACE_MAP:
		operation.placement = dice_chance(dice, 2)
					      ? random_placement(space, GPU_PAGE_SIZE, dice)
					      : random_placement_inside(space, dice);
		operation.mapping = random_mapping(dice);
		break;
	case SPACE_FREE:
		roll_cut(space, &operation, dice);
		break;
	case SPACE_TRANSLATE:
		operation.address = random_address(space, dice);
		break;
	default:
		operation.address = random_table_address(space, dice);
		operation.page_table_address = dice_roll(dice, 1000);
		break;
	}
	return operation;
}

void space_operation_print(const SpaceOperation *operation, FILE *file)
{
	const Placement *placement = &operation->placement;

	fprintf(file, "%s by %u%s:", space_operation_names[operation->kind], operation->payer.uid,
		operation->payer.is_daemon ? " (daemon)" : "");
	if (operation->kind == SPACE_RESERVE_FOR_DRIVER)
		fprintf(file, " size %#" PRIx64 " alignment %#" PRIx64 " base %#" PRIx64 "%s",
			operation->reservation.size, operation->reservation.alignment,
			operation->reservation.base_address,
			operation->reservation.allow_user_mode_mapping ? " allowed" : "");
	else if (operation->kind == SPACE_RESERVE || operation->kind == SPACE_MAP)
		fprintf(file,
			" size %#" PRIx64 " base %#" PRIx64 " minimum %#" PRIx64
			" maximum %#" PRIx64,
			placement->size, placement->base_address, placement->minimum,
			placement->maximum);
	else
		fprintf(file, " address %#" PRIx64 " size %#" PRIx64, operation->address,
			operation->size);
	if (operation->kind == SPACE_MAP)
		fprintf(file, " protection %d allocation %d %#" PRIx64 " offset %#" PRIx64,
			operation->mapping.protection, operation->mapping.has_allocation,
			operation->mapping.allocation, operation->mapping.offset);
	fprintf(file, "\n");
}
