/* SPDX-License-Identifier: MIT */
/*
 * The page tables of the naive address space: entries, eviction, the root table's size and
 * translation.
 */
#include "tests/model/naive-space.h"

#include <assert.h>

/* Returns the root table's size with two levels: the power of two that the highest range needs. */
static uint64_t root_entries_needed(const NaiveSpace *space)
{
	uint64_t needed = 2, highest = 0;

	if (space->mmu.level_count != 2)
		return 0;
	for (size_t i = 0; i < space->range_count; i++)
		if (space->ranges[i].end > highest)
			highest = space->ranges[i].end;
	while (needed * naive_space_leaf_pages(space) < highest)
		needed *= 2;
	return needed;
}

void naive_tables_init(NaiveSpace *space)
{
	space->entry_count = 0;
	space->evicted_count = 0;
	space->written = (NaiveTally){ .kind = LIMIT_PAGE_TABLE_ENTRIES };
	space->root_entries = root_entries_needed(space);
	space->root_generation = 0;
}

static void invalidate(NaiveSpace *space, uint64_t table)
{
	uint64_t entries = naive_space_table_pages(space) / naive_space_leaf_pages(space);

	for (size_t i = 0; i < space->entry_count; i++) {
		FakeStoreEntry *entry = &space->entries[i];
		if (entry->number / entries != table || !entry->is_valid)
			continue;
		entry->is_valid = false;
		space->events[NAIVE_INVALIDATED_ENTRY]++;
	}
}

void naive_tables_resize_root(NaiveSpace *space)
{
	uint64_t needed = root_entries_needed(space);

	if (needed == space->root_entries)
		return;
	space->events[needed > space->root_entries ? NAIVE_ROOT_GREW : NAIVE_ROOT_SHRANK]++;
	if (space->evicted_count > 0)
		space->events[NAIVE_ROOT_DROPPED_EVICTION]++;
	naive_tally_return(&space->written, space->naive_accounts, space->evicted_count);
	space->evicted_count = 0;
	invalidate(space, 0);
	space->root_entries = needed;
	space->root_generation++;
}

static FakeStoreEntry *find_entry(NaiveSpace *space, uint64_t page)
{
	for (size_t i = 0; i < space->entry_count; i++)
		if (space->entries[i].number == page / naive_space_leaf_pages(space))
			return &space->entries[i];
	return NULL;
}

bool naive_tables_has_entry(const NaiveSpace *space, uint64_t first_page, uint64_t end_page)
{
	uint64_t leaf = naive_space_leaf_pages(space);

	for (size_t i = 0; i < space->entry_count; i++) {
		uint64_t first = space->entries[i].number * leaf;
		if (first < end_page && first_page < first + leaf)
			return true;
	}
	return false;
}

/*
 * Returns the index of the page's table among the evicted ones, or their count if it is resident.
 */
static size_t find_evicted(const NaiveSpace *space, uint64_t page)
{
	size_t i = 0;

	while (i < space->evicted_count &&
	       space->evicted[i] != page / naive_space_table_pages(space))
		i++;
	return i;
}

static bool is_evicted(const NaiveSpace *space, uint64_t page)
{
	return find_evicted(space, page) < space->evicted_count;
}

static const NaiveRange *find_range(const NaiveSpace *space, bool inside, uint64_t page)
{
	for (size_t i = 0; i < space->range_count; i++) {
		const NaiveRange *range = &space->ranges[i];
		if (range->inside == inside && range->first <= page && page < range->end)
			return range;
	}
	return NULL;
}

/* Tests whether anything is mapped under the entry of a page in a reservation. */
static bool is_managers_entry(const NaiveSpace *space, uint64_t page)
{
	uint64_t leaf = naive_space_leaf_pages(space), first = page / leaf * leaf;

	for (size_t i = 0; i < space->range_count; i++) {
		const NaiveRange *range = &space->ranges[i];
		if (range->inside && range->first < first + leaf && first < range->end)
			return true;
	}
	return false;
}

static bool is_past_the_end(const NaiveSpace *space, uint64_t virtual_address)
{
	return virtual_address / GPU_PAGE_SIZE >= naive_space_pages(space);
}

