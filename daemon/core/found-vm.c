/* SPDX-License-Identifier: MIT */
#include "daemon/core/found-vm.h"

#include <stdlib.h>

#include "daemon/core/broker.h"

/* Found VMs are root's, as an operator. */
static const Caller finder = { .is_operator = true };

bool display_clients_make_nobody(DisplayClients *ret)
{
	*ret = DISPLAY_CLIENTS_INIT;
	ret->items = calloc(1, sizeof(*ret->items));
	if (!ret->items)
		return false;
	ret->items[ret->count++].unreadable = true;
	return true;
}

NTSTATUS vm_prepare_found(Broker *broker, const Guid *guid, ProcessKey vmm, pid_t pid,
			  VmSettings *settings, VirtualMachine **ret_vm, Failure *failure)
{
	ResolvedProcess process = { .key = vmm, .pid = pid };

	process.credentials.uids[ID_EFFECTIVE] = UID_UNKNOWN;
	if (!settings->has_display_clients &&
	    !display_clients_make_nobody(&settings->display_clients))
		return failure_no_memory(failure);
	NTSTATUS status = vm_prepare(broker, &finder, guid, &process, settings, ret_vm, failure);
	if (status == STATUS_SUCCESS)
		(*ret_vm)->source = VM_SOURCE_MACHINED;
	return status;
}

/* Charges the operator for the VM. Another VM of the same payer does not come into being. */
static NTSTATUS charge_for(Broker *broker, const Payer *payer, const VirtualMachine *vm,
			   Charge *ret, Failure *failure)
{
	Accounts *accounts = &broker->accounts;

	if (payer_compare(payer, &vm->charge.account->payer) == 0)
		return charge_restore(ret, accounts, payer, LIMIT_VIRTUAL_MACHINES, failure);
	return charge_take(ret, accounts, payer, LIMIT_VIRTUAL_MACHINES, failure);
}

/* Releases what prepare has attached and charged. */
static void release(Broker *broker, VmTakeOver *take_over)
{
	charge_return(&take_over->charge, &broker->accounts);
	process_release(broker, take_over->vmm);
}

NTSTATUS vm_take_over_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      const ResolvedProcess *vmm, VmSettings *settings,
			      VmTakeOver *ret_take_over, Failure *failure)
{
	const Payer payer = payer_of(caller);
	const ProcessOrigin origin = resolved_process_origin(vmm, &payer);
	VmTakeOver take_over = { .registrar = caller->credentials.uid, .vmm_uid = origin.uid };
	NTSTATUS status = charge_for(broker, &payer, vm, &take_over.charge, failure);

	/* As for a new VM, an agent must be named by the request, or by a drop-in for it. */
	settings->has_agent |= vm->agent.is_from_drop_in;
	if (status == STATUS_SUCCESS)
		status = process_attach(broker, &origin, &take_over.vmm, failure);
	if (status == STATUS_SUCCESS)
		status =
			vm_update_prepare(broker, caller, vm, settings, &take_over.update, failure);
	if (status != STATUS_SUCCESS) {
		release(broker, &take_over);
		return status;
	}
	*ret_take_over = take_over;
	ret_take_over->update.take_over = ret_take_over;
	return STATUS_SUCCESS;
}

void vm_take_over_discard(Broker *broker, VmTakeOver *take_over)
{
	vm_update_discard(broker, &take_over->update);
	release(broker, take_over);
}

/* Makes the named process the VMM, and reports that. Returns the former VMM, or NULL if it stays.
 */
static Process *replace_vmm(Broker *broker, VirtualMachine *vm, Process *vmm)
{
	Process *former = vm->vmm;

	if (former == vmm)
		return NULL;
	LIST_REMOVE(vm, of_vmm);
	vm->vmm = vmm;
	LIST_INSERT_HEAD(&vmm->virtual_machines, vm, of_vmm);
	unsigned int servers = display_servers_hand_over(broker, vm);
	vm_changed(broker, vm,
		   (Event){ .hand_over = HAND_OVER_COMPLETED,
			    .changed_parts = VM_PART_BIT(VM_PART_VMM) |
					     VM_PART_BIT(VM_PART_SOURCE) | servers,
			    .changes_sharers = true,
			    .former_vmm = former });
	return former;
}

void vm_take_over_commit(Broker *broker, VmTakeOver *take_over)
{
	VirtualMachine *vm = take_over->update.vm;

	vm->source = VM_SOURCE_API;
	vm->registered_by = take_over->registrar;
	charge_return(&vm->charge, &broker->accounts);
	vm->charge = take_over->charge;
	take_over->vmm->uid = take_over->vmm_uid;
	Process *former = replace_vmm(broker, vm, take_over->vmm);
	if (!former)
		vm_changed(broker, vm, (Event){ .changed_parts = VM_PART_BIT(VM_PART_SOURCE) });
	vm_update_commit(broker, &take_over->update);
	/* Drop-ins may be for another name, or for the VMs of another user than root. */
	vm_follow_drop_ins(broker, vm);
	/* Either the former VMM, or the second attachment of the one that stays. */
	process_release(broker, former ? former : take_over->vmm);
}
