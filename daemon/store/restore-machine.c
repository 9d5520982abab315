/* SPDX-License-Identifier: MIT */
/* Restores VMs, their vGPUs and registrations. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/restore.h"
#include "proto/macros.h"

VirtualMachine *restore_find_vm(Restore *restore, uint64_t serial)
{
	return entity_container(entity_find(restore->broker, ENTITY_VIRTUAL_MACHINE, serial),
				VirtualMachine);
}

/* Sets the agent, which the record owns until now. An agent that has exited is left out. */
static RestoreReason take_agent(Restore *restore, char **user, const RecordedProcess *agent,
				VmSettings *settings)
{
	Caller caller;

	if (*user) {
		settings->agent_user = TAKE_POINTER(*user);
		settings->agent_uid = agent->uid;
	} else {
		RestoreReason reason = restore_caller(restore, agent, &agent->payer, &caller);
		if (reason != RESTORE_OK)
			return restore_reason_is_exhaustion(reason) ? reason : RESTORE_OK;
		settings->agent_process.key = agent->key;
		settings->agent_process.pid = caller.pid;
		settings->agent_process.credentials.uids[ID_EFFECTIVE] = agent->uid;
	}
	settings->has_agent = true;
	return RESTORE_OK;
}

static ResolvedProcess resolved(const Caller *caller, uid_t uid)
{
	ResolvedProcess process = { .key = caller->process, .pid = caller->pid };

	process.credentials.uids[ID_EFFECTIVE] = uid;
	return process;
}

/* Adds the incoming VMM to its VM. Leaves it out if it has exited. */
static RestoreReason restore_incoming(Restore *restore, RecordedIncoming *from, VirtualMachine *vm)
{
	Broker *broker = restore->broker;
	VmSettings settings = { .guest_state = (GuestState)from->guest_state };
	IncomingVmm *incoming;
	Caller caller;
	Failure failure;
	RestoreReason reason = restore_caller(restore, &from->vmm, &from->vmm.payer, &caller);

	if (reason != RESTORE_OK || from->vmm.key == vm->vmm->key)
		return restore_reason_is_exhaustion(reason) ? reason : RESTORE_OK;
	const ResolvedProcess vmm = resolved(&caller, from->vmm.uid);
	if (from->names_agent)
		reason = take_agent(restore, &from->agent_user, &from->agent, &settings);
	if (reason == RESTORE_OK)
		reason = restore_reason(incoming_vmm_prepare(broker, &caller, vm, &vmm, &settings,
							     &incoming, &failure));
	vm_settings_deinit(&settings);
	if (reason != RESTORE_OK)
		return reason;
	incoming->names_agent = from->names_agent;
	incoming_vmm_commit(broker, incoming);
	return RESTORE_OK;
}

/*
 * Finds the VMM. If it has exited and the incoming VMM lives, hands the VM over in the record, and
 * sets *ret_is_new if that had not happened before the restart.
 */
static RestoreReason find_vmm(Restore *restore, RecordedVm *from, Caller *ret, bool *ret_is_new)
{
	const Payer payer = { .uid = from->account, .is_operator = from->by_operator };
	RestoreReason reason = restore_caller(restore, &from->vmm, &payer, ret);

	*ret_is_new = false;
	if (reason == RESTORE_OK || restore_reason_is_exhaustion(reason) || !from->has_incoming)
		return reason;
	RestoreReason incoming = restore_caller(restore, &from->incoming.vmm, &payer, ret);
	if (incoming != RESTORE_OK)
		return restore_reason_is_exhaustion(incoming) ? incoming : reason;
	*ret_is_new = reason == RESTORE_PROCESS_IS_GONE;
	from->vmm = from->incoming.vmm;
	from->guest_state = from->incoming.guest_state;
	from->has_incoming = false;
	if (!from->incoming.names_agent)
		return RESTORE_OK;
	free(from->agent_user);
	from->has_agent = true;
	from->agent_is_from_drop_in = false;
	from->agent_user = TAKE_POINTER(from->incoming.agent_user);
	from->agent = from->incoming.agent;
	return RESTORE_OK;
}

/* Adds the VM with its VMM and its settings. caller is its VMM, with the payer of the VM. */
static RestoreReason add_vm(Restore *restore, RecordedVm *from, Caller *caller,
			    VirtualMachine **ret_vm)
{
	Broker *broker = restore->broker;
	const ResolvedProcess vmm = resolved(caller, from->vmm.uid);
	VmSettings settings = { .name = TAKE_POINTER(from->name),
				.guest_state = (GuestState)from->guest_state };
	RestoreReason reason = RESTORE_OK;
	Failure failure;

	caller->credentials.uid = from->registered_by;
	/* A client of an older version may have an unmapped id. The VM keeps it; nobody matches it.
	 */
	settings.display_clients = from->display_clients;
	/* Records that lack this member may be of a version that had the other one. */
	settings.has_metadata = from->has_metadata || from->display_clients.are_from_libvirt;
	settings.agent_is_from_drop_in = from->agent_is_from_drop_in;
	from->display_clients = DISPLAY_CLIENTS_INIT;
	if (from->has_agent)
		reason = take_agent(restore, &from->agent_user, &from->agent, &settings);
	if (reason == RESTORE_OK)
		reason = restore_reason(
			vm_prepare(broker, caller, &from->guid, &vmm, &settings, ret_vm, &failure));
	vm_settings_deinit(&settings);
	return reason;
}

