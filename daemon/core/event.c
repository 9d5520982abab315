/* SPDX-License-Identifier: MIT */
#include "daemon/core/event.h"

bool end_reason_is_inherited(EndReason reason)
{
	return reason == END_PROCESS_EXITED || reason == END_VMM_EXITED ||
	       reason == END_SHARER_EXITED || reason == END_VM_UNREGISTERED ||
	       reason == END_VM_DISPLACED;
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
	case END_RIGHTS_WITHDRAWN:
		return STATUS_ACCESS_DENIED;
	case END_SHARER_EXITED:
	case END_ADAPTER_REMOVED:
	case END_DRIVER_GONE:
		return STATUS_INVALID_HANDLE;
	case END_AGENT_GONE:
		return STATUS_INVALID_DEVICE_STATE;
	case END_OVER_BUDGET:
		return STATUS_QUOTA_EXCEEDED;
	case END_REQUESTED:
	case END_FUNCTION_CLOSED:
	case END_DAEMON_STOPPED:
	case END_MAX:
		break;
	}
	return STATUS_SUCCESS;
}
