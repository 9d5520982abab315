/* SPDX-License-Identifier: MIT */
/* Compares an address space with the naive one: results, counts, ranges and translations. */
#include "tests/model/compare-space.h"

#include <string.h>

#include "tests/support/space-at-once.h"

/* --- results --------------------------------------------------------------------------------- */

static const char *compare_failure(const Failure *failure, const NaiveAnswer *answer)
{
	bool is_named = answer->parameter_count == 0 && failure->parameter[0] == '\0';

	if (failure->status != answer->status)
		return "status in the failure";
	if (failure->message[0] == '\0')
		return "a failure without a message";
	for (size_t i = 0; i < answer->parameter_count; i++)
		is_named |= strcmp(failure->parameter, answer->parameters[i]) == 0;
	if (!is_named)
		return "parameter in error";
	if (answer->status != STATUS_QUOTA_EXCEEDED)
		return NULL;
	if (!failure->limit || strcmp(failure->limit, answer->limit) != 0)
		return "limit";
	if (failure->maximum != answer->maximum)
		return "maximum of the limit";
	return failure->used == answer->used ? NULL : "use of the limit";
}

static const char *compare_translation(const Translation *translation, const Translation *naive)
{
	if (translation->state != naive->state)
		return "state of a translation";
	if (naive->state == TRANSLATION_DRIVER_PAGE_TABLE &&
	    translation->page_table_address != naive->page_table_address)
		return "page table of a translation";
	if (naive->state != TRANSLATION_MAPPED)
		return NULL;
	if (translation->protection != naive->protection)
		return "protection of a translation";
	if (translation->has_allocation != naive->has_allocation)
		return "whether a translation has an allocation";
	if (!naive->has_allocation)
		return NULL;
	if (translation->allocation != naive->allocation)
		return "allocation of a translation";
	return translation->offset == naive->offset ? NULL : "offset of a translation";
}

static const char *compare_walk(const SpacePair *pair, uint64_t address, NaiveAnswer *answer,
				Translation *ret_naive)
{
	Failure failure = FAILURE_INIT;
	Translation translation = { .state = TRANSLATION_MAX };
	NTSTATUS status = address_space_translate(&pair->space, address, &translation, &failure);

	*answer = naive_space_translate(pair->naive, address, ret_naive);
	if (status != answer->status)
		return "status of a translation";
	if (status != STATUS_SUCCESS)
		return compare_failure(&failure, answer);
	return compare_translation(&translation, ret_naive);
}

/* The results of an operation besides its status. */
typedef struct Results {
	uint64_t address;
	bool became_resident;
} Results;

static NTSTATUS apply(AddressSpace *space, const SpaceOperation *operation, Results *results,
		      Failure *failure)
{
	const Payer *payer = &operation->payer;

	switch (operation->kind) {
	case SPACE_RESERVE_FOR_DRIVER:
		return address_space_reserve_for_driver(space, payer, &operation->reservation,
							&results->address, failure);
	case SPACE_RESERVE:
		return address_space_reserve(space, payer, &operation->placement, &results->address,
					     failure);
	case SPACE_MAP:
		return address_space_map(space, payer, &operation->placement, &operation->mapping,
					 &results->address, failure);
	case SPACE_FREE:
		return address_space_free(space, payer, operation->address, operation->size,
					  failure);
	case SPACE_SET_ENTRY:
		return address_space_set_entry(space, payer, operation->address,
					       operation->page_table_address, failure);
	case SPACE_EVICT:
		return address_space_evict(space, payer, operation->address, failure);
	default:
		return address_space_make_resident(space, operation->address,
						   &results->became_resident, &results->address,
						   failure);
	}
}

static NaiveAnswer apply_to_naive(NaiveSpace *naive, const SpaceOperation *operation)
{
	const Payer *payer = &operation->payer;

	switch (operation->kind) {
	case SPACE_RESERVE_FOR_DRIVER:
		return naive_space_reserve_for_driver(naive, payer, &operation->reservation);
	case SPACE_RESERVE:
		return naive_space_reserve(naive, payer, &operation->placement);
	case SPACE_MAP:
		return naive_space_map(naive, payer, &operation->placement, &operation->mapping);
	case SPACE_FREE:
		return naive_space_free(naive, payer, operation->address, operation->size);
	case SPACE_SET_ENTRY:
		return naive_space_set_entry(naive, payer, operation->address,
					     operation->page_table_address);
	case SPACE_EVICT:
		return naive_space_evict(naive, payer, operation->address);
	default:
		return naive_space_make_resident(naive, operation->address);
	}
}