RestoreReason restore_vm(Restore *restore, void *record)
{
	RecordedVm *from = record;
	Broker *broker = restore->broker;
	VirtualMachine *vm;
	Caller caller;
	bool is_handed_over;
	RestoreReason reason = find_vmm(restore, from, &caller, &is_handed_over);

	if (reason != RESTORE_OK)
		return reason;
	if (vm_find(broker, &from->guid))
		return RESTORE_GUID_IS_TAKEN;
	if (from->display_clients.count == 0)
		return RESTORE_NO_DISPLAY_CLIENT;
	reason = add_vm(restore, from, &caller, &vm);
	if (reason != RESTORE_OK)
		return reason;
	vm->entity.serial = from->serial;
	vm->since = from->since;
	vm->source = from->is_found ? VM_SOURCE_MACHINED : VM_SOURCE_API;
	vm_commit(broker, vm);
	if (is_handed_over)
		restore->handed_over[restore->handed_over_count++] = vm;
	return from->has_incoming ? restore_incoming(restore, &from->incoming, vm) : RESTORE_OK;
}

/* Copies a text of a record. Returns false if it does not fit. */
static bool copy_text(char *ret, size_t size, const char *text)
{
	int length = snprintf(ret, size, "%s", text ? text : "");

	return length >= 0 && (size_t)length < size;
}

/* The next look tells whether the VM still has the function. */
static RestoreReason prepare_found(Restore *restore, const RecordedVirtualGpu *from,
				   VirtualMachine *vm, VirtualGpu **ret_virtual_gpu)
{
	HeldGpu held = { .kind = (uint32_t)from->found.kind,
			 .pci_class = (uint32_t)from->found.pci_class };
	Failure failure;

	if (from->found.function[0] == '\0' ||
	    !copy_text(held.function, sizeof(held.function), from->found.function) ||
	    !copy_text(held.parent, sizeof(held.parent), from->found.device) ||
	    !copy_text(held.profile, sizeof(held.profile), from->profile))
		return RESTORE_INVALID_FIELD;
	return restore_reason(
		found_gpu_prepare(restore->broker, vm, &held, ret_virtual_gpu, &failure));
}

static RestoreReason prepare_assigned(Restore *restore, RecordedVirtualGpu *from,
				      VirtualMachine *vm, VirtualGpu **ret_virtual_gpu)
{
	const Caller caller = { .account = from->payer.uid,
				.is_operator = from->payer.is_operator };
	Adapter *adapter = restore_find_adapter(restore, from->adapter);
	Failure failure;

	if (!adapter)
		return RESTORE_ADAPTER_IS_GONE;
	return restore_reason(virtual_gpu_prepare(restore->broker, &caller, vm, adapter,
						  &from->profile, ret_virtual_gpu, &failure));
}

RestoreReason restore_virtual_gpu(Restore *restore, void *record)
{
	RecordedVirtualGpu *from = record;
	Broker *broker = restore->broker;
	VirtualMachine *vm = restore_find_vm(restore, from->vm);
	VirtualGpu *virtual_gpu;

	if (!vm)
		return restore_without_vm(restore, from->vm);
	if (handle_entry_is_taken(broker, &from->handle))
		return RESTORE_HANDLE_IS_TAKEN;
	RestoreReason reason = from->was_found ? prepare_found(restore, from, vm, &virtual_gpu)
					       : prepare_assigned(restore, from, vm, &virtual_gpu);
	if (reason != RESTORE_OK)
		return reason;
	virtual_gpu->handle_entry.handle = from->handle;
	virtual_gpu->entity.serial = from->serial;
	virtual_gpu_commit(broker, virtual_gpu);
	return RESTORE_OK;
}

static RestoreReason check_registrable(Restore *restore, const RecordedRegistration *from,
				       const VirtualMachine *vm)
{
	if (TAILQ_EMPTY(&vm->virtual_gpus))
		return RESTORE_NO_VIRTUAL_GPU;
	if (registration_find(restore->broker, from->process.key, vm))
		return RESTORE_REGISTERED_ALREADY;
	return RESTORE_OK;
}

RestoreReason restore_registration(Restore *restore, void *record)
{
	RecordedRegistration *from = record;
	Broker *broker = restore->broker;
	VirtualMachine *vm = restore_find_vm(restore, from->vm);
	Registration *registration;
	Caller caller;
	Failure failure;
	RestoreReason reason = vm ? restore_caller(restore, &from->process, &from->payer, &caller)
				  : restore_without_vm(restore, from->vm);

	/* A registration that had ended with its process is compared with nothing. */
	if (reason == RESTORE_OK)
		reason = check_registrable(restore, from, vm);
	if (reason != RESTORE_OK)
		return reason;
	caller.credentials = from->connection_credentials;
	NTSTATUS status = registration_prepare(broker, &caller, vm, &from->process_credentials,
					       from->graphics_context, &registration, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	registration->entity.serial = from->serial;
	registration->since = from->since;
	registration_commit(broker, registration);
	return RESTORE_OK;
}
