/* SPDX-License-Identifier: MIT */
#include "daemon/api/methods.h"

#include <string.h>

#include "proto/interfaces.h"

#define CALL(interface, name, rule, subject, flags, params, handler)               \
	{                                                                          \
		interface, name, rule, subject, flags, params, handler, NULL, NULL \
	}

#define LIST_OF(interface, name, rule, subject, params, list, key)                               \
	{                                                                                        \
		interface, name, rule, subject, METHOD_READS, params, NULL, list, "\"" key "\":" \
	}

#define LIST(interface, name, rule, list, key) \
	LIST_OF(interface, name, rule, SUBJECT_NONE, &params_none, list, key)

#define CHANGES METHOD_CHANGES_STATE

/* clang-format off */
const Method methods[] = {
	CALL(INTERFACE_SERVICE, "GetInfo", RULE_ANYONE, SUBJECT_NONE, METHOD_READS,
	     &params_none, method_get_info),
	CALL(INTERFACE_SERVICE, "GetInterfaceDescription", RULE_ANYONE, SUBJECT_NONE, METHOD_READS,
	     &params_interface, method_get_interface_description),

	/* Does not need CHANGES: its rule reads the caller's credentials, and notices its end. */
	CALL(INTERFACE_VAILD, "RegisterVailProcess", RULE_DISPLAY_CLIENT, SUBJECT_VM,
	     METHOD_AUDITS_REFUSALS, &params_machine, method_register_vail_process),
	CALL(INTERFACE_VAILD, "UnregisterVailProcess", RULE_ANYONE, SUBJECT_VM, CHANGES,
	     &params_machine, method_unregister_vail_process),
	CALL(INTERFACE_VAILD, "RevokeRegistration", RULE_MACHINE_OWNER, SUBJECT_VM, CHANGES,
	     &params_revoke, method_revoke_registration),
	CALL(INTERFACE_VAILD, "Watch", RULE_WATCHER, SUBJECT_VM_IF_NAMED, METHOD_STREAMS,
	     &params_machine_if_named, method_watch),
	LIST(INTERFACE_VAILD, "ListRegistrations", RULE_ANYONE, &list_registrations,
	     "registrations"),
	CALL(INTERFACE_VAILD, "ShareObjectWithHost", RULE_SHARER, SUBJECT_VM,
	     CHANGES | METHOD_TAKES_FDS, &params_share, method_share_object_with_host),
	CALL(INTERFACE_VAILD, "UpdateObject", RULE_OBJECT_SHARER, SUBJECT_OBJECT, METHOD_READS,
	     &params_update, method_update_object),
	CALL(INTERFACE_VAILD, "UnshareObject", RULE_OBJECT_ENDER, SUBJECT_OBJECT, CHANGES,
	     &params_object_handle, method_unshare_object),
	/* Does not need CHANGES, for the same reason. */
	CALL(INTERFACE_VAILD, "OpenSharedObject", RULE_OBJECT_OPENER, SUBJECT_OBJECT,
	     METHOD_AUDITS_REFUSALS | METHOD_GIVES_FDS, &params_object_handle,
	     method_open_shared_object),
	CALL(INTERFACE_VAILD, "CloseSharedObject", RULE_OBJECT_HOLDER, SUBJECT_HELD_OBJECT, CHANGES,
	     &params_object_handle, method_close_shared_object),
	LIST_OF(INTERFACE_VAILD, "ListSharedObjects", RULE_ANYONE, SUBJECT_VM_IF_NAMED,
		&params_machine_if_named, &list_shared_objects, "sharedObjects"),

	CALL(INTERFACE_MACHINE, "RegisterVirtualMachine", RULE_MACHINE_MAKER, SUBJECT_NONE, CHANGES,
	     &params_register_machine, method_register_virtual_machine),
	CALL(INTERFACE_MACHINE, "UpdateVirtualMachine", RULE_MACHINE_OWNER, SUBJECT_VM, CHANGES,
	     &params_update_machine, method_update_virtual_machine),
	CALL(INTERFACE_MACHINE, "UnregisterVirtualMachine", RULE_MACHINE_OWNER, SUBJECT_VM, CHANGES,
	     &params_unregister_machine, method_unregister_virtual_machine),
	CALL(INTERFACE_MACHINE, "AssignVirtualGpu", RULE_MACHINE_OWNER, SUBJECT_VM, CHANGES,
	     &params_assign, method_assign_virtual_gpu),
	CALL(INTERFACE_MACHINE, "RemoveVirtualGpu", RULE_MACHINE_OWNER, SUBJECT_VIRTUAL_GPU,
	     CHANGES, &params_virtual_gpu, method_remove_virtual_gpu),
	LIST(INTERFACE_MACHINE, "ListVirtualMachines", RULE_ANYONE, &list_virtual_machines,
	     "virtualMachines"),
	CALL(INTERFACE_MACHINE, "DescribeVirtualMachine", RULE_MACHINE_VIEWER, SUBJECT_VM,
	     METHOD_READS, &params_machine, method_describe_virtual_machine),
	CALL(INTERFACE_MACHINE, "SetQuarantine", RULE_QUARANTINER, SUBJECT_NONE, CHANGES,
	     &params_quarantine, method_set_quarantine),
	LIST(INTERFACE_MACHINE, "ListQuarantines", RULE_QUARANTINE_VIEWER, &list_quarantines,
	     "quarantines"),

	/* Does not need CHANGES, for the same reason. */
	CALL(INTERFACE_DISPLAY, "OpenDisplay", RULE_DISPLAY_OPENER, SUBJECT_VM,
	     METHOD_AUDITS_REFUSALS | METHOD_GIVES_FDS, &params_open_display, method_open_display),
	CALL(INTERFACE_DISPLAY, "ServeDisplays", RULE_DISPLAY_SERVER, SUBJECT_VM,
	     CHANGES | METHOD_STREAMS, &params_serve_displays, method_serve_displays),
	CALL(INTERFACE_DISPLAY, "CloseDisplay", RULE_DISPLAY_CLOSER, SUBJECT_DISPLAY, CHANGES,
	     &params_display, method_close_display),
	LIST_OF(INTERFACE_DISPLAY, "ListDisplays", RULE_ANYONE, SUBJECT_VM_IF_NAMED,
		&params_machine_if_named, &list_displays, "displays"),

	LIST(INTERFACE_GPU, "ListAdapters", RULE_ANYONE, &list_adapters, "adapters"),
	LIST_OF(INTERFACE_GPU, "ListHolders", RULE_ANYONE, SUBJECT_VM_IF_NAMED,
		&params_machine_if_named, &list_gpu_holders, "holders"),
	CALL(INTERFACE_GPU, "RegisterAdapter", RULE_OPERATOR, SUBJECT_NONE, CHANGES,
	     &params_register_adapter, method_register_adapter),
	CALL(INTERFACE_GPU, "UnregisterAdapter", RULE_ADAPTER_OWNER, SUBJECT_ADAPTER, CHANGES,
	     &params_unregister_adapter, method_unregister_adapter),
	CALL(INTERFACE_GPU, "CreateContext", RULE_ANYONE, SUBJECT_ADAPTER, CHANGES,
	     &params_adapter, method_create_context),
	CALL(INTERFACE_GPU, "DestroyContext", RULE_CONTEXT_OWNER, SUBJECT_CONTEXT, CHANGES,
	     &params_context, method_destroy_context),
	CALL(INTERFACE_GPU, "CreateProcess", RULE_ADAPTER_DRIVER, SUBJECT_ADAPTER, CHANGES,
	     &params_create_process, method_create_process),
	CALL(INTERFACE_GPU, "ReserveGpuVirtualAddressRange", RULE_ADAPTER_DRIVER,
	     SUBJECT_GPU_PROCESS, CHANGES, &params_reserve_range,
	     method_reserve_gpu_virtual_address_range),
	CALL(INTERFACE_GPU, "CompleteCreateProcess", RULE_ADAPTER_DRIVER, SUBJECT_GPU_PROCESS,
	     CHANGES, &params_process, method_complete_create_process),
	CALL(INTERFACE_GPU, "DestroyProcess", RULE_ADAPTER_DRIVER, SUBJECT_GPU_PROCESS, CHANGES,
	     &params_process, method_destroy_process),
	LIST(INTERFACE_GPU, "ListProcesses", RULE_ANYONE, &list_processes, "processes"),
	CALL(INTERFACE_GPU, "SetReservedPageTableEntry", RULE_ADAPTER_DRIVER, SUBJECT_GPU_PROCESS,
	     CHANGES, &params_set_entry, method_set_reserved_page_table_entry),
	CALL(INTERFACE_GPU, "EvictPageTable", RULE_ADAPTER_DRIVER, SUBJECT_GPU_PROCESS, CHANGES,
	     &params_page_table, method_evict_page_table),
	CALL(INTERFACE_GPU, "MakePageTableResident", RULE_ADAPTER_DRIVER, SUBJECT_GPU_PROCESS,
	     CHANGES, &params_page_table, method_make_page_table_resident),
	CALL(INTERFACE_GPU, "ReserveGpuVirtualAddress", RULE_PROCESS_ITSELF, SUBJECT_GPU_PROCESS,
	     CHANGES, &params_reserve, method_reserve_gpu_virtual_address),
	CALL(INTERFACE_GPU, "MapGpuVirtualAddress", RULE_PROCESS_ITSELF, SUBJECT_GPU_PROCESS,
	     CHANGES, &params_map, method_map_gpu_virtual_address),
	CALL(INTERFACE_GPU, "FreeGpuVirtualAddress", RULE_PROCESS_ITSELF, SUBJECT_GPU_PROCESS,
	     CHANGES, &params_free, method_free_gpu_virtual_address),
	CALL(INTERFACE_GPU, "TranslateGpuVirtualAddress", RULE_PROCESS_VIEWER, SUBJECT_GPU_PROCESS,
	     METHOD_READS, &params_page_table, method_translate_gpu_virtual_address),
	LIST_OF(INTERFACE_GPU, "DescribeAddressSpace", RULE_PROCESS_VIEWER, SUBJECT_GPU_PROCESS,
		&params_process, &list_ranges, "ranges"),

	CALL(INTERFACE_MONITOR, "GetStatus", RULE_ANYONE, SUBJECT_NONE, METHOD_READS,
	     &params_none, method_get_status),
	CALL(INTERFACE_MONITOR, "GetMetrics", RULE_OBSERVER, SUBJECT_NONE, METHOD_READS,
	     &params_none, method_get_metrics),
	CALL(INTERFACE_MONITOR, "ReloadConfiguration", RULE_OPERATOR, SUBJECT_NONE, CHANGES,
	     &params_none, method_reload_configuration),
};
/* clang-format on */

