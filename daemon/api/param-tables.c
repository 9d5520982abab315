/* SPDX-License-Identifier: MIT */
#include "address-space.h"
#include "macros.h"
#include "params.h"

/* clang-format off */
#define REQUIRED(name, type, struct, member) \
	{ name, type, true, offsetof(struct, member), 0, NULL, 0, 0, NULL }
#define OPTIONAL(name, type, struct, member) \
	{ name, type, false, offsetof(struct, member), 0, NULL, 0, 0, NULL }
#define TEXT(name, struct, member, maximum) \
	{ name, PARAM_STRING, false, offsetof(struct, member), maximum, NULL, 0, 0, NULL }
#define REQUIRED_TEXT(name, struct, member, maximum) \
	{ name, PARAM_STRING, true, offsetof(struct, member), maximum, NULL, 0, 0, NULL }
#define OBJECT(name, struct, member, table) \
	{ name, PARAM_OBJECT, false, offsetof(struct, member), 0, table, 0, 0, NULL }
#define REQUIRED_OBJECT(name, struct, member, table) \
	{ name, PARAM_OBJECT, true, offsetof(struct, member), 0, table, 0, 0, NULL }
#define ARRAY(name, struct, member, item, maximum, table) \
	{ name, PARAM_ARRAY, false, offsetof(struct, member), maximum, table, \
	  offsetof(struct, member.items), sizeof(item), NULL }
#define REQUIRED_INTEGERS(name, struct, member, maximum) \
	{ name, PARAM_ARRAY, true, offsetof(struct, member), maximum, NULL, \
	  offsetof(struct, member.items), sizeof(uint64_t), NULL }
#define REQUIRED_CHOICE(name, struct, member, choices) \
	{ name, PARAM_CHOICE, true, offsetof(struct, member), 0, NULL, 0, 0, choices }

