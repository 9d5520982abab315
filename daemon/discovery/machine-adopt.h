/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DISCOVERY_MACHINE_ADOPT_H
#define DAEMON_DISCOVERY_MACHINE_ADOPT_H

#include "daemon/discovery/machine-table.h"
#include "daemon/store/store.h"

/* Makes found VMs of the machines that systemd-machined knows, by the steps of every operation. */

/* The next step for a machine that is a VM. */
typedef enum MachineStep {
	MACHINE_STEP_NONE,     /* its VM is listed, or a request has registered its GUID */
	MACHINE_STEP_ADD,      /* machine_adopt() */
	MACHINE_STEP_DISPLACE, /* machine_adopt(), which ends the user's VM that has the GUID */
	MACHINE_STEP_REPLACE,  /* end the found VM that has the GUID, and add it after that */
	MACHINE_STEP_WAIT,     /* for the end of the VM that has the GUID */
} MachineStep;

/*
 * Decides the next step. An operator's registration of the GUID wins. A user's wins only if it
 * names the leader as VMM, because users choose the GUIDs of their VMs freely.
 */
MachineStep machine_next_step(Broker *broker, const FoundMachine *machine);

/*
 * Adds the VM of a machine, with the leader as its VMM and with the drop-ins for it. Reads nothing
 * of the leader: when a machine is new, the leader is still the manager that starts the VMM. If a
 * user's VM has the GUID, it ends at once and only on success, so that its user cannot register the
 * GUID again in between. Call only after MACHINE_STEP_ADD or MACHINE_STEP_DISPLACE. Returns
 * STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS machine_adopt(Store *store, const KnownMachine *machine, ProcessKey leader);

/*
 * Begins to end the found VMs that are not in the table any more, or whose leader is another
 * process. Ends none unless the table is certain. Returns their number.
 */
size_t machines_end_lost(Broker *broker, MachineTable *table);

#endif
