/* SPDX-License-Identifier: MIT */
#include "daemon/core/event.h"

#include "proto/macros.h"

const char *end_reason_name(EndReason reason)
{
	static const char *const names[] = {
		[END_REQUESTED] = "requested",
		[END_REVOKED] = "revoked",
		[END_PROCESS_EXITED] = "processExited",
		[END_VMM_EXITED] = "vmmExited",
		[END_VM_UNREGISTERED] = "virtualMachineUnregistered",
		[END_VM_DISPLACED] = "virtualMachineDisplaced",
		[END_LAST_VIRTUAL_GPU_REMOVED] = "lastVirtualGpuRemoved",
		[END_QUARANTINED] = "quarantined",
		[END_PRIVILEGES_CHANGED] = "privilegesChanged",
		[END_ADAPTER_REMOVED] = "adapterRemoved",
		[END_DRIVER_GONE] = "driverGone",
		[END_SHARER_EXITED] = "sharerExited",
		[END_OVER_BUDGET] = "overBudget",
		[END_DAEMON_STOPPED] = "daemonStopped",
	};
	_Static_assert(ARRAY_SIZE(names) == END_MAX, "every reason needs a name");

	return names[reason];
}

NTSTATUS end_reason_status(EndReason reason)
{
	switch (reason) {
	case END_PROCESS_EXITED:
		return STATUS_PROCESS_IS_TERMINATING;
	case END_VMM_EXITED:
	case END_VM_UNREGISTERED:
	case END_VM_DISPLACED:
		return STATUS_NOT_FOUND;
	case END_LAST_VIRTUAL_GPU_REMOVED:
		return STATUS_GRAPHICS_VAIL_STATE_CHANGED;
	case END_REVOKED:
	case END_QUARANTINED:
	case END_PRIVILEGES_CHANGED:
		return STATUS_ACCESS_DENIED;
	case END_SHARER_EXITED:
	case END_ADAPTER_REMOVED:
	case END_DRIVER_GONE:
		return STATUS_INVALID_HANDLE;
	case END_OVER_BUDGET:
		return STATUS_QUOTA_EXCEEDED;
	case END_REQUESTED:
	case END_DAEMON_STOPPED:
	case END_MAX:
		break;
	}
	return STATUS_SUCCESS;
}

const char *event_kind_name(EventKind kind)
{
	static const char *const names[] = {
		[EVENT_REGISTERED] = "registered",
		[EVENT_UNREGISTERED] = "unregistered",
		[EVENT_VIRTUAL_MACHINE_ADDED] = "virtualMachineAdded",
		[EVENT_VIRTUAL_MACHINE_CHANGED] = "virtualMachineChanged",
		[EVENT_VIRTUAL_MACHINE_REMOVED] = "virtualMachineRemoved",
		[EVENT_VIRTUAL_GPU_ASSIGNED] = "virtualGpuAssigned",
		[EVENT_VIRTUAL_GPU_REMOVED] = "virtualGpuRemoved",
		[EVENT_QUARANTINED] = "quarantined",
		[EVENT_QUARANTINE_LIFTED] = "quarantineLifted",
		[EVENT_GPU_PROCESS_REMOVED] = "gpuProcessRemoved",
		[EVENT_SHARED] = "shared",
		[EVENT_UPDATED] = "updated",
		[EVENT_UNSHARED] = "unshared",
		[EVENT_OPENED] = "opened",
		[EVENT_RELEASED] = "released",
		[EVENT_ADAPTER_ADDED] = "adapterAdded",
		[EVENT_ADAPTER_REMOVED] = "adapterRemoved",
		[EVENT_PAGE_TABLE_RESIDENT] = "pageTableResident",
		[EVENT_CURRENT] = "current",
	};
	_Static_assert(ARRAY_SIZE(names) == EVENT_MAX, "every kind needs a name");

	return names[kind];
}
