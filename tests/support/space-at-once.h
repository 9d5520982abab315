/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_SPACE_AT_ONCE_H
#define TESTS_SUPPORT_SPACE_AT_ONCE_H

#include "daemon/core/va/address-space.h"

/*
 * Each function prepares an operation and commits it if that succeeds. For spaces that are not
 * persisted.
 */
NTSTATUS address_space_reserve(AddressSpace *space, const Payer *payer, const Placement *placement,
			       uint64_t *ret_address, Failure *failure);
NTSTATUS address_space_map(AddressSpace *space, const Payer *payer, const Placement *placement,
			   const Mapping *mapping, uint64_t *ret_address, Failure *failure);
NTSTATUS address_space_free(AddressSpace *space, const Payer *payer, uint64_t base_address,
			    uint64_t size, Failure *failure);
NTSTATUS address_space_set_entry(AddressSpace *space, const Payer *payer, uint64_t virtual_address,
				 uint64_t page_table_address, Failure *failure);

#endif
