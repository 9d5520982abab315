/* SPDX-License-Identifier: MIT */
#include "daemon/api/names.h"
#include "daemon/api/params.h"
#include "proto/macros.h"

/* clang-format off */
#define ROW(type, name, struct, member, required, present) \
	JSON_FIELD(type, name, struct, member), .is_required = (required), \
	.present_offset = (present), .count_offset = JSON_NO_MEMBER

/* Parameters that are zero or NULL if absent. */
#define GUID(name, struct, member, required) \
	{ ROW(JSON_FIELD_GUID, name, struct, member, required, JSON_NO_MEMBER) }
#define TEXT(name, struct, member, required, limit) \
	{ ROW(JSON_FIELD_STRING, name, struct, member, required, JSON_NO_MEMBER), \
	  .maximum = (limit) }

#define HANDLE(name, struct, member, required) \
	TEXT(name, struct, member, required, PARAM_HANDLE_MAXIMUM)

/* Parameters with a flag that tells whether they are present. */
#define INTEGER(name, struct, member, required) \
	{ ROW(JSON_FIELD_INTEGER, name, struct, member.value, required, \
	      offsetof(struct, member.present)), .maximum = INT64_MAX }
#define BOOLEAN(name, struct, member, required) \
	{ ROW(JSON_FIELD_BOOLEAN, name, struct, member.value, required, \
	      offsetof(struct, member.present)) }
#define ADDRESS(name, struct, member, required) \
	{ ROW(JSON_FIELD_ADDRESS, name, struct, member.value, required, \
	      offsetof(struct, member.present)) }
#define CHOICE(name, struct, member, required, names) \
	{ ROW(JSON_FIELD_CHOICE, name, struct, member.value, required, \
	      offsetof(struct, member.present)), .choices = (names) }
#define CHOICES(name, struct, member, required, names) \
	{ ROW(JSON_FIELD_CHOICES, name, struct, member.value, required, \
	      offsetof(struct, member.present)), .choices = (names) }
#define OBJECT(name, struct, member, required, of) \
	{ ROW(JSON_FIELD_OBJECT, name, struct, member, required, \
	      offsetof(struct, member.present)), .table = (of) }
#define ARRAY(field_name, struct, member, required, limit, of) \
	{ .type = JSON_FIELD_ARRAY, .name = (field_name), .is_required = (required), \
	  .offset = offsetof(struct, member.items), \
	  .size = sizeof(((struct *)0)->member.items[0]), \
	  .present_offset = offsetof(struct, member.array.present), \
	  .count_offset = offsetof(struct, member.array.count), .maximum = (limit), \
	  .table = (of) }

#define STRINGS(field_name, struct, member, required, limit) \
	{ .type = JSON_FIELD_ARRAY, .name = (field_name), .is_required = (required), \
	  .offset = offsetof(struct, member.items), \
	  .size = sizeof(((struct *)0)->member.items[0]), \
	  .present_offset = offsetof(struct, member.array.present), \
	  .count_offset = offsetof(struct, member.array.count), .maximum = (limit), \
	  .item_type = JSON_FIELD_STRING }

#define REQUIRED true
#define OPTIONAL false

