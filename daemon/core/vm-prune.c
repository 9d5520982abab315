/* SPDX-License-Identifier: MIT */
/*
 * Ends registrations of a running VM in slices, because a VM can have thousands of them. Requests
 * that name the VM wait meanwhile (daemon/api/dispatch.c), so none is registered in between. Lists
 * ask vm_prunes() and leave out what is going to end.
 */
#include "daemon/core/broker.h"

bool vm_is_pruned(const VirtualMachine *vm)
{
	return vm && ending_has_begun(&vm->pruning);
}

bool vm_prunes(const Registration *registration)
{
	const VirtualMachine *vm = registration->vm;
	Privileges privileges = registration_privileges(registration);

	if (!vm_is_pruned(vm))
		return false;
	return vm->prune_reason != END_PRIVILEGES_CHANGED ||
	       display_clients_compare(&vm->display_clients, &privileges) != DIFFERENCE_NONE;
}

static bool prune_step(Broker *broker, Ending *ending)
{
	VirtualMachine *vm = container_of(ending, VirtualMachine, pruning);
	Registration *registration = vm->prune_next;

	if (!registration) {
		vm_stop_pruning(broker, vm);
		return false;
	}
	vm->prune_next = LIST_NEXT(registration, of_vm);
	if (vm_prunes(registration))
		registration_end(broker, registration, vm->prune_reason);
	return true;
}

void vm_prune(Broker *broker, VirtualMachine *vm, EndReason reason)
{
	if (LIST_EMPTY(&vm->registrations))
		return;
	vm->prune_reason = reason;
	vm->prune_next = LIST_FIRST(&vm->registrations);
	ending_begin(broker, &vm->pruning, prune_step);
}

void vm_stop_pruning(Broker *broker, VirtualMachine *vm)
{
	if (!vm_is_pruned(vm))
		return;
	ending_leave(broker, &vm->pruning);
	vm->pruning = (Ending){ 0 };
}
