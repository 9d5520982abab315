/* SPDX-License-Identifier: MIT */
#include "daemon/store/record-schema.h"

#include "proto/macros.h"

static const JsonField process_fields[] = {
	NUMBER("key", RecordedProcess, key),
	UID("uid", RecordedProcess, uid),
	UID("account", RecordedProcess, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedProcess, payer.is_operator),
};
static const JsonTable process_table = RECORD_TABLE(process_fields);

static const JsonField credentials_fields[] = {
	WORD("userNamespaceDevice", Credentials, user_namespace.device),
	WORD("userNamespaceInode", Credentials, user_namespace.inode),
	NUMBERS("uids", Credentials, uids),
	NUMBERS("gids", Credentials, gids),
	GROUPS("groups", Credentials, groups),
	WORD("permitted", Credentials, permitted),
	WORD("effective", Credentials, effective),
	OPTIONAL_TEXT("label", Credentials, label),
	OPTIONAL_TEXT("stackedLabels", Credentials, stacked_labels),
};
static const JsonTable credentials_table = RECORD_TABLE(credentials_fields);

static const JsonField connection_fields[] = {
	UID("uid", ConnectionCredentials, uid),
	UID("gid", ConnectionCredentials, gid),
	GROUPS("groups", ConnectionCredentials, groups),
	OPTIONAL_TEXT("label", ConnectionCredentials, label),
};
static const JsonTable connection_table = RECORD_TABLE(connection_fields);

static const JsonField adapter_fields[] = {
	NUMBER("serial", RecordedAdapter, serial),
	HANDLE("handle", RecordedAdapter, handle),
	HANDLE("systemProcess", RecordedAdapter, system_process),
	TEXT("name", RecordedAdapter, name),
};

static const JsonField client_adapter_fields[] = {
	NUMBER("serial", RecordedClientAdapter, serial),
	HANDLE("handle", RecordedClientAdapter, handle),
	HANDLE("systemProcess", RecordedClientAdapter, system_process),
	TEXT("name", RecordedClientAdapter, name),
	ARRAY("indexBits", RecordedClientAdapter, index_bits, level_count, uint64_t,
	      GPU_PAGE_TABLE_LEVEL_MAX, NULL),
	NUMBER("maxVirtualGpus", RecordedClientAdapter, max_virtual_gpus),
	UID("driverUid", RecordedClientAdapter, driver_uid),
	UID("account", RecordedClientAdapter, payer.uid),
	BOOLEAN("isOperator", RecordedClientAdapter, payer.is_operator),
};

static const JsonField display_client_fields[] = {
	OPTIONAL_TEXT("user", DisplayClient, user),
	UID("uid", DisplayClient, uid),
	PID("pid", DisplayClient, pid),
	STRUCTURE("credentials", DisplayClient, credentials, &credentials_table),
	BOOLEAN("unreadable", DisplayClient, unreadable),
	OPTIONAL_NUMBER_TO("rights", DisplayClient, rights, DISPLAY_RIGHTS_ALL),
};
static const JsonTable display_client_table = RECORD_TABLE(display_client_fields);

static const JsonField incoming_fields[] = {
	STRUCTURE("vmm", RecordedIncoming, vmm, &process_table),
	BOOLEAN("namesAgent", RecordedIncoming, names_agent),
	OPTIONAL_TEXT("agentUser", RecordedIncoming, agent_user),
	STRUCTURE("agent", RecordedIncoming, agent, &process_table),
	OPTIONAL_NUMBER_TO("guestState", RecordedIncoming, guest_state, GUEST_STATE_MAX - 1),
};
static const JsonTable incoming_table = RECORD_TABLE(incoming_fields);

