/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_NAMES_H
#define DAEMON_API_NAMES_H

#include "daemon/core/adapter.h"
#include "daemon/core/event.h"
#include "daemon/core/fd.h"
#include "daemon/core/gpu-process.h"
#include "daemon/core/object.h"
#include "daemon/core/registration.h"

/* The names of enumeration values in parameters, replies, events and the journal. */

/* Followed by NULL, as the choices of a parameter have to be. */
extern const char *const object_type_names[];
extern const char *const object_access_names[];
extern const char *const object_first_row_names[];
extern const char *const gpu_protection_names[];
extern const char *const display_right_names[];

/* The names of rights on a display, with commas between them. */
typedef struct DisplayRightsText {
	char text[64];
} DisplayRightsText;

/* rights: as DISPLAY_RIGHT_BIT(). */
DisplayRightsText rights_names_text(unsigned int rights);

/* Returns the name of the place where an administrator has named display clients or an agent. */
const char *vm_source_name(VmSource source);
const char *consent_source_name(bool is_drop_in);
const char *display_clients_source_name(const DisplayClients *clients);

/* The origin of the settings of a VM in a request. */
typedef enum SettingsSource {
	SETTINGS_FROM_API,
	SETTINGS_FROM_LIBVIRT, /* the metadata of a domain */
	SETTINGS_SOURCE_MAX,
} SettingsSource;

extern const char *const settings_source_names[];

/* Names of the states from GUEST_STATE_RUNNING on. */
extern const char *const guest_state_names[];

/* Returns NULL for GUEST_STATE_UNKNOWN. */
const char *guest_state_name(GuestState state);

const char *adapter_source_name(AdapterSource source);
const char *held_gpu_kind_name(HeldGpuKind kind);

/* Returns "api" if a request has assigned it, else what kind of function was found. */
const char *virtual_gpu_source_name(const VirtualGpu *virtual_gpu);
const char *end_reason_name(EndReason reason);
const char *vm_part_name(VmPart part); /* that of the member of io.vaild.Machine.VirtualMachine */
const char *event_kind_name(EventKind kind);
const char *gpu_process_state_name(GpuProcessState state);
const char *gpu_range_kind_name(GpuRangeKind kind);
const char *graphics_context_name(GraphicsContextKind kind);
const char *hand_over_name(HandOver hand_over); /* a reason in the journal */
const char *memory_kind_name(FdKind kind);      /* "none" unless the fd is memory */
const char *translation_state_name(TranslationState state);

#endif
