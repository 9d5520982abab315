/* SPDX-License-Identifier: MIT */
/* The ranges of the naive address space: reserving, mapping and freeing. */
#include "tests/model/naive-space.h"

#include <assert.h>
#include <string.h>

/* --- layout ---------------------------------------------------------------------------------- */

static uint64_t pages_below(const NaiveSpace *space, unsigned int level)
{
	uint64_t pages = 1;

	for (unsigned int below = 0; below < level; below++)
		for (unsigned int bit = 0; bit < space->mmu.index_bits[below]; bit++)
			pages *= 2;
	return pages;
}

uint64_t naive_space_pages(const NaiveSpace *space)
{
	return pages_below(space, space->mmu.level_count);
}

uint64_t naive_space_leaf_pages(const NaiveSpace *space)
{
	return pages_below(space, 1);
}

uint64_t naive_space_table_pages(const NaiveSpace *space)
{
	return pages_below(space, 2);
}

uint64_t naive_space_root_entry_pages(const NaiveSpace *space)
{
	return pages_below(space, space->mmu.level_count - 1);
}

/* --- the list -------------------------------------------------------------------------------- */

static bool comes_before(const NaiveRange *a, const NaiveRange *b)
{
	return a->first < b->first || (a->first == b->first && !a->inside && b->inside);
}

const NaiveRange *naive_space_next(const NaiveSpace *space, const NaiveRange *last)
{
	for (size_t i = 0; i < space->range_count; i++)
		if (!last || comes_before(last, &space->ranges[i]))
			return &space->ranges[i];
	return NULL;
}

static void insert(NaiveSpace *space, const NaiveRange *range)
{
	size_t at = 0;

	assert(space->range_count < NAIVE_RANGE_MAX);
	while (at < space->range_count && comes_before(&space->ranges[at], range))
		at++;
	memmove(&space->ranges[at + 1], &space->ranges[at],
		(space->range_count - at) * sizeof(*range));
	space->ranges[at] = *range;
	space->range_count++;
}

static void remove_at(NaiveSpace *space, size_t at)
{
	space->range_count--;
	memmove(&space->ranges[at], &space->ranges[at + 1],
		(space->range_count - at) * sizeof(space->ranges[0]));
}

static bool overlaps(const NaiveRange *range, uint64_t first, uint64_t end)
{
	return range->first < end && first < range->end;
}

static bool encloses(const NaiveRange *range, uint64_t first, uint64_t end)
{
	return range->first <= first && end <= range->end;
}

/* Returns the lowest range of the layer that overlaps these pages, or NULL. */
static NaiveRange *find_overlapping(NaiveSpace *space, bool inside, uint64_t first, uint64_t end)
{
	for (size_t i = 0; i < space->range_count; i++)
		if (space->ranges[i].inside == inside && overlaps(&space->ranges[i], first, end))
			return &space->ranges[i];
	return NULL;
}

void naive_space_init(NaiveSpace *space, const GpuMmu *mmu, NaiveAccounts *naive_accounts,
		      uint64_t *events)
{
	space->mmu = *mmu;
	space->naive_accounts = naive_accounts;
	space->events = events;
	space->range_count = 0;
	space->driver_reservations = (NaiveTally){ .kind = LIMIT_DRIVER_RESERVATIONS };
	space->user_ranges = (NaiveTally){ .kind = LIMIT_USER_RANGES };
	insert(space, &(NaiveRange){ .end = naive_space_root_entry_pages(space),
				     .kind = GPU_RANGE_ROOT_ENTRY_ZERO });
	naive_tables_init(space);
}

void naive_space_deinit(NaiveSpace *space)
{
	NaiveTally *tallies[] = { &space->driver_reservations, &space->user_ranges,
				  &space->written };

	for (int i = 0; i < 3; i++)
		naive_tally_return(tallies[i], space->naive_accounts, tallies[i]->count);
}

/* --- choosing -------------------------------------------------------------------------------- */

typedef struct Request {
	uint64_t size;
	uint64_t alignment;
	uint64_t minimum;
	uint64_t maximum;
} Request;

static uint64_t round_up(uint64_t number, uint64_t unit)
{
	return (number / unit + (number % unit != 0)) * unit;
}

/*
 * Returns the lowest place in a gap that, clipped to the bounds, has at least gap_size pages; 0 if
 * none.
 */
