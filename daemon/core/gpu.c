/* SPDX-License-Identifier: MIT */
#include "gpu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"

bool adapter_add_software(Broker *broker)
{
	static const uint8_t index_bits[] = { 9, 9, 9, 9 };
	Adapter *adapter = calloc(1, sizeof(*adapter));
	char *name = strdup("vaild software adapter");

	if (!adapter || !name) {
		free(adapter);
		free(name);
		return false;
	}
	adapter->name = name;
	adapter->source = ADAPTER_SOFTWARE;
	adapter->level_count = ARRAY_SIZE(index_bits);
	memcpy(adapter->index_bits, index_bits, sizeof(index_bits));
	adapter->max_virtual_gpus = LIMIT_SOFTWARE_ADAPTER_VIRTUAL_GPUS;
	named_add(broker, &adapter->named, NAMED_ADAPTER);
	thing_add(broker, &adapter->thing, THING_ADAPTER);
	return true;
}

Adapter *adapter_software(Broker *broker)
{
	return adapter_after(broker, 0);
}

void adapter_remove(Broker *broker, Adapter *adapter)
{
	assert(adapter->virtual_gpus == 0);
	thing_remove(broker, &adapter->thing);
	named_remove(broker, &adapter->named);
	free(adapter->name);
	free(adapter);
}

Adapter *adapter_find(Broker *broker, const Handle *handle)
{
	Named *named = named_find(broker, NAMED_ADAPTER, handle);

	return named ? container_of(named, Adapter, named) : NULL;
}

Adapter *adapter_after(Broker *broker, uint64_t serial)
{
	return thing_owner(thing_after(broker, THING_ADAPTER, serial), Adapter);
}

unsigned int adapter_address_bits(const Adapter *adapter)
{
	unsigned int bits = GPU_PAGE_BITS;

	for (unsigned int level = 0; level < adapter->level_count; level++)
		bits += adapter->index_bits[level];
	return bits;
}

uint64_t adapter_leaf_coverage(const Adapter *adapter)
{
	return UINT64_C(1) << (GPU_PAGE_BITS + adapter->index_bits[0]);
}

uint64_t adapter_root_entry_coverage(const Adapter *adapter)
{
	unsigned int root_bits = adapter->index_bits[adapter->level_count - 1];

	return UINT64_C(1) << (adapter_address_bits(adapter) - root_bits);
}

static GpuProcess *gpu_process_find(const Process *process, const Adapter *adapter)
{
	GpuProcess *gpu_process;

	LIST_FOREACH (gpu_process, &process->gpu_processes, of_process)
		if (gpu_process->adapter == adapter)
			return gpu_process;
	return NULL;
}

