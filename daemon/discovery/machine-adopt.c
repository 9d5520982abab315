/* SPDX-License-Identifier: MIT */
#include "daemon/discovery/machine-adopt.h"

#include <string.h>

#include "daemon/core/broker.h"

/*
 * Tests whether the leader is the VM's VMM. Its pid cannot have been reused while the VMM is alive.
 */
static bool is_run_by_leader(Broker *broker, const VirtualMachine *vm, const FoundMachine *machine)
{
	const Host *host = broker->host;

	return vm->vmm->pid == machine->leader && host->process_is_alive(host->self, vm->vmm->key);
}

MachineStep machine_next_step(Broker *broker, const FoundMachine *machine)
{
	const VirtualMachine *vm = vm_find_also_ending(broker, &machine->guid);

	if (!vm)
		return MACHINE_STEP_ADD;
	if (vm_is_ending(vm))
		return MACHINE_STEP_WAIT;
	bool is_operators = !vm_is_found(vm) && vm->by_operator;
	if (is_operators || is_run_by_leader(broker, vm, machine))
		return MACHINE_STEP_NONE;
	return vm_is_found(vm) ? MACHINE_STEP_REPLACE : MACHINE_STEP_DISPLACE;
}

/* Fills in what the drop-ins name. */
static NTSTATUS follow_drop_ins(Broker *broker, const KnownMachine *machine, VmSettings *settings,
				Failure *failure)
{
	const VmIdentity identity = { .guid = &machine->found.guid,
				      .name = settings->name,
				      .by_operator = true };
	const DropInChoice choice = drop_ins_choose(broker->drop_ins, &identity);

	if (choice.clients) {
		settings->has_display_clients = true;
		if (!drop_in_make_clients(choice.clients, broker->host, &settings->display_clients))
			return failure_no_memory(failure);
	}
	if (choice.agent && !drop_in_take_agent(choice.agent, settings))
		return failure_no_memory(failure);
	return STATUS_SUCCESS;
}

static NTSTATUS add(Store *store, const KnownMachine *machine, ProcessKey leader,
		    VmSettings *settings)
{
	Broker *broker = store->broker;
	VirtualMachine *existing = vm_find(broker, &machine->found.guid), *vm;
	Failure failure;
	NTSTATUS status = follow_drop_ins(broker, machine, settings, &failure);

	if (status == STATUS_SUCCESS)
		status = vm_prepare_found(broker, &machine->found.guid, leader,
					  machine->found.leader, settings, &vm, &failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_vm(store, vm, NULL, &failure);
	if (status != STATUS_SUCCESS) {
		vm_discard(broker, vm);
		return status;
	}
	if (existing)
		vm_end_at_once(broker, existing, END_VM_DISPLACED);
	vm_commit(broker, vm);
	return STATUS_SUCCESS;
}

NTSTATUS machine_adopt(Store *store, const KnownMachine *machine, ProcessKey leader)
{
	VmSettings settings = VM_SETTINGS_INIT;
	NTSTATUS status = STATUS_NO_MEMORY;

	settings.name = strdup(machine_own_name(machine->name));
	if (settings.name)
		status = add(store, machine, leader, &settings);
	vm_settings_deinit(&settings);
	return status;
}

size_t machines_end_lost(Broker *broker, MachineTable *table)
{
	VirtualMachine *vm;
	uint64_t cursor = 0;
	size_t lost = 0;

	if (!machine_table_is_certain(table))
		return 0;
	while ((vm = vm_after(broker, cursor))) {
		cursor = vm->entity.serial;
		if (vm_is_ending(vm) || !vm_is_found(vm))
			continue;
		const KnownMachine *machine = machine_table_find(table, &vm->guid);
		if (machine && is_run_by_leader(broker, vm, &machine->found))
			continue;
		vm_end(broker, vm, END_VM_UNREGISTERED);
		lost++;
	}
	return lost;
}
