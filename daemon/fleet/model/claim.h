/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_CLAIM_H
#define DAEMON_FLEET_MODEL_CLAIM_H

#include "daemon/fleet/model/facts.h"
#include "daemon/fleet/model/index.h"

/*
 * The rules of where/GUID, which says what host has a VM.
 *
 * A host has a VM according to where/GUID and its own key vms/GUID/HOST. A host claims where/GUID
 * by compare-and-swap, so its revision is an epoch that grows with each change. It does so for a VM
 * that it runs, if there is no where/GUID, or if the host there has no VM any more: its key says
 * "incoming" or "ended", or is absent although the host and its vaild are there. If that host is
 * away itself, its VM may still run, and the claim waits until the host has been away for a time. A
 * host puts its own key after those of its VMs, so one that comes back is there with its VMs.
 *
 * A migration therefore needs no message between the hosts. The destination registers the VM, and
 * is "incoming" while the source has it. When the VM ends on the source, its key goes, and the
 * destination claims. If vail-qemu tells what the VMMs do, the destination does not claim while its
 * VMM waits for the guest, and the source says "ended" as soon as its VMM has sent it away.
 *
 * A host whose VM runs although another host has it is in "conflict": it has lost a swap, or had
 * the VM before the other one, or both VMMs say for a while that the guest runs. Nothing is ever
 * granted or taken because of that; it is shown.
 */

/*
 * The memory of one VM that this host runs. It lasts as long as the VM runs here, or until its VMM
 * waits for the guest again.
 */
typedef struct ClaimMemory {
	bool has_tried;            /* it has sent a swap */
	bool has_held;             /* where/GUID has named it */
	uint64_t runs_twice_since; /* the guest runs here and on another host; 0 if not */
} ClaimMemory;

/*
 * Milliseconds for which both VMMs may say that the guest runs. At the end of a migration, news
 * from the source may come later than those from the destination.
 */
#define CLAIM_OVERLAP_MAX 5000

/*
 * Finds out whether where/GUID has named this host for a VM that ran before vaild-fleet started:
 * the host's own key says so as long as the lease of its earlier life lasts, and where/GUID tells
 * from whom the present host has claimed the VM.
 */
void claim_recall(const FleetIndex *index, const Guid *vm, ClaimMemory *memory);

/*
 * Finds when another host may claim the VM from the host that where/GUID names, if nothing changes.
 * patience: milliseconds for which that host may be away. Returns 0 for now, and UINT64_MAX for
 * never. where may be NULL.
 */
uint64_t claim_time(const FleetIndex *index, const FleetEntry *where, uint64_t patience);

/*
 * Returns the state to be shown of a VM that runs on this host, and updates the memory. time: of
 * claim_time().
 */
FleetVmState claim_state(const FleetIndex *index, const Guid *vm, uint64_t time, uint64_t now,
			 ClaimMemory *memory);

/*
 * Finds when a VM that waits here has to be shown in conflict, because its guest runs here and on
 * the host that where/GUID names. state: of claim_state(). guest: here. time: of claim_time().
 * Updates the memory. Returns UINT64_MAX for never.
 */
uint64_t claim_conflict_time(FleetVmState state, FleetGuest guest, uint64_t time, uint64_t now,
			     ClaimMemory *memory);

/* Tests whether where/GUID has to be swapped to this host, of a VM whose state is running. */
bool claim_is_missing(const FleetIndex *index, const Guid *vm);

/*
 * Tests whether where/GUID has to be deleted, of a VM that this host does not run: if it names this
 * host, unless another host has the VM and will claim it.
 */
bool claim_is_left_over(const FleetIndex *index, const Guid *vm);

#endif