NaiveAnswer naive_space_set_entry(NaiveSpace *space, const Payer *payer, uint64_t virtual_address,
				  uint64_t page_table_address)
{
	uint64_t page = virtual_address / GPU_PAGE_SIZE;
	NaiveAnswer answer = { 0 };

	if (is_past_the_end(space, virtual_address))
		return naive_fault(STATUS_INVALID_PARAMETER, "virtualAddress");
	if (is_evicted(space, page))
		return (NaiveAnswer){ .status = STATUS_INVALID_DEVICE_STATE };
	const NaiveRange *range = find_range(space, false, page);
	if (!range || range->kind != GPU_RANGE_DRIVER_RESERVATION)
		return naive_fault(STATUS_INVALID_PARAMETER, "virtualAddress");
	FakeStoreEntry *entry = find_entry(space, page);
	if (!entry && !naive_tally_allows(&space->written, space->naive_accounts, payer, &answer,
					  space->events))
		return answer;
	if (is_managers_entry(space, page)) {
		space->events[NAIVE_MET_MANAGERS_ENTRY]++;
		return naive_fault(STATUS_CONFLICTING_ADDRESSES, "virtualAddress");
	}
	if (entry) {
		space->events[NAIVE_SET_AGAIN]++;
	} else {
		assert(space->entry_count < NAIVE_ENTRY_MAX);
		naive_tally_take(&space->written, space->naive_accounts, payer);
		entry = &space->entries[space->entry_count++];
	}
	*entry = (FakeStoreEntry){ .number = page / naive_space_leaf_pages(space),
				   .page_table_address = page_table_address,
				   .is_valid = true };
	return answer;
}

/* Tests whether a level-1 table can cover the address. */
static bool has_table(const NaiveSpace *space, uint64_t virtual_address)
{
	bool in_entry_zero = virtual_address / GPU_PAGE_SIZE < naive_space_root_entry_pages(space);

	return !is_past_the_end(space, virtual_address) &&
	       !(in_entry_zero && space->mmu.level_count > 2);
}

NaiveAnswer naive_space_evict(NaiveSpace *space, const Payer *payer, uint64_t virtual_address)
{
	uint64_t page = virtual_address / GPU_PAGE_SIZE;
	NaiveAnswer answer = { 0 };

	if (!has_table(space, virtual_address))
		return naive_fault(STATUS_INVALID_PARAMETER, "virtualAddress");
	if (is_evicted(space, page)) {
		space->events[NAIVE_EVICTED_AGAIN]++;
		return answer;
	}
	if (!naive_tally_allows(&space->written, space->naive_accounts, payer, &answer,
				space->events))
		return answer;
	assert(space->evicted_count < NAIVE_ENTRY_MAX);
	naive_tally_take(&space->written, space->naive_accounts, payer);
	space->evicted[space->evicted_count++] = page / naive_space_table_pages(space);
	return answer;
}

NaiveAnswer naive_space_make_resident(NaiveSpace *space, uint64_t virtual_address)
{
	uint64_t page = virtual_address / GPU_PAGE_SIZE;
	uint64_t table = page / naive_space_table_pages(space);
	NaiveAnswer answer = { 0 };

	if (!has_table(space, virtual_address))
		return naive_fault(STATUS_INVALID_PARAMETER, "virtualAddress");
	answer.address = table * naive_space_table_pages(space) * GPU_PAGE_SIZE;
	answer.became_resident = is_evicted(space, page);
	if (!answer.became_resident)
		return answer;
	space->evicted[find_evicted(space, page)] = space->evicted[space->evicted_count - 1];
	space->evicted_count--;
	naive_tally_return(&space->written, space->naive_accounts, 1);
	invalidate(space, table);
	return answer;
}

NaiveAnswer naive_space_translate(const NaiveSpace *space, uint64_t virtual_address,
				  Translation *ret)
{
	uint64_t page = virtual_address / GPU_PAGE_SIZE;

	if (is_past_the_end(space, virtual_address))
		return naive_fault(STATUS_INVALID_PARAMETER, "virtualAddress");
	*ret = (Translation){ .state = TRANSLATION_INVALID };
	const NaiveRange *range = find_range(space, false, page);
	if (!range || range->kind == GPU_RANGE_ROOT_ENTRY_ZERO)
		return (NaiveAnswer){ 0 };
	if (is_evicted(space, page)) {
		ret->state = TRANSLATION_NOT_RESIDENT;
		return (NaiveAnswer){ 0 };
	}
	const NaiveRange *mapping = find_range(space, true, page);
	if (!mapping && range->kind == GPU_RANGE_MAPPING)
		mapping = range;
	const FakeStoreEntry *entry = find_entry((NaiveSpace *)space, page);
	if (mapping)
		*ret = (Translation){ .state = TRANSLATION_MAPPED,
				      .protection = mapping->protection,
				      .has_allocation = mapping->has_allocation,
				      .allocation = mapping->allocation,
				      .offset = mapping->offset * GPU_PAGE_SIZE + virtual_address -
						mapping->first * GPU_PAGE_SIZE };
	else if (range->kind == GPU_RANGE_USER_RESERVATION)
		ret->state = TRANSLATION_USER_RESERVED;
	else if (entry && entry->is_valid)
		*ret = (Translation){ .state = TRANSLATION_DRIVER_PAGE_TABLE,
				      .page_table_address = entry->page_table_address };
	else
		ret->state = TRANSLATION_RESERVED;
	return (NaiveAnswer){ 0 };
}
