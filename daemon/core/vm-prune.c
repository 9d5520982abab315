/* SPDX-License-Identifier: MIT */
/*
 * Ends registrations of a running VM in slices, because a VM can have thousands of them. Requests
 * that name the VM wait meanwhile (daemon/api/dispatch.c), so none is registered in between. Lists
 * ask vm_prunes() and leave out what is going to end. Display channels are cut at once.
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

/* Cuts the channels, because input must stop at once. */
static void prune_channels(Broker *broker, VirtualMachine *vm)
{
	Registration *registration;

	LIST_FOREACH (registration, &vm->registrations, of_vm) {
		Privileges privileges = registration_privileges(registration);

		if (LIST_EMPTY(&registration->display_channels))
			continue;
		if (!vm_prunes(registration))
			display_channels_withdraw(
				broker, registration,
				display_clients_rights(&vm->display_clients, &privileges));
		else
			display_channels_cut(broker, registration, vm->prune_reason);
	}
}

void vm_prune(Broker *broker, VirtualMachine *vm, EndReason reason)
{
	if (LIST_EMPTY(&vm->registrations))
		return;
	vm->prune_reason = reason;
	vm->prune_next = LIST_FIRST(&vm->registrations);
	ending_begin(broker, &vm->pruning, prune_step);
	prune_channels(broker, vm);
}

void vm_prune_some(Broker *broker, VirtualMachine *vm, uint64_t microseconds)
{
	uint64_t begin = broker_now(broker);

	while (vm_is_pruned(vm) && prune_step(broker, &vm->pruning) &&
	       broker_now(broker) - begin < microseconds)
		;
}

void vm_stop_pruning(Broker *broker, VirtualMachine *vm)
{
	if (!vm_is_pruned(vm))
		return;
	ending_leave(broker, &vm->pruning);
	vm->pruning = (Ending){ 0 };
}