static const JsonField vm_fields[] = {
	NUMBER("serial", RecordedVm, serial),
	GUID("guid", RecordedVm, guid),
	OPTIONAL_TEXT("name", RecordedVm, name),
	STRUCTURE("vmm", RecordedVm, vmm, &process_table),
	UID("account", RecordedVm, account),
	UID("registeredBy", RecordedVm, registered_by),
	BOOLEAN("byOperator", RecordedVm, by_operator),
	LIST("displayClients", RecordedVm, display_clients.items, display_clients.count,
	     DisplayClient, LIMIT_DISPLAY_CLIENTS, &display_client_table),
	BOOLEAN("clientsAreNamed", RecordedVm, display_clients.are_explicit),
	OPTIONAL_BOOLEAN("clientsAreFromDropIn", RecordedVm, display_clients.are_from_drop_in),
	OPTIONAL_BOOLEAN("clientsAreFromLibvirt", RecordedVm, display_clients.are_from_libvirt),
	OPTIONAL_BOOLEAN("libvirtAgrees", RecordedVm, display_clients.libvirt_agrees),
	OPTIONAL_BOOLEAN("hasMetadata", RecordedVm, has_metadata),
	BOOLEAN("hasAgent", RecordedVm, has_agent),
	OPTIONAL_TEXT("agentUser", RecordedVm, agent_user),
	STRUCTURE("agent", RecordedVm, agent, &process_table),
	OPTIONAL_BOOLEAN("agentIsFromDropIn", RecordedVm, agent_is_from_drop_in),
	NUMBER("since", RecordedVm, since),
	OPTIONAL_STRUCTURE("incoming", RecordedVm, incoming, has_incoming, &incoming_table),
	OPTIONAL_BOOLEAN("isFound", RecordedVm, is_found),
	OPTIONAL_NUMBER_TO("guestState", RecordedVm, guest_state, GUEST_STATE_MAX - 1),
};

static const JsonField function_fields[] = {
	NUMBER_TO("kind", RecordedFunction, kind, HELD_GPU_KIND_MAX - 1),
	NUMBER_TO("pciClass", RecordedFunction, pci_class, 0xffffff),
	TEXT("function", RecordedFunction, function),
	OPTIONAL_TEXT("device", RecordedFunction, device),
};
static const JsonTable function_table = RECORD_TABLE(function_fields);

static const JsonField virtual_gpu_fields[] = {
	NUMBER("serial", RecordedVirtualGpu, serial),
	HANDLE("handle", RecordedVirtualGpu, handle),
	NUMBER("virtualMachine", RecordedVirtualGpu, vm),
	NUMBER("adapter", RecordedVirtualGpu, adapter),
	OPTIONAL_TEXT("profile", RecordedVirtualGpu, profile),
	OPTIONAL_STRUCTURE("found", RecordedVirtualGpu, found, was_found, &function_table),
	UID("account", RecordedVirtualGpu, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedVirtualGpu, payer.is_operator),
};

static const JsonField driver_reservation_fields[] = {
	NUMBER("first", RecordedReservation, first),
	NUMBER("end", RecordedReservation, end),
	BOOLEAN("allowUserModeMapping", RecordedReservation, allow_user_mode_mapping),
};
static const JsonTable driver_reservation_table = RECORD_TABLE(driver_reservation_fields);

static const JsonField gpu_process_fields[] = {
	NUMBER("serial", RecordedGpuProcess, serial),
	HANDLE("handle", RecordedGpuProcess, handle),
	NUMBER("adapter", RecordedGpuProcess, adapter),
	BOOLEAN("isSystem", RecordedGpuProcess, is_system),
	STRUCTURE("process", RecordedGpuProcess, process, &process_table),
	NUMBER("virtualMachine", RecordedGpuProcess, vm),
	OPTIONAL_TEXT("name", RecordedGpuProcess, name),
	UID("account", RecordedGpuProcess, payer.uid),
	BOOLEAN("isOperator", RecordedGpuProcess, payer.is_operator),
	LIST("reservations", RecordedGpuProcess, reservations, reservation_count,
	     RecordedReservation, LIMIT_VALUE_MAX, &driver_reservation_table),
	LIST("entries", RecordedGpuProcess, entries, entry_count, uint64_t, LIMIT_VALUE_MAX, NULL),
};

