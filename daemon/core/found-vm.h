/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_FOUND_VM_H
#define DAEMON_CORE_FOUND_VM_H

#include "daemon/core/vm.h"

/*
 * VMs that vaild has found on the host, such as those that systemd-machined knows. Finding a VM
 * gives nobody access: nobody is its display client unless a drop-in names one. Even the VMM is
 * none, because its process may not yet run the program of the VMM when it is found.
 *
 * A found VM counts as one of root's, as an operator. It is persisted like any other, because its
 * registrations are. It ends with its VMM, or when the host does not know it any more. An operator
 * who registers it takes it over, and then only requests change it.
 */

/*
 * Prepares a found VM. Takes over the used parts of settings. Without display clients in them,
 * nobody may register. By the time of vm_commit(), no other VM may have the GUID. Discard it with
 * vm_discard(). Returns the statuses of vm_prepare().
 */
NTSTATUS vm_prepare_found(Broker *broker, const Guid *guid, ProcessKey vmm, pid_t pid,
			  VmSettings *settings, VirtualMachine **ret_vm, Failure *failure);

/* Makes nobody the display client. Returns false if out of memory. */
bool display_clients_make_nobody(DisplayClients *ret);

/* Tests whether the VM was found and not taken over. */
static inline bool vm_is_found(const VirtualMachine *vm)
{
	return vm->source != VM_SOURCE_API;
}

/* An operator's registration of a found VM, which keeps its registrations, vGPUs and objects. */
struct VmTakeOver {
	VmUpdate update; /* the settings of the registration */
	uid_t registrar;
	Charge charge;
	Process *vmm; /* the VMM that the operator names, attached by prepare */
	uid_t vmm_uid;
};

/*
 * Prepares that the caller, an operator, takes the found VM over. vmm need not be the VMM that the
 * host has named. Persist with store_save_vm() and the member update, then commit or discard. The
 * settings must stay valid until then. Returns the statuses of vm_prepare().
 */
NTSTATUS vm_take_over_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      const ResolvedProcess *vmm, VmSettings *settings,
			      VmTakeOver *ret_take_over, Failure *failure);
void vm_take_over_commit(Broker *broker, VmTakeOver *take_over);
void vm_take_over_discard(Broker *broker, VmTakeOver *take_over);

#endif
