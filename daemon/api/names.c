/* SPDX-License-Identifier: MIT */
#include "daemon/api/names.h"

#include <stdio.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/names.h"

/* ---- Choices of parameters ---- */

#define ROW(value, name) [OBJECT_##value] = (name),
const char *const object_type_names[] = { OBJECT_TYPE_NAMES(ROW) NULL };
_Static_assert(ARRAY_SIZE(object_type_names) == OBJECT_TYPE_MAX + 1, "each type has a name");

const char *const object_access_names[] = { OBJECT_ACCESS_NAMES(ROW) NULL };
_Static_assert(ARRAY_SIZE(object_access_names) == OBJECT_ACCESS_MAX + 1, "each access has a name");
#undef ROW

#define ROW(value, name) [OBJECT_FIRST_ROW_##value] = (name),
const char *const object_first_row_names[] = { OBJECT_FIRST_ROW_NAMES(ROW) NULL };
#undef ROW
_Static_assert(ARRAY_SIZE(object_first_row_names) == OBJECT_FIRST_ROW_MAX + 1,
	       "each order of rows has a name");

#define ROW(value, name) [GPU_PROTECTION_##value] = (name),
const char *const gpu_protection_names[] = { PROTECTION_NAMES(ROW) NULL };
#undef ROW
_Static_assert(ARRAY_SIZE(gpu_protection_names) == GPU_PROTECTION_MAX + 1, "each has a name");

#define ROW(value, name) [DISPLAY_RIGHT_##value] = (name),
const char *const display_right_names[] = { DISPLAY_RIGHT_NAMES(ROW) NULL };
#undef ROW
_Static_assert(ARRAY_SIZE(display_right_names) == DISPLAY_RIGHT_MAX + 1, "each right has a name");

DisplayRightsText rights_names_text(unsigned int rights)
{
	DisplayRightsText text = { 0 };

	for (DisplayRight right = 0; right < DISPLAY_RIGHT_MAX; right++) {
		size_t length = strlen(text.text);

		if (rights & DISPLAY_RIGHT_BIT(right))
			snprintf(text.text + length, sizeof(text.text) - length, "%s%s",
				 length > 0 ? "," : "", display_right_names[right]);
	}
	return text;
}

/* ---- Names that libvail has too ---- */

const char *event_kind_name(EventKind kind)
{
#define ROW(value, name) [EVENT_##value] = (name),
	static const char *const names[] = { EVENT_KIND_NAMES(ROW) };
#undef ROW
	_Static_assert(ARRAY_SIZE(names) == EVENT_MAX, "each kind has a name");

	return names[kind];
}

const char *gpu_range_kind_name(GpuRangeKind kind)
{
#define ROW(value, name) [GPU_RANGE_##value] = (name),
	static const char *const names[] = { RANGE_KIND_NAMES(ROW) };
#undef ROW
	_Static_assert(ARRAY_SIZE(names) == GPU_RANGE_MAX, "each kind has a name");

	return names[kind];
}

const char *translation_state_name(TranslationState state)
{
#define ROW(value, name) [TRANSLATION_##value] = (name),
	static const char *const names[] = { TRANSLATION_STATE_NAMES(ROW) };
#undef ROW
	_Static_assert(ARRAY_SIZE(names) == TRANSLATION_MAX, "each state has a name");

	return names[state];
}

const char *memory_kind_name(FdKind kind)
{
	enum { MEMORY_NONE, MEMORY_DMABUF, MEMORY_MEMFD };
#define ROW(value, name) [MEMORY_##value] = (name),
	static const char *const names[] = { MEMORY_KIND_NAMES(ROW) };
#undef ROW

	switch (kind) {
	case FD_DMABUF:
		return names[MEMORY_DMABUF];
	case FD_MEMFD:
		return names[MEMORY_MEMFD];
	case FD_OTHER:
	case FD_SYNC_FILE:
	case FD_SOCKET:
	case FD_KIND_MAX:
		break;
	}
	return names[MEMORY_NONE];
}

/* ---- Names that only the daemon has ---- */

const char *vm_part_name(VmPart part)
{
	static const char *const names[] = {
		[VM_PART_NAME] = "name",
		[VM_PART_DISPLAY_CLIENTS] = "displayClients",
		[VM_PART_AGENT] = "agent",
		[VM_PART_VMM] = "vmmPid",
		[VM_PART_INCOMING_VMM] = "incomingVmmPid",
		[VM_PART_INCOMING_AGENT] = "incomingAgent",
		[VM_PART_SOURCE] = "source",
		[VM_PART_DISPLAY_SERVER] = "displayServerPid",
		[VM_PART_INCOMING_DISPLAY_SERVER] = "incomingDisplayServerPid",
		[VM_PART_GUEST_STATE] = "guestState",
	};
	_Static_assert(ARRAY_SIZE(names) == VM_PART_MAX, "each part has a name");

	return names[part];
}

