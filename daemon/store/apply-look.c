/* SPDX-License-Identifier: MIT */
#include "daemon/store/apply-look.h"

/* A second end of registrations cannot begin before the first one is complete. */
static void complete_pruning(Broker *broker, VirtualMachine *vm)
{
	vm_prune_some(broker, vm, UINT64_MAX);
}

/* Takes the function away from the VM that had it before. */
static void take_from_other_vm(Broker *broker, const VirtualMachine *vm, const HeldGpu *held)
{
	VirtualGpu *other = found_gpu_of_other_vm(broker, vm, held);

	if (!other)
		return;
	complete_pruning(broker, other->vm);
	virtual_gpu_remove(broker, other, END_FUNCTION_CLOSED);
}

/* Prepares, saves and commits a vGPU. Returns the statuses of these. */
static NTSTATUS add(Store *store, VirtualMachine *vm, const HeldGpu *held,
		    VirtualGpu **ret_virtual_gpu)
{
	Broker *broker = store->broker;
	Failure failure;
	NTSTATUS status = found_gpu_prepare(broker, vm, held, ret_virtual_gpu, &failure);

	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_virtual_gpu(store, *ret_virtual_gpu, &failure);
	if (status != STATUS_SUCCESS) {
		virtual_gpu_discard(broker, *ret_virtual_gpu);
		return status;
	}
	take_from_other_vm(broker, vm, held);
	virtual_gpu_commit(broker, *ret_virtual_gpu);
	return STATUS_SUCCESS;
}

void store_apply_look(Store *store, VirtualMachine *vm, GpuLook *look)
{
	Broker *broker = store->broker;

	complete_pruning(broker, vm);
	for (size_t i = 0; i < look->count; i++) {
		const HeldGpu *held = &look->items[i];
		VirtualGpu *virtual_gpu = found_gpu_find(vm, held);
		NTSTATUS status = STATUS_SUCCESS;

		if (!held_gpu_is_virtual(broker, held))
			continue;
		if (!virtual_gpu)
			status = add(store, vm, held, &virtual_gpu);
		if (status == STATUS_SUCCESS)
			found_gpu_see(broker, virtual_gpu, held, look->number);
		else if (status != STATUS_QUOTA_EXCEEDED)
			look->is_certain = false;
	}
	found_gpus_end_unseen(broker, vm, look);
}
