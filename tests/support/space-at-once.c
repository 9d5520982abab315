/* SPDX-License-Identifier: MIT */
#include "tests/support/space-at-once.h"

static NTSTATUS commit(AddressSpace *space, SpaceChange *change, NTSTATUS status,
		       uint64_t *ret_address)
{
	if (status != STATUS_SUCCESS)
		return status;
	*ret_address = pages_to_bytes(change->place.first);
	address_space_commit(space, change, NULL, NULL);
	return STATUS_SUCCESS;
}

NTSTATUS address_space_reserve(AddressSpace *space, const Payer *payer, const Placement *placement,
			       uint64_t *ret_address, Failure *failure)
{
	SpaceChange change;
	NTSTATUS status = address_space_prepare_reserve(space, payer, placement, &change, failure);

	return commit(space, &change, status, ret_address);
}

NTSTATUS address_space_map(AddressSpace *space, const Payer *payer, const Placement *placement,
			   const Mapping *mapping, uint64_t *ret_address, Failure *failure)
{
	SpaceChange change;
	NTSTATUS status =
		address_space_prepare_map(space, payer, placement, mapping, &change, failure);

	return commit(space, &change, status, ret_address);
}

NTSTATUS address_space_free(AddressSpace *space, const Payer *payer, uint64_t base_address,
			    uint64_t size, Failure *failure)
{
	SpaceChange change;
	NTSTATUS status =
		address_space_prepare_free(space, payer, base_address, size, &change, failure);

	if (status == STATUS_SUCCESS)
		address_space_commit(space, &change, NULL, NULL);
	return status;
}

NTSTATUS address_space_set_entry(AddressSpace *space, const Payer *payer, uint64_t virtual_address,
				 uint64_t page_table_address, Failure *failure)
{
	EntryChange change;
	NTSTATUS status = address_space_prepare_entry(space, payer, virtual_address,
						      page_table_address, &change, failure);

	if (status == STATUS_SUCCESS)
		address_space_commit_entry(space, &change);
	return status;
}
