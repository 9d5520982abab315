/* SPDX-License-Identifier: MIT */
#include "daemon/core/found-gpu.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker.h"

#define PCI_CLASS_DISPLAY 0x03

uint64_t gpu_look_begin(Broker *broker)
{
	return ++broker->looks_begun;
}

static bool is_same_function(const HeldGpu *a, const HeldGpu *b)
{
	return a->kind == b->kind && strcmp(a->function, b->function) == 0;
}

/* A function can get another profile, and is then another vGPU. */
static bool is_same(const HeldGpu *a, const HeldGpu *b)
{
	return is_same_function(a, b) && strcmp(a->profile, b->profile) == 0;
}

static bool look_has(const GpuLook *look, const HeldGpu *held)
{
	for (size_t i = 0; i < look->count; i++)
		if (is_same(&look->items[i], held))
			return true;
	return false;
}

void gpu_look_add(GpuLook *look, const HeldGpus *held)
{
	look->is_certain &= held->is_complete;
	for (size_t i = 0; i < held->count; i++) {
		if (look_has(look, &held->items[i]))
			continue;
		if (look->count == ARRAY_SIZE(look->items))
			look->is_certain = false;
		else
			look->items[look->count++] = held->items[i];
	}
}

bool held_gpu_is_virtual(Broker *broker, const HeldGpu *held)
{
	if (held->kind == HELD_GPU_PARAVIRTUAL)
		return true;
	if (held->kind != HELD_GPU_VIRTUAL_FUNCTION && held->kind != HELD_GPU_MDEV)
		return false;
	return held->pci_class >> 16 == PCI_CLASS_DISPLAY ||
	       adapter_find_device(broker, held->parent);
}

VirtualGpu *found_gpu_find(const VirtualMachine *vm, const HeldGpu *held)
{
	VirtualGpu *virtual_gpu;

	TAILQ_FOREACH (virtual_gpu, &vm->virtual_gpus, link)
		if (virtual_gpu->held && is_same(virtual_gpu->held, held))
			return virtual_gpu;
	return NULL;
}

static bool share_a_process(const VirtualMachine *a, const VirtualMachine *b)
{
	return vm_is_run_by(a, b->vmm->key) ||
	       (b->incoming && vm_is_run_by(a, b->incoming->process->key));
}

VirtualGpu *found_gpu_of_other_vm(Broker *broker, const VirtualMachine *vm, const HeldGpu *held)
{
	uint64_t cursor = 0;
	Entity *entity;

	while (held->kind != HELD_GPU_PARAVIRTUAL &&
	       (entity = entity_after(broker, ENTITY_VIRTUAL_GPU, cursor))) {
		VirtualGpu *other = entity_container(entity, VirtualGpu);

		cursor = entity->serial;
		if (other->held && other->vm != vm && !vm_is_ending(other->vm) &&
		    is_same_function(other->held, held) && !share_a_process(other->vm, vm))
			return other;
	}
	return NULL;
}

NTSTATUS found_gpu_prepare(Broker *broker, VirtualMachine *vm, const HeldGpu *held,
			   VirtualGpu **ret_virtual_gpu, Failure *failure)
{
	VirtualGpu *virtual_gpu;

	if (vm->virtual_gpu_count >= LIMIT_VIRTUAL_GPUS_OF_MACHINE)
		return failure_set(failure, STATUS_QUOTA_EXCEEDED, "quota",
				   "this VM has the maximum number of virtual GPUs");
	virtual_gpu = calloc(1, sizeof(*virtual_gpu));
	if (!virtual_gpu)
		return failure_no_memory(failure);
	virtual_gpu->vm = vm;
	virtual_gpu->held = malloc(sizeof(*virtual_gpu->held));
	if (held->profile[0] != '\0')
		virtual_gpu->profile = strdup(held->profile);
	if (!virtual_gpu->held || (held->profile[0] != '\0' && !virtual_gpu->profile)) {
		virtual_gpu_discard(broker, virtual_gpu);
		return failure_no_memory(failure);
	}
	*virtual_gpu->held = *held;
	handle_entry_prepare(broker, &virtual_gpu->handle_entry, HANDLE_VIRTUAL_GPU);
	entity_prepare(broker, &virtual_gpu->entity, ENTITY_VIRTUAL_GPU);
	*ret_virtual_gpu = virtual_gpu;
	return STATUS_SUCCESS;
}

void found_gpu_see(Broker *broker, VirtualGpu *virtual_gpu, const HeldGpu *held, uint64_t look)
{
	const char *device = held->parent[0] != '\0' ? held->parent : held->function;

	virtual_gpu->seen = look;
	virtual_gpu->adapter = adapter_find_device(broker, device);
}

void found_gpus_end_unseen(Broker *broker, VirtualMachine *vm, const GpuLook *look)
{
	VirtualGpu *virtual_gpu, *next;

	vm->looks = (VmLooks){ .done = look->number, .is_certain = look->is_certain };
	TAILQ_FOREACH_SAFE (virtual_gpu, &vm->virtual_gpus, link, next)
		if (look->is_certain && virtual_gpu->held && virtual_gpu->seen < look->number)
			virtual_gpu_remove(broker, virtual_gpu, END_FUNCTION_CLOSED);
}

bool vm_was_seen_with_gpu(const VirtualMachine *vm, uint64_t look)
{
	const VirtualGpu *virtual_gpu;

	TAILQ_FOREACH (virtual_gpu, &vm->virtual_gpus, link)
		if (virtual_gpu->held && virtual_gpu->seen >= look)
			return true;
	return false;
}
