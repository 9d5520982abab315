/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/claim.h"

static bool is_self(const FleetIndex *index, const FleetEntry *where)
{
	return handle_compare(&where->value.where.host, &index->self) == 0;
}

bool claim_is_live(const FleetIndex *index, const FleetEntry *where)
{
	if (!where)
		return false;
	const FleetKey key = fleet_key_vm(&where->key.vm, &where->value.where.host);
	const FleetEntry *vm = fleet_index_find(index, &key);

	return vm && vm->value.vm.state != FLEET_VM_INCOMING &&
	       vm->value.vm.state != FLEET_VM_ENDED;
}

FleetVmState claim_state(const FleetIndex *index, const Guid *vm, ClaimMemory *memory)
{
	const FleetEntry *where = fleet_index_where(index, vm);

	if (where && is_self(index, where)) {
		memory->has_held = true;
		return FLEET_VM_RUNNING;
	}
	if (!claim_is_live(index, where))
		return FLEET_VM_RUNNING;
	return memory->has_held || memory->has_tried ? FLEET_VM_CONFLICT : FLEET_VM_INCOMING;
}

bool claim_is_missing(const FleetIndex *index, const Guid *vm)
{
	const FleetEntry *where = fleet_index_where(index, vm);

	return !where || !is_self(index, where);
}

bool claim_is_left_over(const FleetIndex *index, const Guid *vm)
{
	const FleetEntry *where = fleet_index_where(index, vm), *entry;

	if (!where || !is_self(index, where))
		return false;
	for (entry = fleet_index_first_of_vm(index, vm); entry;
	     entry = fleet_index_next_of_vm(entry))
		if (handle_compare(&entry->key.host, &index->self) != 0)
			return false;
	return true;
}
