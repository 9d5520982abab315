/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_FACTS_H
#define DAEMON_FLEET_MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/fleet/model/value.h"

/* The facts about this host, from its vaild. */

/* The guestState of a VM in vaild. */
typedef enum FleetGuest {
	FLEET_GUEST_UNKNOWN, /* nobody tells; it counts as running */
	FLEET_GUEST_RUNNING,
	FLEET_GUEST_INCOMING, /* the VMM waits for the guest, as the destination of a migration */
	FLEET_GUEST_MIGRATED, /* the VMM has sent the guest away, and lives on */
} FleetGuest;

typedef struct FleetLocalVm {
	Guid guid;
	FleetVm vm; /* without its state, see claim.h */
	FleetGuest guest;
	uid_t *users; /* those that are display clients */
	size_t user_count;
	double since; /* seconds on CLOCK_BOOTTIME */
} FleetLocalVm;

typedef struct FleetLocalGpu {
	char address[FLEET_ADDRESS_SIZE];
	FleetGpu gpu;
} FleetLocalGpu;

typedef struct FleetLocalQuarantine {
	Guid guid;
	char *reason; /* or empty */
} FleetLocalQuarantine;

/*
 * If is_known is false, vaild is away. The rest is then as it was last, and empty if vaild was
 * never there. Names and dates are in the host's own texts. VMs and quarantines are in ascending
 * order of their GUIDs.
 */
typedef struct FleetFacts {
	bool is_known;
	FleetHost host;
	FleetLocalVm *vms;
	size_t vm_count;
	FleetLocalGpu *gpus;
	size_t gpu_count;
	FleetLocalQuarantine *quarantines;
	size_t quarantine_count;
} FleetFacts;

/* Bring VMs and quarantines into their order. */
void fleet_facts_sort(FleetFacts *facts);

/* Return the VM or the quarantine with this GUID, or NULL. */
const FleetLocalVm *fleet_facts_vm(const FleetFacts *facts, const Guid *guid);
const FleetLocalQuarantine *fleet_facts_quarantine(const FleetFacts *facts, const Guid *guid);

/* Returns the first quarantine whose GUID is not below this one, or NULL. */
const FleetLocalQuarantine *fleet_facts_quarantine_from(const FleetFacts *facts, const Guid *guid);

/* Free what the lists own, and empty them. */
void fleet_facts_clear_vms(FleetFacts *facts);
void fleet_facts_clear_gpus(FleetFacts *facts);
void fleet_facts_clear_quarantines(FleetFacts *facts);

/* Frees everything that the facts own. */
void fleet_facts_deinit(FleetFacts *facts);

#endif