#define TABLE(table_name, ...) \
	static const ParamField table_name##_fields[] = { __VA_ARGS__ }; \
	const ParamTable table_name = { table_name##_fields, ARRAY_SIZE(table_name##_fields) }
#define INNER_TABLE(table_name, ...) \
	static const ParamField table_name##_fields[] = { __VA_ARGS__ }; \
	static const ParamTable table_name = { table_name##_fields, ARRAY_SIZE(table_name##_fields) }

const ParamTable params_none = { NULL, 0 };

TABLE(params_machine,
	REQUIRED("virtualMachineGuid", PARAM_GUID, MachineParams, virtual_machine));

TABLE(params_machine_if_named,
	OPTIONAL("virtualMachineGuid", PARAM_GUID, MachineParams, virtual_machine));

TABLE(params_revoke,
	REQUIRED("virtualMachineGuid", PARAM_GUID, RevokeParams, virtual_machine),
	REQUIRED("pid", PARAM_INTEGER, RevokeParams, pid));

INNER_TABLE(params_party,
	TEXT("user", PartyParams, user, LIMIT_USER_NAME_LENGTH),
	OPTIONAL("pid", PARAM_INTEGER, PartyParams, pid));

TABLE(params_register_machine,
	REQUIRED("virtualMachineGuid", PARAM_GUID, MachineSettingsParams, virtual_machine),
	TEXT("name", MachineSettingsParams, name, LIMIT_NAME_LENGTH),
	OPTIONAL("vmmPid", PARAM_INTEGER, MachineSettingsParams, vmm_pid),
	ARRAY("displayClients", MachineSettingsParams, display_clients, PartyParams,
	      LIMIT_DISPLAY_CLIENTS, &params_party),
	OBJECT("agent", MachineSettingsParams, agent, &params_party));

TABLE(params_update_machine,
	REQUIRED("virtualMachineGuid", PARAM_GUID, MachineSettingsParams, virtual_machine),
	TEXT("name", MachineSettingsParams, name, LIMIT_NAME_LENGTH),
	ARRAY("displayClients", MachineSettingsParams, display_clients, PartyParams,
	      LIMIT_DISPLAY_CLIENTS, &params_party),
	OBJECT("agent", MachineSettingsParams, agent, &params_party));

TABLE(params_assign,
	REQUIRED("virtualMachineGuid", PARAM_GUID, AssignParams, virtual_machine),
	OPTIONAL("adapter", PARAM_HANDLE, AssignParams, adapter),
	TEXT("profile", AssignParams, profile, LIMIT_NAME_LENGTH));

TABLE(params_virtual_gpu,
	REQUIRED("virtualGpu", PARAM_HANDLE, HandleParams, handle));

TABLE(params_quarantine,
	REQUIRED("virtualMachineGuid", PARAM_GUID, QuarantineParams, virtual_machine),
	REQUIRED("quarantined", PARAM_BOOLEAN, QuarantineParams, quarantined),
	TEXT("reason", QuarantineParams, reason, LIMIT_NAME_LENGTH));

TABLE(params_adapter,
	OPTIONAL("adapter", PARAM_HANDLE, HandleParams, handle));

TABLE(params_context,
	REQUIRED("context", PARAM_HANDLE, HandleParams, handle));

TABLE(params_interface,
	REQUIRED_TEXT("interface", InterfaceParams, interface, LIMIT_NAME_LENGTH));

TABLE(params_register_adapter,
	REQUIRED_TEXT("name", RegisterAdapterParams, name, LIMIT_NAME_LENGTH),
	REQUIRED("virtualAddressBitCount", PARAM_INTEGER, RegisterAdapterParams, address_bits),
	REQUIRED_INTEGERS("pageTableIndexBitCount", RegisterAdapterParams, index_bits,
			  GPU_PAGE_TABLE_LEVEL_MAX),
	OPTIONAL("maxVirtualGpus", PARAM_INTEGER, RegisterAdapterParams, max_virtual_gpus));

TABLE(params_unregister_adapter,
	REQUIRED("adapter", PARAM_HANDLE, HandleParams, handle));

TABLE(params_create_process,
	REQUIRED("adapter", PARAM_HANDLE, CreateProcessParams, adapter),
	OPTIONAL("pid", PARAM_INTEGER, CreateProcessParams, pid),
	TEXT("name", CreateProcessParams, name, LIMIT_NAME_LENGTH),
	OPTIONAL("virtualMachineGuid", PARAM_GUID, CreateProcessParams, virtual_machine));

TABLE(params_process,
	REQUIRED("process", PARAM_HANDLE, HandleParams, handle));

TABLE(params_reserve_range,
	REQUIRED("process", PARAM_HANDLE, ReserveRangeParams, process),
	REQUIRED("sizeInBytes", PARAM_INTEGER, ReserveRangeParams, size),
	OPTIONAL("alignment", PARAM_INTEGER, ReserveRangeParams, alignment),
	OPTIONAL("baseAddress", PARAM_ADDRESS, ReserveRangeParams, base_address),
	OPTIONAL("allowUserModeMapping", PARAM_BOOLEAN, ReserveRangeParams,
		 allow_user_mode_mapping));

INNER_TABLE(params_reservation,
	REQUIRED("sizeInBytes", PARAM_INTEGER, ReservationParams, size),
	OPTIONAL("alignment", PARAM_INTEGER, ReservationParams, alignment),
	OPTIONAL("baseAddress", PARAM_ADDRESS, ReservationParams, base_address),
	OPTIONAL("allowUserModeMapping", PARAM_BOOLEAN, ReservationParams,
		 allow_user_mode_mapping));

TABLE(params_software_adapter,
	ARRAY("reservations", SoftwareAdapterParams, reservations, ReservationParams,
	      LIMIT_CONFIGURED_RESERVATIONS, &params_reservation),
	ARRAY("systemReservations", SoftwareAdapterParams, system_reservations, ReservationParams,
	      LIMIT_CONFIGURED_RESERVATIONS, &params_reservation));

TABLE(params_page_table,
	REQUIRED("process", PARAM_HANDLE, PageTableParams, process),
	REQUIRED("virtualAddress", PARAM_ADDRESS, PageTableParams, virtual_address));

TABLE(params_set_entry,
	REQUIRED("process", PARAM_HANDLE, PageTableParams, process),
	REQUIRED("virtualAddress", PARAM_ADDRESS, PageTableParams, virtual_address),
	REQUIRED("pageTableAddress", PARAM_ADDRESS, PageTableParams, page_table_address));

#define PLACEMENT \
	REQUIRED("process", PARAM_HANDLE, PlacementParams, process), \
	REQUIRED("sizeInBytes", PARAM_INTEGER, PlacementParams, size), \
	OPTIONAL("baseAddress", PARAM_ADDRESS, PlacementParams, base_address), \
	OPTIONAL("minimumAddress", PARAM_ADDRESS, PlacementParams, minimum), \
	OPTIONAL("maximumAddress", PARAM_ADDRESS, PlacementParams, maximum)

TABLE(params_reserve, PLACEMENT);

TABLE(params_map, PLACEMENT,
	REQUIRED_CHOICE("protection", PlacementParams, protection, gpu_protection_names),
	OPTIONAL("allocation", PARAM_INTEGER, PlacementParams, allocation),
	OPTIONAL("offsetInBytes", PARAM_INTEGER, PlacementParams, offset));

TABLE(params_free,
	REQUIRED("process", PARAM_HANDLE, PlacementParams, process),
	REQUIRED("baseAddress", PARAM_ADDRESS, PlacementParams, base_address),
	REQUIRED("sizeInBytes", PARAM_INTEGER, PlacementParams, size));

INNER_TABLE(params_plane,
	OPTIONAL("fileDescriptor", PARAM_INTEGER, PlaneParams, descriptor),
	REQUIRED("offset", PARAM_INTEGER, PlaneParams, offset),
	REQUIRED("stride", PARAM_INTEGER, PlaneParams, stride));

INNER_TABLE(params_fence,
	OPTIONAL("fileDescriptor", PARAM_INTEGER, FenceParams, descriptor));

INNER_TABLE(params_object,
	REQUIRED_CHOICE("type", ObjectParams, type, object_type_names),
	REQUIRED_CHOICE("access", ObjectParams, access, object_access_names),
	TEXT("name", ObjectParams, name, LIMIT_NAME_LENGTH),
	OPTIONAL("width", PARAM_INTEGER, ObjectParams, width),
	OPTIONAL("height", PARAM_INTEGER, ObjectParams, height),
	TEXT("format", ObjectParams, format, 4),
	OPTIONAL("modifier", PARAM_ADDRESS, ObjectParams, modifier),
	ARRAY("planes", ObjectParams, planes, PlaneParams, OBJECT_PLANES_MAX, &params_plane),
	OBJECT("fence", ObjectParams, fence, &params_fence));

TABLE(params_share,
	REQUIRED("virtualMachineGuid", PARAM_GUID, ShareParams, virtual_machine),
	REQUIRED_OBJECT("object", ShareParams, object, &params_object));

INNER_TABLE(params_rectangle,
	REQUIRED("x", PARAM_INTEGER, RectangleParams, x),
	REQUIRED("y", PARAM_INTEGER, RectangleParams, y),
	REQUIRED("width", PARAM_INTEGER, RectangleParams, width),
	REQUIRED("height", PARAM_INTEGER, RectangleParams, height));

TABLE(params_update,
	REQUIRED("handle", PARAM_HANDLE, UpdateParams, handle),
	ARRAY("damage", UpdateParams, damage, RectangleParams, LIMIT_DAMAGE_RECTANGLES,
	      &params_rectangle));

TABLE(params_object_handle,
	REQUIRED("handle", PARAM_HANDLE, HandleParams, handle));
/* clang-format on */
