/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/model/claim.h"

static bool is_self(const FleetIndex *index, const FleetEntry *where)
{
	return handle_compare(&where->value.where.host, &index->self) == 0;
}

/* Tests whether the host is there, with its vaild. */
static bool is_present(const FleetIndex *index, const HostId *host)
{
	const FleetEntry *entry = fleet_index_host(index, host);

	return entry && !entry->value.host.is_vaild_away;
}

void claim_recall(const FleetIndex *index, const Guid *vm, ClaimMemory *memory)
{
	const FleetEntry *where = fleet_index_where(index, vm);
	const FleetKey key = fleet_key_vm(vm, &index->self);
	const FleetEntry *own = fleet_index_find(index, &key);

	if (own)
		memory->has_held |= own->value.vm.state == FLEET_VM_RUNNING ||
				    own->value.vm.state == FLEET_VM_CONFLICT;
	else if (where)
		memory->has_held |= handle_compare(&where->value.where.previous, &index->self) == 0;
}

uint64_t claim_time(const FleetIndex *index, const FleetEntry *where, uint64_t patience)
{
	if (!where)
		return 0;
	const FleetKey key = fleet_key_vm(&where->key.vm, &where->value.where.host);
	const FleetEntry *vm = fleet_index_find(index, &key);

	if (vm)
		return vm->value.vm.state == FLEET_VM_INCOMING ||
				       vm->value.vm.state == FLEET_VM_ENDED
			       ? 0
			       : UINT64_MAX;
	return is_present(index, &where->value.where.host) ? 0
							   : where->unreachable_since + patience;
}

FleetVmState claim_state(const FleetIndex *index, const Guid *vm, uint64_t time, uint64_t now,
			 ClaimMemory *memory)
{
	const FleetEntry *where = fleet_index_where(index, vm);

	if (where && is_self(index, where)) {
		memory->has_held = true;
		return FLEET_VM_RUNNING;
	}
	if (now >= time)
		return FLEET_VM_RUNNING;
	return memory->has_held || memory->has_tried ? FLEET_VM_CONFLICT : FLEET_VM_INCOMING;
}

uint64_t claim_conflict_time(FleetVmState state, FleetGuest guest, uint64_t time, uint64_t now,
			     ClaimMemory *memory)
{
	if (state != FLEET_VM_INCOMING || guest != FLEET_GUEST_RUNNING || time < UINT64_MAX) {
		memory->runs_twice_since = 0;
		return UINT64_MAX;
	}
	if (memory->runs_twice_since == 0)
		memory->runs_twice_since = now;
	return memory->runs_twice_since + CLAIM_OVERLAP_MAX;
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