static uint64_t lowest_place(const NaiveSpace *space, const Request *request, uint64_t gap_size)
{
	uint64_t begin = 0;

	for (size_t i = 0; i <= space->range_count; i++) {
		bool is_last = i == space->range_count;
		if (!is_last && space->ranges[i].inside)
			continue;
		uint64_t end = is_last ? naive_space_pages(space) : space->ranges[i].first;
		if (begin < request->minimum)
			begin = request->minimum;
		if (end > request->maximum)
			end = request->maximum;
		uint64_t first = round_up(begin, request->alignment);
		if (begin < end && end - begin >= gap_size && first < end &&
		    end - first >= request->size)
			return first;
		if (!is_last)
			begin = space->ranges[i].end;
	}
	return 0;
}

/* Page 0 is never free, so 0 means that no place fits. */
static uint64_t choose(NaiveSpace *space, const Request *request, uint64_t unit)
{
	uint64_t generous = lowest_place(space, request, request->size + request->alignment - unit);
	uint64_t tight = lowest_place(space, request, request->size);

	if (generous != 0)
		space->events[generous == tight ? NAIVE_CHOSE_GENEROUS_GAP
						: NAIVE_CHOSE_ABOVE_LOWEST_FIT]++;
	else
		space->events[tight != 0 ? NAIVE_CHOSE_TIGHT_GAP : NAIVE_FOUND_NO_GAP]++;
	return generous != 0 ? generous : tight;
}

/* --- reserving ------------------------------------------------------------------------------- */

static void add_fault(NaiveAnswer *answer, const char *parameter)
{
	answer->status = STATUS_INVALID_PARAMETER;
	answer->parameters[answer->parameter_count++] = parameter;
}

NaiveAnswer naive_fault(NTSTATUS status, const char *parameter)
{
	return (NaiveAnswer){ .status = status, .parameters = { parameter }, .parameter_count = 1 };
}

/* Checks size and base address, in bytes. */
static void check_values(const NaiveSpace *space, uint64_t size, uint64_t granularity,
			 uint64_t base, uint64_t alignment, NaiveAnswer *answer)
{
	uint64_t end = naive_space_pages(space) * GPU_PAGE_SIZE;
	uint64_t begin = naive_space_root_entry_pages(space) * GPU_PAGE_SIZE;

	if (size == 0 || size % granularity != 0)
		add_fault(answer, "sizeInBytes");
	if (base == 0)
		return;
	if (base % alignment != 0 || base < begin || base >= end || size > end - base)
		add_fault(answer, "baseAddress");
}

static void check_placement(const NaiveSpace *space, const Placement *placement,
			    uint64_t granularity, NaiveAnswer *answer)
{
	check_values(space, placement->size, granularity, placement->base_address, granularity,
		     answer);
	if (placement->base_address == 0 && placement->minimum > placement->maximum) {
		add_fault(answer, "minimumAddress");
		add_fault(answer, "maximumAddress");
	}
}

static NaiveAnswer take(NaiveSpace *space, const Payer *payer, NaiveRange *range, uint64_t size)
{
	range->end = range->first + size;
	if (find_overlapping(space, true, range->first, range->end) && !range->inside)
		assert(false && "a mapping outside its reservation");
	insert(space, range);
	naive_tally_take(range->kind == GPU_RANGE_DRIVER_RESERVATION ? &space->driver_reservations
								     : &space->user_ranges,
			 space->naive_accounts, payer);
	naive_tables_resize_root(space);
	bool to_the_end = range->end == naive_space_pages(space) ||
			  find_overlapping(space, range->inside, range->end, range->end + 1);
	if (to_the_end && find_overlapping(space, range->inside, range->first - 1, range->first))
		space->events[NAIVE_FILLED_GAP]++;
	return (NaiveAnswer){ .address = range->first * GPU_PAGE_SIZE };
}

/* Takes free pages at the base address, or chooses them. */
static NaiveAnswer take_free(NaiveSpace *space, const Payer *payer, uint64_t base,
			     const Request *request, uint64_t unit, NaiveRange *range)
{
	range->first = base != 0 ? base / GPU_PAGE_SIZE : choose(space, request, unit);
	if (range->first == 0)
		return (NaiveAnswer){ .status = STATUS_NO_MEMORY };
	if (find_overlapping(space, false, range->first, range->first + request->size))
		return naive_fault(STATUS_CONFLICTING_ADDRESSES, "baseAddress");
	return take(space, payer, range, request->size);
}