static NTSTATUS gpu_process_new(Broker *broker, const Caller *caller, Adapter *adapter,
				GpuProcess **ret, Failure *failure)
{
	_cleanup_free_ GpuProcess *gpu_process = calloc(1, sizeof(*gpu_process));

	if (!gpu_process)
		return failure_no_memory(failure);
	NTSTATUS status = charge_take(&gpu_process->charge, &broker->accounts, caller->account,
				      caller->is_operator, LIMIT_GPU_PROCESSES, failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = process_attach(broker, caller->process, caller->pid, caller->credentials.uid,
				&gpu_process->process, failure);
	if (status != STATUS_SUCCESS) {
		charge_return(&gpu_process->charge, &broker->accounts);
		return status;
	}
	gpu_process->adapter = adapter;
	LIST_INIT(&gpu_process->contexts);
	LIST_INSERT_HEAD(&gpu_process->process->gpu_processes, gpu_process, of_process);
	named_add(broker, &gpu_process->named, NAMED_GPU_PROCESS);
	*ret = TAKE_POINTER(gpu_process);
	return STATUS_SUCCESS;
}

static void gpu_process_free(Broker *broker, GpuProcess *gpu_process)
{
	Process *process = gpu_process->process;

	assert(LIST_EMPTY(&gpu_process->contexts) && gpu_process->context_count == 0);
	LIST_REMOVE(gpu_process, of_process);
	named_remove(broker, &gpu_process->named);
	charge_return(&gpu_process->charge, &broker->accounts);
	free(gpu_process);
	process_release(broker, process);
}

NTSTATUS context_prepare(Broker *broker, const Caller *caller, Adapter *adapter,
			 Context **ret_context, Failure *failure)
{
	_cleanup_free_ Context *context = calloc(1, sizeof(*context));
	Process *process = process_find(broker, caller->process);

	if (!context)
		return failure_no_memory(failure);
	NTSTATUS status = charge_take(&context->charge, &broker->accounts, caller->account,
				      caller->is_operator, LIMIT_CONTEXTS, failure);
	if (status != STATUS_SUCCESS)
		return status;
	context->gpu_process = process ? gpu_process_find(process, adapter) : NULL;
	if (!context->gpu_process)
		status = gpu_process_new(broker, caller, adapter, &context->gpu_process, failure);
	if (status != STATUS_SUCCESS) {
		charge_return(&context->charge, &broker->accounts);
		return status;
	}
	*ret_context = TAKE_POINTER(context);
	return STATUS_SUCCESS;
}

void context_commit(Broker *broker, Context *context)
{
	named_add(broker, &context->named, NAMED_CONTEXT);
	LIST_INSERT_HEAD(&context->gpu_process->contexts, context, link);
	context->gpu_process->context_count++;
}

Context *context_find(Broker *broker, const Handle *handle)
{
	Named *named = named_find(broker, NAMED_CONTEXT, handle);

	return named ? container_of(named, Context, named) : NULL;
}

void context_end(Broker *broker, Context *context)
{
	LIST_REMOVE(context, link);
	context->gpu_process->context_count--;
	named_remove(broker, &context->named);
	charge_return(&context->charge, &broker->accounts);
	free(context);
}

bool process_has_context(const Process *process)
{
	const GpuProcess *gpu_process;

	LIST_FOREACH (gpu_process, &process->gpu_processes, of_process)
		if (gpu_process->context_count > 0)
			return true;
	return false;
}

void gpu_process_end(Broker *broker, GpuProcess *gpu_process, EndReason reason)
{
	Context *context;

	while ((context = LIST_FIRST(&gpu_process->contexts)))
		context_end(broker, context);
	broker_event(broker, &(Event){
				     .kind = EVENT_GPU_PROCESS_REMOVED,
				     .handle = &gpu_process->named.handle,
				     .pid = gpu_process->process->pid,
				     .uid = gpu_process->process->uid,
				     .reason = reason,
			     });
	gpu_process_free(broker, gpu_process);
}

static void gpu_process_check(const GpuProcess *gpu_process)
{
	const Context *context;
	size_t contexts = 0;

	LIST_FOREACH (context, &gpu_process->contexts, link) {
		assert(context->gpu_process == gpu_process);
		assert(context->charge.account && context->charge.kind == LIMIT_CONTEXTS);
		contexts++;
	}
	assert(contexts == gpu_process->context_count);
	assert(gpu_process->charge.account && gpu_process->charge.kind == LIMIT_GPU_PROCESSES);
}

void gpu_check(Broker *broker)
{
	Process *process;
	GpuProcess *gpu_process;
	Adapter *adapter;

	for (process = process_first(broker); process; process = process_next(process))
		LIST_FOREACH (gpu_process, &process->gpu_processes, of_process) {
			assert(gpu_process->process == process);
			gpu_process_check(gpu_process);
		}
	for (adapter = adapter_after(broker, 0); adapter;
	     adapter = adapter_after(broker, adapter->thing.serial)) {
		assert(adapter_find(broker, &adapter->named.handle) == adapter);
		assert(adapter->virtual_gpus <= adapter->max_virtual_gpus);
	}
}
