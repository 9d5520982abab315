/* SPDX-License-Identifier: MIT */
#include "macros.h"
#include "params.h"

/* clang-format off */
#define REQUIRED(name, type, struct, member) \
	{ name, type, true, offsetof(struct, member), 0, NULL, 0, 0 }
#define OPTIONAL(name, type, struct, member) \
	{ name, type, false, offsetof(struct, member), 0, NULL, 0, 0 }
#define TEXT(name, struct, member, maximum) \
	{ name, PARAM_STRING, false, offsetof(struct, member), maximum, NULL, 0, 0 }
#define REQUIRED_TEXT(name, struct, member, maximum) \
	{ name, PARAM_STRING, true, offsetof(struct, member), maximum, NULL, 0, 0 }
#define OBJECT(name, struct, member, table) \
	{ name, PARAM_OBJECT, false, offsetof(struct, member), 0, table, 0, 0 }
#define ARRAY(name, struct, member, item, maximum, table) \
	{ name, PARAM_ARRAY, false, offsetof(struct, member), maximum, table, \
	  offsetof(struct, member.items), sizeof(item) }

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
/* clang-format on */