NaiveAnswer naive_space_reserve_for_driver(NaiveSpace *space, const Payer *payer,
					   const DriverReservation *reservation)
{
	uint64_t leaf = naive_space_leaf_pages(space) * GPU_PAGE_SIZE;
	uint64_t alignment = reservation->alignment != 0 ? reservation->alignment : leaf;
	bool is_power_of_two = (alignment & (alignment - 1)) == 0;
	NaiveAnswer answer = { 0 };

	check_values(space, reservation->size, leaf, reservation->base_address,
		     alignment > leaf ? alignment : leaf, &answer);
	if (!is_power_of_two || alignment % leaf != 0)
		add_fault(&answer, "alignment");
	if (answer.parameter_count > 0 ||
	    !naive_tally_allows(&space->driver_reservations, space->naive_accounts, payer, &answer,
				space->events))
		return answer;
	return take_free(
		space, payer, reservation->base_address,
		&(Request){ .size = reservation->size / GPU_PAGE_SIZE,
			    .alignment = alignment / GPU_PAGE_SIZE,
			    .maximum = naive_space_pages(space) },
		leaf / GPU_PAGE_SIZE,
		&(NaiveRange){ .kind = GPU_RANGE_DRIVER_RESERVATION,
			       .allow_user_mode_mapping = reservation->allow_user_mode_mapping });
}

/* The bounds are rounded inwards. */
static Request request_of(const Placement *placement, uint64_t granularity)
{
	return (Request){ .size = placement->size / GPU_PAGE_SIZE,
			  .alignment = granularity / GPU_PAGE_SIZE,
			  .minimum = placement->minimum / GPU_PAGE_SIZE +
				     (placement->minimum % GPU_PAGE_SIZE != 0),
			  .maximum = placement->maximum / GPU_PAGE_SIZE };
}

NaiveAnswer naive_space_reserve(NaiveSpace *space, const Payer *payer, const Placement *placement)
{
	Request request = request_of(placement, GPU_RESERVATION_GRANULARITY);
	NaiveAnswer answer = { 0 };

	check_placement(space, placement, GPU_RESERVATION_GRANULARITY, &answer);
	if (answer.parameter_count > 0 ||
	    !naive_tally_allows(&space->user_ranges, space->naive_accounts, payer, &answer,
				space->events))
		return answer;
	return take_free(space, payer, placement->base_address, &request, 1,
			 &(NaiveRange){ .kind = GPU_RANGE_USER_RESERVATION });
}

/* --- mapping --------------------------------------------------------------------------------- */

/* Maps at a base address: in free pages, or inside one reservation that allows it. */
static NaiveAnswer map_at(NaiveSpace *space, const Payer *payer, NaiveRange *range, uint64_t size)
{
	const NaiveAnswer conflict = naive_fault(STATUS_CONFLICTING_ADDRESSES, "baseAddress");
	uint64_t end = range->first + size;
	const NaiveRange *reservation = find_overlapping(space, false, range->first, end);

	range->inside = reservation != NULL;
	if (!reservation) {
		space->events[NAIVE_MAPPED_FREE]++;
		return take(space, payer, range, size);
	}
	bool is_driver = reservation->kind == GPU_RANGE_DRIVER_RESERVATION;
	if (!encloses(reservation, range->first, end) ||
	    find_overlapping(space, true, range->first, end) ||
	    (reservation->kind != GPU_RANGE_USER_RESERVATION &&
	     !(is_driver && reservation->allow_user_mode_mapping)))
		return conflict;
	if (is_driver && naive_tables_has_entry(space, range->first, end)) {
		space->events[NAIVE_MET_DRIVERS_ENTRY]++;
		return conflict;
	}
	space->events[is_driver ? NAIVE_MAPPED_IN_DRIVER_RESERVATION
				: NAIVE_MAPPED_IN_USER_RESERVATION]++;
	return take(space, payer, range, size);
}

NaiveAnswer naive_space_map(NaiveSpace *space, const Payer *payer, const Placement *placement,
			    const Mapping *mapping)
{
	bool needs_allocation = mapping->protection == GPU_PROTECTION_READ ||
				mapping->protection == GPU_PROTECTION_READ_WRITE;
	Request request = request_of(placement, GPU_PAGE_SIZE);
	NaiveAnswer answer = { 0 };

	check_placement(space, placement, GPU_PAGE_SIZE, &answer);
	if (needs_allocation && !mapping->has_allocation)
		add_fault(&answer, "allocation");
	/* Its end must not exceed 2^63 - 1 either. */
	if (!mapping->has_allocation && mapping->offset > 0)
		add_fault(&answer, "offsetInBytes");
	if (mapping->offset % GPU_PAGE_SIZE != 0 || mapping->offset > INT64_MAX ||
	    placement->size > INT64_MAX - mapping->offset)
		add_fault(&answer, "offsetInBytes");
	if (answer.parameter_count > 0 ||
	    !naive_tally_allows(&space->user_ranges, space->naive_accounts, payer, &answer,
				space->events))
		return answer;
	NaiveRange range = { .first = placement->base_address / GPU_PAGE_SIZE,
			     .kind = GPU_RANGE_MAPPING,
			     .protection = mapping->protection,
			     .has_allocation = mapping->has_allocation,
			     .allocation = mapping->allocation,
			     .offset = mapping->offset / GPU_PAGE_SIZE };
	if (placement->base_address == 0)
		return take_free(space, payer, 0, &request, 1, &range);
	return map_at(space, payer, &range, request.size);
}