static const JsonField entry_fields[] = {
	NUMBER("serial", RecordedEntry, serial),
	NUMBER("gpuProcess", RecordedEntry, gpu_process),
	NUMBER("number", RecordedEntry, number),
};

static const JsonField reservation_fields[] = {
	NUMBER("serial", RecordedRange, range.serial),
	NUMBER("gpuProcess", RecordedRange, gpu_process),
	UID("account", RecordedRange, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedRange, payer.is_operator),
	NUMBER("first", RecordedRange, range.range.first),
	NUMBER("end", RecordedRange, range.range.end),
	OPTIONAL_NUMBER("mappingsFrom", RecordedRange, range.mappings_from),
};

static const JsonField mapping_fields[] = {
	NUMBER("serial", RecordedRange, range.serial),
	NUMBER("gpuProcess", RecordedRange, gpu_process),
	UID("account", RecordedRange, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedRange, payer.is_operator),
	NUMBER("first", RecordedRange, range.range.first),
	NUMBER("end", RecordedRange, range.range.end),
	BOOLEAN("isInside", RecordedRange, is_inside),
	NUMBER_TO("protection", RecordedRange, range.protection, GPU_PROTECTION_MAX - 1),
	BOOLEAN("hasAllocation", RecordedRange, range.has_allocation),
	NUMBER("allocation", RecordedRange, range.allocation),
	NUMBER("offset", RecordedRange, range.offset),
};

static const JsonField context_fields[] = {
	NUMBER("serial", RecordedContext, serial),
	HANDLE("handle", RecordedContext, handle),
	NUMBER("gpuProcess", RecordedContext, gpu_process),
	UID("account", RecordedContext, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedContext, payer.is_operator),
};

static const JsonField registration_fields[] = {
	NUMBER("serial", RecordedRegistration, serial),
	NUMBER("virtualMachine", RecordedRegistration, vm),
	STRUCTURE("process", RecordedRegistration, process, &process_table),
	UID("account", RecordedRegistration, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedRegistration, payer.is_operator),
	NUMBER_TO("graphicsContext", RecordedRegistration, graphics_context,
		  GRAPHICS_CONTEXT_MAX - 1),
	NUMBER("since", RecordedRegistration, since),
	STRUCTURE("connection", RecordedRegistration, connection_credentials, &connection_table),
	STRUCTURE("credentials", RecordedRegistration, process_credentials, &credentials_table),
};

static const JsonField plane_fields[] = {
	NUMBER("offset", ObjectPlane, offset),
	NUMBER("stride", ObjectPlane, stride),
};
static const JsonTable plane_table = RECORD_TABLE(plane_fields);

static const JsonField description_fields[] = {
	NUMBER_TO("type", ObjectDescription, type, OBJECT_TYPE_MAX - 1),
	NUMBER_TO("access", ObjectDescription, access, OBJECT_ACCESS_MAX - 1),
	NUMBER("width", ObjectDescription, width),
	NUMBER("height", ObjectDescription, height),
	LETTERS("format", ObjectDescription, format),
	WORD("modifier", ObjectDescription, modifier),
	OPTIONAL_NUMBER_TO("firstRow", ObjectDescription, first_row, OBJECT_FIRST_ROW_MAX - 1),
	ARRAY("planes", ObjectDescription, planes, plane_count, ObjectPlane, OBJECT_PLANES_MAX,
	      &plane_table),
};
static const JsonTable description_table = RECORD_TABLE(description_fields);

static const JsonField facts_fields[] = {
	NUMBER_TO("kind", ObjectFd, facts.kind, FD_KIND_MAX - 1),
	WORD("device", ObjectFd, facts.device),
	WORD("inode", ObjectFd, facts.inode),
	NUMBER("size", ObjectFd, facts.size),
	BOOLEAN("isWritable", ObjectFd, facts.is_writable),
	BOOLEAN("canBeSealed", ObjectFd, facts.can_be_sealed),
	BOOLEAN("sizeIsSealed", ObjectFd, facts.size_is_sealed),
	BOOLEAN("writesAreSealed", ObjectFd, facts.writes_are_sealed),
};
static const JsonTable facts_table = RECORD_TABLE(facts_fields);

