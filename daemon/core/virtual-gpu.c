/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "daemon/core/broker.h"

/* Checks that the VM and the adapter can have another vGPU. */
static NTSTATUS check_room(const VirtualMachine *vm, const Adapter *adapter, Failure *failure)
{
	bool vm_is_full = vm->virtual_gpu_count >= LIMIT_VIRTUAL_GPUS_OF_MACHINE;

	if (!vm_is_full && adapter->virtual_gpus < adapter->max_virtual_gpus)
		return STATUS_SUCCESS;
	failure_set(failure, STATUS_QUOTA_EXCEEDED, "quota", "%s",
		    vm_is_full ? "this VM has the maximum number of virtual GPUs; remove one first"
			       : "this adapter has no free virtual GPU; remove one first, or name "
				 "another adapter");
	failure->limit =
		vm_is_full ? LIMIT_NAME_MACHINE_VIRTUAL_GPUS : LIMIT_NAME_ADAPTER_VIRTUAL_GPUS;
	failure->maximum = vm_is_full ? LIMIT_VIRTUAL_GPUS_OF_MACHINE : adapter->max_virtual_gpus;
	failure->used = vm_is_full ? vm->virtual_gpu_count : adapter->virtual_gpus;
	return failure->status;
}

NTSTATUS virtual_gpu_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			     Adapter *adapter, char **profile, VirtualGpu **ret_virtual_gpu,
			     Failure *failure)
{
	const Payer payer = payer_of(caller);
	NTSTATUS status = check_room(vm, adapter, failure);

	if (status != STATUS_SUCCESS)
		return status;
	_cleanup_free_ VirtualGpu *virtual_gpu = calloc(1, sizeof(*virtual_gpu));
	if (!virtual_gpu)
		return failure_no_memory(failure);
	status = charge_take(&virtual_gpu->charge, &broker->accounts, &payer, LIMIT_VIRTUAL_GPUS,
			     failure);
	if (status != STATUS_SUCCESS)
		return status;
	virtual_gpu->vm = vm;
	virtual_gpu->adapter = adapter;
	virtual_gpu->profile = TAKE_POINTER(*profile);
	handle_entry_prepare(broker, &virtual_gpu->handle_entry, HANDLE_VIRTUAL_GPU);
	entity_prepare(broker, &virtual_gpu->entity, ENTITY_VIRTUAL_GPU);
	*ret_virtual_gpu = TAKE_POINTER(virtual_gpu);
	return STATUS_SUCCESS;
}

static void virtual_gpu_event(Broker *broker, const VirtualGpu *virtual_gpu, EventKind kind,
			      EndReason reason)
{
	broker_event(broker, &(Event){
				     .kind = kind,
				     .virtual_machine = &virtual_gpu->vm->guid,
				     .entity = &virtual_gpu->entity,
				     .handle = &virtual_gpu->handle_entry.handle,
				     .reason = reason,
			     });
}

void virtual_gpu_commit(Broker *broker, VirtualGpu *virtual_gpu)
{
	handle_entry_insert(broker, &virtual_gpu->handle_entry);
	entity_insert(broker, &virtual_gpu->entity);
	TAILQ_INSERT_TAIL(&virtual_gpu->vm->virtual_gpus, virtual_gpu, link);
	virtual_gpu->vm->virtual_gpu_count++;
	if (virtual_gpu->held)
		virtual_gpu->vm->found_gpu_count++;
	else
		virtual_gpu->adapter->virtual_gpus++;
	virtual_gpu_event(broker, virtual_gpu, EVENT_VIRTUAL_GPU_ASSIGNED, END_REQUESTED);
}

void virtual_gpu_discard(Broker *broker, VirtualGpu *virtual_gpu)
{
	charge_return(&virtual_gpu->charge, &broker->accounts);
	free(virtual_gpu->held);
	free(virtual_gpu->profile);
	free(virtual_gpu);
}

VirtualGpu *virtual_gpu_find(Broker *broker, const Handle *handle)
{
	HandleEntry *handle_entry = handle_entry_find(broker, HANDLE_VIRTUAL_GPU, handle);

	if (!handle_entry)
		return NULL;
	VirtualGpu *virtual_gpu = container_of(handle_entry, VirtualGpu, handle_entry);
	return vm_is_ending(virtual_gpu->vm) ? NULL : virtual_gpu;
}

static void take_away(Broker *broker, VirtualGpu *virtual_gpu, EndReason reason)
{
	VirtualMachine *vm = virtual_gpu->vm;

	TAILQ_REMOVE(&vm->virtual_gpus, virtual_gpu, link);
	vm->virtual_gpu_count--;
	if (virtual_gpu->held)
		vm->found_gpu_count--;
	else
		virtual_gpu->adapter->virtual_gpus--;
	handle_entry_remove(broker, &virtual_gpu->handle_entry);
	entity_remove(broker, &virtual_gpu->entity);
	broker_remove_ended(broker, virtual_gpu->entity.serial, reason);
	virtual_gpu_event(broker, virtual_gpu, EVENT_VIRTUAL_GPU_REMOVED, reason);
	virtual_gpu_discard(broker, virtual_gpu);
}

void virtual_gpu_end(Broker *broker, VirtualGpu *virtual_gpu, EndReason reason)
{
	VirtualMachine *vm = virtual_gpu->vm;

	take_away(broker, virtual_gpu, reason);
	if (TAILQ_EMPTY(&vm->virtual_gpus))
		vm_end_registrations(broker, vm, END_LAST_VIRTUAL_GPU_REMOVED);
}

void virtual_gpu_remove(Broker *broker, VirtualGpu *virtual_gpu, EndReason reason)
{
	VirtualMachine *vm = virtual_gpu->vm;

	take_away(broker, virtual_gpu, reason);
	if (TAILQ_EMPTY(&vm->virtual_gpus))
		vm_prune(broker, vm, END_LAST_VIRTUAL_GPU_REMOVED);
}