/* --- freeing --------------------------------------------------------------------------------- */

/* Removes pages from a range. The second range of a split has been charged already. */
static void cut(NaiveSpace *space, size_t at, uint64_t first, uint64_t end)
{
	const NaiveRange whole = space->ranges[at];
	bool keeps_front = whole.first < first, keeps_back = end < whole.end;

	if (keeps_front)
		space->ranges[at].end = first;
	else
		remove_at(space, at);
	if (keeps_back) {
		NaiveRange back = whole;
		back.first = end;
		if (back.kind == GPU_RANGE_MAPPING)
			back.offset += end - whole.first;
		insert(space, &back);
	}
	if (!keeps_front && !keeps_back)
		naive_tally_return(&space->user_ranges, space->naive_accounts, 1);
}

/* Removes these pages from the mappings inside the reservation. */
static void cut_inner_mappings(NaiveSpace *space, uint64_t first, uint64_t end)
{
	const NaiveRange *range;

	while ((range = find_overlapping(space, true, first, end))) {
		space->events[encloses(&(NaiveRange){ .first = first, .end = end }, range->first,
				       range->end)
				      ? NAIVE_REMOVED_UNDER_RESERVATION
				      : NAIVE_TRIMMED_UNDER_RESERVATION]++;
		cut(space, (size_t)(range - space->ranges), first, end);
	}
}

/* Returns the mapping or else the user reservation that contains all the pages, or NULL. */
static const NaiveRange *find_enclosing(const NaiveSpace *space, uint64_t first, uint64_t end)
{
	static const GpuRangeKind kinds[] = { GPU_RANGE_MAPPING, GPU_RANGE_USER_RESERVATION };

	for (int kind = 0; kind < 2; kind++)
		for (size_t i = 0; i < space->range_count; i++)
			if (space->ranges[i].kind == kinds[kind] &&
			    encloses(&space->ranges[i], first, end))
				return &space->ranges[i];
	return NULL;
}

static NaiveEvent event_of_cut(const NaiveRange *range, uint64_t first, uint64_t end)
{
	if (range->first < first && end < range->end)
		return range->kind == GPU_RANGE_MAPPING ? NAIVE_SPLIT_MAPPING
							: NAIVE_SPLIT_RESERVATION;
	if (range->first < first)
		return NAIVE_TRIMMED_BACK;
	return end < range->end ? NAIVE_TRIMMED_FRONT : NAIVE_REMOVED;
}

NaiveAnswer naive_space_free(NaiveSpace *space, const Payer *payer, uint64_t base_address,
			     uint64_t size)
{
	uint64_t bytes = naive_space_pages(space) * GPU_PAGE_SIZE;
	uint64_t first = base_address / GPU_PAGE_SIZE, end = first + size / GPU_PAGE_SIZE;
	const NaiveRange *range = NULL;
	NaiveAnswer answer = { 0 };

	if (size == 0 || size % GPU_PAGE_SIZE != 0)
		add_fault(&answer, "sizeInBytes");
	if (base_address % GPU_PAGE_SIZE != 0)
		add_fault(&answer, "baseAddress");
	if (answer.parameter_count > 0)
		return answer;
	if (base_address < bytes && size <= bytes - base_address)
		range = find_enclosing(space, first, end);
	if (!range) {
		add_fault(&answer, "baseAddress");
		add_fault(&answer, "sizeInBytes");
		return answer;
	}
	NaiveEvent event = event_of_cut(range, first, end);
	bool splits = event == NAIVE_SPLIT_MAPPING || event == NAIVE_SPLIT_RESERVATION;
	if (splits && !naive_tally_allows(&space->user_ranges, space->naive_accounts, payer,
					  &answer, space->events)) {
		space->events[NAIVE_REFUSED_SPLIT]++;
		return answer;
	}
	if (splits)
		naive_tally_take(&space->user_ranges, space->naive_accounts, payer);
	space->events[event]++;
	if (range->kind == GPU_RANGE_USER_RESERVATION)
		cut_inner_mappings(space, first, end);
	/* The mappings inside come later in the list, so range has not moved. */
	cut(space, (size_t)(range - space->ranges), first, end);
	naive_tables_resize_root(space);
	return answer;
}