const size_t method_count = ARRAY_SIZE(methods);
_Static_assert(ARRAY_SIZE(methods) <= STATISTICS_METHODS_MAX, "each method is counted");

MethodLookup method_find(const char *name, const Method **ret_method)
{
	const char *dot = strrchr(name, '.');
	size_t interface_length = dot ? (size_t)(dot - name) : 0;
	bool interface_known = !dot; /* without a dot, the method is unknown, not the interface */

	for (size_t i = 0; dot && i < method_count; i++) {
		const char *interface = methods[i].interface;

		if (strncmp(interface, name, interface_length) != 0 ||
		    interface[interface_length] != '\0')
			continue;
		interface_known = true;
		if (strcmp(methods[i].name, dot + 1) == 0) {
			*ret_method = &methods[i];
			return METHOD_FOUND;
		}
	}
	return interface_known ? METHOD_UNKNOWN : METHOD_INTERFACE_UNKNOWN;
}

static bool interface_is_described(const char *name)
{
	for (size_t i = 0; i < interface_count; i++)
		if (strcmp(interfaces[i].name, name) == 0)
			return true;
	return false;
}

bool methods_are_sound(void)
{
	for (size_t i = 0; i < method_count; i++) {
		const Method *method = &methods[i];

		if (method->rule <= RULE_NONE || method->rule >= RULE_MAX)
			return false;
		if (!method->params || !method->handler == !method->list)
			return false;
		if (!interface_is_described(method->interface))
			return false;
	}
	return true;
}