const char *vm_source_name(VmSource source)
{
	static const char *const names[] = {
		[VM_SOURCE_API] = "api",
		[VM_SOURCE_MACHINED] = "machined",
	};
	_Static_assert(ARRAY_SIZE(names) == VM_SOURCE_MAX, "each source has a name");

	return names[source];
}

const char *consent_source_name(bool is_drop_in)
{
	return is_drop_in ? "dropIn" : "api";
}

const char *display_clients_source_name(const DisplayClients *clients)
{
	if (!clients->are_explicit)
		return display_clients_are_nobody(clients) ? "nobody" : "vmm";
	return clients->are_from_libvirt ? settings_source_names[SETTINGS_FROM_LIBVIRT]
					 : consent_source_name(clients->are_from_drop_in);
}

const char *const settings_source_names[] = {
	[SETTINGS_FROM_API] = "api",
	[SETTINGS_FROM_LIBVIRT] = "libvirt",
	[SETTINGS_SOURCE_MAX] = NULL,
};

const char *const guest_state_names[] = { "running", "incoming", "migrated", NULL };
_Static_assert(ARRAY_SIZE(guest_state_names) == GUEST_STATE_MAX, "each state but one has a name");

const char *guest_state_name(GuestState state)
{
	return state == GUEST_STATE_UNKNOWN ? NULL : guest_state_names[state - GUEST_STATE_RUNNING];
}

const char *adapter_source_name(AdapterSource source)
{
	static const char *const names[] = {
		[ADAPTER_SOFTWARE] = "software",
		[ADAPTER_CLIENT] = "client",
		[ADAPTER_DRM] = "drm",
	};
	_Static_assert(ARRAY_SIZE(names) == ADAPTER_SOURCE_MAX, "each source has a name");

	return names[source];
}

const char *virtual_gpu_source_name(const VirtualGpu *virtual_gpu)
{
	return virtual_gpu->held ? held_gpu_kind_name((HeldGpuKind)virtual_gpu->held->kind) : "api";
}

const char *held_gpu_kind_name(HeldGpuKind kind)
{
	static const char *const names[] = {
		[HELD_GPU_PARAVIRTUAL] = "paravirtual",
		[HELD_GPU_VIRTUAL_FUNCTION] = "virtualFunction",
		[HELD_GPU_MDEV] = "mdev",
		[HELD_GPU_PASSTHROUGH] = "passthrough",
	};
	_Static_assert(ARRAY_SIZE(names) == HELD_GPU_KIND_MAX, "each kind has a name");

	return names[kind];
}

const char *gpu_process_state_name(GpuProcessState state)
{
	static const char *const names[] = {
		[GPU_PROCESS_CREATING] = "creating",
		[GPU_PROCESS_RUNNING] = "running",
	};
	_Static_assert(ARRAY_SIZE(names) == GPU_PROCESS_STATE_MAX, "each state has a name");

	return names[state];
}

const char *graphics_context_name(GraphicsContextKind kind)
{
	static const char *const names[] = {
		[GRAPHICS_CONTEXT_VAILD] = "vaild",   [GRAPHICS_CONTEXT_DRM] = "drm",
		[GRAPHICS_CONTEXT_NVIDIA] = "nvidia", [GRAPHICS_CONTEXT_KFD] = "kfd",
		[GRAPHICS_CONTEXT_DXG] = "dxg",
	};
	_Static_assert(ARRAY_SIZE(names) == GRAPHICS_CONTEXT_MAX, "each kind has a name");

	return names[kind];
}

const char *hand_over_name(HandOver hand_over)
{
	static const char *const names[] = {
		[HAND_OVER_NONE] = "none",
		[HAND_OVER_BEGAN] = "handOverBegan",
		[HAND_OVER_COMPLETED] = "handOverCompleted",
		[HAND_OVER_ABANDONED] = "handOverAbandoned",
	};
	_Static_assert(ARRAY_SIZE(names) == HAND_OVER_MAX, "each step has a name");

	return names[hand_over];
}

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
		[END_AGENT_GONE] = "agentGone",
		[END_RIGHTS_WITHDRAWN] = "rightsWithdrawn",
		[END_OVER_BUDGET] = "overBudget",
		[END_FUNCTION_CLOSED] = "functionClosed",
		[END_DAEMON_STOPPED] = "daemonStopped",
	};
	_Static_assert(ARRAY_SIZE(names) == END_MAX, "each reason has a name");

	return names[reason];
}
