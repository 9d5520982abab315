/* SPDX-License-Identifier: MIT */
#include "daemon/store/store.h"

/*
 * Forgets one state. If the record cannot be saved, it keeps the state until the next save of the
 * VM, so that only a restart before that would bring the state back.
 */
static void forget(Store *store, ToldGuest *guest)
{
	Broker *broker = store->broker;
	const VirtualMachine *vm = guest->vm;
	Failure failure;

	told_guest_set(broker, guest, GUEST_STATE_UNKNOWN, NULL);
	if (vm_is_ending(vm))
		return; /* its record was removed */
	store_save_vm(store, vm, NULL, &failure);
	if (guest == &vm->told_guest)
		vm_changed(broker, vm,
			   (Event){ .changed_parts = VM_PART_BIT(VM_PART_GUEST_STATE) });
}

void store_forget_guests(Store *store, const Caller *teller)
{
	Broker *broker = store->broker;
	ToldGuest *guest;

	/* If the daemon stops, the next one goes on with the states. */
	while (!broker->is_stopping && (guest = told_guest_of(broker, teller)))
		forget(store, guest);
}