#define TABLE(table_name, ...) \
	static const JsonField table_name##_fields[] = { __VA_ARGS__ }; \
	const JsonTable table_name = { table_name##_fields, ARRAY_SIZE(table_name##_fields), false }
#define INNER_TABLE(table_name, ...) \
	static const JsonField table_name##_fields[] = { __VA_ARGS__ }; \
	static const JsonTable table_name = { \
		table_name##_fields, ARRAY_SIZE(table_name##_fields), false }

const JsonTable params_none = { NULL, 0, false };

TABLE(params_machine,
	GUID("virtualMachineGuid", MachineParams, virtual_machine, REQUIRED));

TABLE(params_machine_if_named,
	GUID("virtualMachineGuid", MachineParams, virtual_machine, OPTIONAL));

TABLE(params_revoke,
	GUID("virtualMachineGuid", RevokeParams, virtual_machine, REQUIRED),
	INTEGER("pid", RevokeParams, pid, REQUIRED));

INNER_TABLE(params_party,
	TEXT("user", PartyParams, user, OPTIONAL, LIMIT_USER_NAME_LENGTH),
	INTEGER("pid", PartyParams, pid, OPTIONAL));

INNER_TABLE(params_display_client,
	TEXT("user", PartyParams, user, OPTIONAL, LIMIT_USER_NAME_LENGTH),
	INTEGER("uid", PartyParams, uid, OPTIONAL),
	INTEGER("pid", PartyParams, pid, OPTIONAL),
	CHOICES("rights", PartyParams, rights, OPTIONAL, display_right_names));

TABLE(params_register_machine,
	GUID("virtualMachineGuid", MachineSettingsParams, virtual_machine, REQUIRED),
	TEXT("name", MachineSettingsParams, name, OPTIONAL, LIMIT_NAME_LENGTH),
	INTEGER("vmmPid", MachineSettingsParams, vmm_pid, OPTIONAL),
	ARRAY("displayClients", MachineSettingsParams, display_clients, OPTIONAL,
	      LIMIT_DISPLAY_CLIENTS, &params_display_client),
	OBJECT("agent", MachineSettingsParams, agent, OPTIONAL, &params_party),
	CHOICE("settingsSource", MachineSettingsParams, source, OPTIONAL, settings_source_names),
	CHOICE("guestState", MachineSettingsParams, guest_state, OPTIONAL, guest_state_names));

TABLE(params_update_machine,
	GUID("virtualMachineGuid", MachineSettingsParams, virtual_machine, REQUIRED),
	TEXT("name", MachineSettingsParams, name, OPTIONAL, LIMIT_NAME_LENGTH),
	INTEGER("vmmPid", MachineSettingsParams, vmm_pid, OPTIONAL),
	ARRAY("displayClients", MachineSettingsParams, display_clients, OPTIONAL,
	      LIMIT_DISPLAY_CLIENTS, &params_display_client),
	OBJECT("agent", MachineSettingsParams, agent, OPTIONAL, &params_party),
	CHOICE("settingsSource", MachineSettingsParams, source, OPTIONAL, settings_source_names),
	CHOICE("guestState", MachineSettingsParams, guest_state, OPTIONAL, guest_state_names));

TABLE(params_unregister_machine,
	GUID("virtualMachineGuid", MachineSettingsParams, virtual_machine, REQUIRED),
	CHOICE("settingsSource", MachineSettingsParams, source, OPTIONAL, settings_source_names));

TABLE(params_assign,
	GUID("virtualMachineGuid", AssignParams, virtual_machine, REQUIRED),
	HANDLE("adapter", AssignParams, adapter, OPTIONAL),
	TEXT("profile", AssignParams, profile, OPTIONAL, LIMIT_NAME_LENGTH));

TABLE(params_virtual_gpu,
	HANDLE("virtualGpu", HandleParams, handle, REQUIRED));

TABLE(params_quarantine,
	GUID("virtualMachineGuid", QuarantineParams, virtual_machine, REQUIRED),
	BOOLEAN("quarantined", QuarantineParams, quarantined, REQUIRED),
	TEXT("reason", QuarantineParams, reason, OPTIONAL, LIMIT_NAME_LENGTH),
	TEXT("expectedReason", QuarantineParams, expected_reason, OPTIONAL, LIMIT_NAME_LENGTH));

TABLE(params_adapter,
	HANDLE("adapter", HandleParams, handle, OPTIONAL));

TABLE(params_context,
	HANDLE("context", HandleParams, handle, REQUIRED));

TABLE(params_interface,
	TEXT("interface", InterfaceParams, interface, REQUIRED, LIMIT_NAME_LENGTH));

TABLE(params_register_adapter,
	TEXT("name", RegisterAdapterParams, name, REQUIRED, LIMIT_NAME_LENGTH),
	INTEGER("virtualAddressBitCount", RegisterAdapterParams, address_bits, REQUIRED),
	ARRAY("pageTableIndexBitCount", RegisterAdapterParams, index_bits, REQUIRED,
	      GPU_PAGE_TABLE_LEVEL_MAX, NULL),
	INTEGER("maxVirtualGpus", RegisterAdapterParams, max_virtual_gpus, OPTIONAL));

TABLE(params_unregister_adapter,
	HANDLE("adapter", HandleParams, handle, REQUIRED));

TABLE(params_create_process,
	HANDLE("adapter", CreateProcessParams, adapter, REQUIRED),
	INTEGER("pid", CreateProcessParams, pid, OPTIONAL),
	TEXT("name", CreateProcessParams, name, OPTIONAL, LIMIT_NAME_LENGTH),
	GUID("virtualMachineGuid", CreateProcessParams, virtual_machine, OPTIONAL));

TABLE(params_process,
	HANDLE("process", HandleParams, handle, REQUIRED));

TABLE(params_reserve_range,
	HANDLE("process", ReserveRangeParams, process, REQUIRED),
	INTEGER("sizeInBytes", ReserveRangeParams, size, REQUIRED),
	INTEGER("alignment", ReserveRangeParams, alignment, OPTIONAL),
	ADDRESS("baseAddress", ReserveRangeParams, base_address, OPTIONAL),
	BOOLEAN("allowUserModeMapping", ReserveRangeParams, allow_user_mode_mapping, OPTIONAL));

TABLE(params_page_table,
	HANDLE("process", PageTableParams, process, REQUIRED),
	ADDRESS("virtualAddress", PageTableParams, virtual_address, REQUIRED));

TABLE(params_set_entry,
	HANDLE("process", PageTableParams, process, REQUIRED),
	ADDRESS("virtualAddress", PageTableParams, virtual_address, REQUIRED),
	ADDRESS("pageTableAddress", PageTableParams, page_table_address, REQUIRED));

#define PLACEMENT \
	HANDLE("process", PlacementParams, process, REQUIRED), \
	INTEGER("sizeInBytes", PlacementParams, size, REQUIRED), \
	ADDRESS("baseAddress", PlacementParams, base_address, OPTIONAL), \
	ADDRESS("minimumAddress", PlacementParams, minimum, OPTIONAL), \
	ADDRESS("maximumAddress", PlacementParams, maximum, OPTIONAL)

TABLE(params_reserve, PLACEMENT);

TABLE(params_map, PLACEMENT,
	CHOICE("protection", PlacementParams, protection, REQUIRED, gpu_protection_names),
	INTEGER("allocation", PlacementParams, allocation, OPTIONAL),
	INTEGER("offsetInBytes", PlacementParams, offset, OPTIONAL));

TABLE(params_free,
	HANDLE("process", PlacementParams, process, REQUIRED),
	ADDRESS("baseAddress", PlacementParams, base_address, REQUIRED),
	INTEGER("sizeInBytes", PlacementParams, size, REQUIRED));

INNER_TABLE(params_plane,
	INTEGER("fileDescriptor", PlaneParams, fd, OPTIONAL),
	INTEGER("offset", PlaneParams, offset, REQUIRED),
	INTEGER("stride", PlaneParams, stride, REQUIRED));

INNER_TABLE(params_fence,
	INTEGER("fileDescriptor", FenceParams, fd, OPTIONAL));

INNER_TABLE(params_object,
	CHOICE("type", ObjectParams, type, REQUIRED, object_type_names),
	CHOICE("access", ObjectParams, access, REQUIRED, object_access_names),
	TEXT("name", ObjectParams, name, OPTIONAL, LIMIT_NAME_LENGTH),
	INTEGER("width", ObjectParams, width, OPTIONAL),
	INTEGER("height", ObjectParams, height, OPTIONAL),
	TEXT("format", ObjectParams, format, OPTIONAL, 4),
	ADDRESS("modifier", ObjectParams, modifier, OPTIONAL),
	CHOICE("firstRow", ObjectParams, first_row, OPTIONAL, object_first_row_names),
	ARRAY("planes", ObjectParams, planes, OPTIONAL, OBJECT_PLANES_MAX, &params_plane),
	OBJECT("fence", ObjectParams, fence, OPTIONAL, &params_fence));

TABLE(params_share,
	GUID("virtualMachineGuid", ShareParams, virtual_machine, REQUIRED),
	OBJECT("object", ShareParams, object, REQUIRED, &params_object));

INNER_TABLE(params_rectangle,
	INTEGER("x", RectangleParams, x, REQUIRED),
	INTEGER("y", RectangleParams, y, REQUIRED),
	INTEGER("width", RectangleParams, width, REQUIRED),
	INTEGER("height", RectangleParams, height, REQUIRED));

TABLE(params_update,
	HANDLE("handle", UpdateParams, handle, REQUIRED),
	ARRAY("damage", UpdateParams, damage, OPTIONAL, LIMIT_DAMAGE_RECTANGLES,
	      &params_rectangle));

TABLE(params_object_handle,
	HANDLE("handle", HandleParams, handle, REQUIRED));

TABLE(params_open_display,
	GUID("virtualMachineGuid", OpenDisplayParams, virtual_machine, REQUIRED),
	CHOICES("rights", OpenDisplayParams, rights, OPTIONAL, display_right_names));

TABLE(params_serve_displays,
	GUID("virtualMachineGuid", ServeDisplaysParams, virtual_machine, REQUIRED),
	STRINGS("displays", ServeDisplaysParams, displays, OPTIONAL, PARAM_DISPLAYS_MAX));

TABLE(params_display,
	HANDLE("display", HandleParams, handle, REQUIRED));
/* clang-format on */
