/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/drop-in-apply.h"

#include "daemon/core/broker.h"

/* Drop-ins are the administrator's. */
static const Caller administrator = { .is_operator = true };

/* Prepares, persists and commits what the drop-ins change. Returns false if out of resources. */
static bool apply(Store *store, VirtualMachine *vm)
{
	Broker *broker = store->broker;
	VmSettings settings = VM_SETTINGS_INIT;
	VmUpdate update;
	Failure failure;
	/* A second end of registrations cannot begin before the first one is complete. */
	vm_prune_some(broker, vm, UINT64_MAX);
	bool is_resolved = drop_ins_resolve(broker, vm, vm->name, &settings);

	vm_follow_drop_ins(broker, vm);
	if (is_resolved && (settings.has_display_clients || settings.has_agent)) {
		/* This attaches no process, so it cannot fail. */
		vm_update_prepare(broker, &administrator, vm, &settings, &update, &failure);
		store_save_vm(store, vm, &update, &failure);
		vm_update_commit(broker, &update);
	}
	vm_settings_deinit(&settings);
	return is_resolved;
}

size_t drop_ins_apply(Store *store)
{
	size_t failures = 0;
	VirtualMachine *vm;
	uint64_t cursor = 0;

	while ((vm = vm_after(store->broker, cursor))) {
		cursor = vm->entity.serial;
		if (!vm_is_ending(vm) && !apply(store, vm))
			failures++;
	}
	return failures;
}
