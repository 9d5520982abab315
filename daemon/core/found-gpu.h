/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_FOUND_GPU_H
#define DAEMON_CORE_FOUND_GPU_H

#include "daemon/core/vm.h"

/*
 * Virtual GPUs that were found: the VMM or the incoming VMM of a VM has a function of a GPU open.
 * vaild only shows them, and charges nobody for them.
 *
 * The next VM can get the same function under the same path. So vaild looks at the holder each
 * time. A look has a number from its beginning. The functions that it has seen become vGPUs of the
 * VM, and found vGPUs that it has not seen end. An uncertain look, which could not see everything,
 * ends none. Between two looks, and after a restart, the VM keeps its found vGPUs.
 *
 * A request that needs a found vGPU waits for a look that begins after the request has arrived. The
 * request fails unless that look has seen one.
 */

/* The functions that one look has seen. */
typedef struct GpuLook {
	uint64_t number;
	bool is_certain; /* it has seen everything */
	size_t count;
	HeldGpu items[2 * LIMIT_HELD_GPUS]; /* of the VMM and the incoming VMM */
} GpuLook;

/* Returns the number of a look that begins now. */
uint64_t gpu_look_begin(Broker *broker);

/* Adds what one of the VM's processes has open. A function that both have is added once. */
void gpu_look_add(GpuLook *look, const HeldGpus *held);

/*
 * Tests whether the function is a virtual GPU: a function or a mediated device of a display or of a
 * listed GPU, or a node of the host. A whole GPU is none, and neither is a function of a NIC.
 */
bool held_gpu_is_virtual(Broker *broker, const HeldGpu *held);

/* Returns the found vGPU of the VM that is this function, or NULL. */
VirtualGpu *found_gpu_find(const VirtualMachine *vm, const HeldGpu *held);

/*
 * Returns the found vGPU of another VM that is this function, or NULL. Only one process at a time
 * can open a function through VFIO, so that VM has it no more. A VM that the same process runs is
 * not meant, and neither is a node of the host, which any number of processes may open.
 */
VirtualGpu *found_gpu_of_other_vm(Broker *broker, const VirtualMachine *vm, const HeldGpu *held);

/*
 * Prepares a found vGPU of the VM. Commit and discard it like any other one. Returns
 * STATUS_SUCCESS, STATUS_NO_MEMORY, or STATUS_QUOTA_EXCEEDED if the VM has
 * LIMIT_VIRTUAL_GPUS_OF_MACHINE.
 */
NTSTATUS found_gpu_prepare(Broker *broker, VirtualMachine *vm, const HeldGpu *held,
			   VirtualGpu **ret_virtual_gpu, Failure *failure);

/* Notes that the look has seen the vGPU, which is this function. */
void found_gpu_see(Broker *broker, VirtualGpu *virtual_gpu, const HeldGpu *held, uint64_t look);

/* Notes that the look at the VM has ended. Ends the found vGPUs that it would have seen. */
void found_gpus_end_unseen(Broker *broker, VirtualMachine *vm, const GpuLook *look);

/* Tests whether all vGPUs of the VM were found, so that requests depend on looks. */
static inline bool vm_depends_on_looks(const VirtualMachine *vm)
{
	return vm->virtual_gpu_count == vm->found_gpu_count;
}

/* Tests whether that look or a later one has seen a found vGPU of the VM. */
bool vm_was_seen_with_gpu(const VirtualMachine *vm, uint64_t look);

#endif