const char *space_pair_apply(SpacePair *pair, const SpaceOperation *operation,
			     NaiveAnswer *ret_answer)
{
	const Results untouched = { .address = 0x5a5a };
	Results results = untouched;
	Failure failure = FAILURE_INIT;
	Translation naive;

	if (operation->kind == SPACE_TRANSLATE)
		return compare_walk(pair, operation->address, ret_answer, &naive);
	NTSTATUS status = apply(&pair->space, operation, &results, &failure);
	*ret_answer = apply_to_naive(pair->naive, operation);
	if (status != ret_answer->status)
		return "status";
	if (status != STATUS_SUCCESS) {
		if (results.address != untouched.address || results.became_resident)
			return "results changed by a failure";
		return compare_failure(&failure, ret_answer);
	}
	if (results.became_resident != ret_answer->became_resident)
		return "whether the table became resident";
	if (results.address != untouched.address && results.address != ret_answer->address)
		return "address";
	bool gives_address = operation->kind <= SPACE_MAP || results.became_resident;
	return gives_address && results.address == untouched.address ? "no address" : NULL;
}

/* --- states ---------------------------------------------------------------------------------- */

const char *space_pair_compare_counts(const SpacePair *pair)
{
	const AddressSpace *space = &pair->space;
	const NaiveSpace *naive = pair->naive;

	if (address_space_range_count(space) != naive->range_count)
		return "count of ranges";
	if (address_space_root_generation(space) != naive->root_generation)
		return "generation of the root table";
	if (space->page_tables.root_entries != naive->root_entries)
		return "size of the root table";
	if (space->driver_reservations.count != naive->driver_reservations.count)
		return "count of driver reservations";
	if (space->user_ranges.count != naive->user_ranges.count)
		return "count of user ranges";
	return space->page_tables.written.count == naive->written.count
		       ? NULL
		       : "count of written entries";
}

static const char *compare_range(const GpuRange *range, const NaiveRange *naive)
{
	if (!range || !naive)
		return range ? "an unexpected range" : naive ? "a missing range" : NULL;
	if (range->range.first != naive->first || range->range.end != naive->end)
		return "position of a range";
	if (range->kind != naive->kind)
		return "kind of a range";
	if (naive->kind == GPU_RANGE_DRIVER_RESERVATION &&
	    range->allow_user_mode_mapping != naive->allow_user_mode_mapping)
		return "whether a reservation allows mappings";
	if (naive->kind != GPU_RANGE_MAPPING)
		return NULL;
	if (range->protection != naive->protection)
		return "protection of a range";
	if (range->has_allocation != naive->has_allocation)
		return "whether a range has an allocation";
	if (!naive->has_allocation)
		return NULL;
	if (range->allocation != naive->allocation)
		return "allocation of a range";
	return range->offset == naive->offset * GPU_PAGE_SIZE ? NULL : "offset of a range";
}

const char *space_pair_visit_next(SpacePair *pair)
{
	const GpuRange *range = address_space_next(&pair->space, &pair->cursor);
	const NaiveRange *naive =
		naive_space_next(pair->naive, pair->visited.end != 0 ? &pair->visited : NULL);
	const char *difference = compare_range(range, naive);

	if (naive) {
		pair->visited = *naive;
	} else {
		pair->visited.end = 0;
		pair->cursor = 0;
	}
	return difference;
}

/* Compares translations just before a page, in it and at its end. */
static const char *compare_walks_around(const SpacePair *pair, uint64_t page, uint64_t *states)
{
	const uint64_t address = page * GPU_PAGE_SIZE;
	const uint64_t addresses[] = { address - 1, address, address + 1, address + 4095,
				       address + 4096 };
	const char *difference = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(addresses) && !difference; i++) {
		NaiveAnswer answer;
		Translation naive = { 0 };

		difference = compare_walk(pair, addresses[i], &answer, &naive);
		states[naive.state] += answer.status == STATUS_SUCCESS;
	}
	return difference;
}

const char *space_pair_compare_all(const SpacePair *pair, uint64_t *states)
{
	const NaiveSpace *naive = pair->naive;
	const char *difference = NULL;
	uint64_t cursor = 0;

	for (size_t i = 0; i < naive->range_count && !difference; i++)
		difference =
			compare_range(address_space_next(&pair->space, &cursor), &naive->ranges[i]);
	if (!difference)
		difference = compare_range(address_space_next(&pair->space, &cursor), NULL);
	for (size_t i = 0; i < naive->range_count && !difference; i++)
		difference = compare_walks_around(pair, naive->ranges[i].first, states);
	for (size_t i = 0; i < naive->range_count && !difference; i++)
		difference = compare_walks_around(pair, naive->ranges[i].end, states);
	for (size_t i = 0; i < naive->entry_count && !difference; i++)
		difference = compare_walks_around(
			pair, naive->entries[i].number * naive_space_leaf_pages(naive), states);
	return difference;
}

const char *accounts_compare(Accounts *accounts, const NaiveAccounts *naive_accounts)
{
	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		if (accounts->used[kind] != naive_accounts_used(naive_accounts, (LimitKind)kind))
			return "use of a limit by all";
		for (unsigned int i = 0; i < 2 * NAIVE_UID_MAX; i++) {
			const Payer payer = { .uid = i / 2, .is_operator = i % 2 };
			if (accounts_used(accounts, &payer, (LimitKind)kind) !=
			    naive_accounts->used[payer.uid][payer.is_operator][kind])
				return "use of a limit by a payer";
		}
	}
	return NULL;
}