static const JsonField object_fields[] = {
	NUMBER("serial", RestoredObject, serial),
	HANDLE("handle", RestoredObject, handle),
	GUID("guid", RestoredObject, virtual_machine),
	OPTIONAL_TEXT("name", RestoredObject, settings.name),
	STRUCTURE("description", RestoredObject, settings.description, &description_table),
	ARRAY("descriptors", RestoredObject, settings.fds, settings.fd_count, ObjectFd,
	      OBJECT_FDS_MAX, &facts_table),
	PID("sharedByPid", RestoredObject, sharer_pid),
	NUMBER("since", RestoredObject, since),
};

static const JsonField sharing_fields[] = {
	NUMBER("serial", RecordedSharing, serial),
	HANDLE("object", RecordedSharing, object),
	NUMBER("virtualMachine", RecordedSharing, vm),
	STRUCTURE("sharer", RecordedSharing, sharer, &process_table),
	UID("account", RecordedSharing, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedSharing, payer.is_operator),
	ARRAY("descriptors", RecordedSharing, fds, fd_count, uint64_t, OBJECT_FDS_MAX, NULL),
};

static const JsonField holder_fields[] = {
	NUMBER("serial", RecordedHolder, serial),
	HANDLE("object", RecordedHolder, object),
	STRUCTURE("process", RecordedHolder, process, &process_table),
	UID("account", RecordedHolder, payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedHolder, payer.is_operator),
	NUMBER("since", RecordedHolder, since),
};

static const JsonField display_fields[] = {
	NUMBER("serial", RecordedDisplay, display.serial),
	HANDLE("handle", RecordedDisplay, display.handle),
	NUMBER("registration", RecordedDisplay, registration),
	NUMBER_TO("rights", RecordedDisplay, display.rights, DISPLAY_RIGHTS_ALL),
	NUMBER("since", RecordedDisplay, display.since),
	NUMBER("descriptor", RecordedDisplay, fd),
	WORD("device", RecordedDisplay, display.own.facts.device),
	WORD("inode", RecordedDisplay, display.own.facts.inode),
	UID("account", RecordedDisplay, display.payer.uid),
	OPTIONAL_BOOLEAN("operatorPays", RecordedDisplay, display.payer.is_operator),
};

#define KIND(text, array, structure)                                                    \
	{                                                                               \
		.name = (text), .table = RECORD_TABLE(array), .size = sizeof(structure) \
	}

const RecordKind record_kinds[] = {
	[STORE_ADAPTER] = KIND("adapter", adapter_fields, RecordedAdapter),
	[STORE_CLIENT_ADAPTER] =
		KIND("clientAdapter", client_adapter_fields, RecordedClientAdapter),
	[STORE_VIRTUAL_MACHINE] = KIND("virtualMachine", vm_fields, RecordedVm),
	[STORE_VIRTUAL_GPU] = KIND("virtualGpu", virtual_gpu_fields, RecordedVirtualGpu),
	[STORE_GPU_PROCESS] = KIND("gpuProcess", gpu_process_fields, RecordedGpuProcess),
	[STORE_PAGE_TABLE_ENTRY] = KIND("pageTableEntry", entry_fields, RecordedEntry),
	[STORE_RESERVATION] = KIND("reservation", reservation_fields, RecordedRange),
	[STORE_MAPPING] = KIND("mapping", mapping_fields, RecordedRange),
	[STORE_CONTEXT] = KIND("context", context_fields, RecordedContext),
	[STORE_REGISTRATION] = KIND("registration", registration_fields, RecordedRegistration),
	[STORE_OBJECT] = KIND("object", object_fields, RestoredObject),
	[STORE_SHARING] = KIND("sharing", sharing_fields, RecordedSharing),
	[STORE_HOLDER] = KIND("holder", holder_fields, RecordedHolder),
	[STORE_DISPLAY] = KIND("display", display_fields, RecordedDisplay),
};
