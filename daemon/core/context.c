/* SPDX-License-Identifier: MIT */
#include "daemon/core/context.h"

#include <stdlib.h>

#include "daemon/core/broker.h"

/* Checks whether a context can be created in the process, or in a new one if it is NULL. */
static NTSTATUS check_state(const Adapter *adapter, const GpuProcess *gpu_process, Failure *failure)
{
	if (!adapter->system_process)
		return failure_set(failure, STATUS_NOT_SUPPORTED, "found",
				   "this adapter is a device of the host without a driver that "
				   "creates contexts in vaild; create the context on another "
				   "adapter, or open the device itself");
	if (adapter->system_process->state == GPU_PROCESS_CREATING)
		return failure_set(failure, STATUS_INVALID_DEVICE_STATE, "creating",
				   "the adapter's driver has not completed its system process yet; "
				   "retry later");
	if (gpu_process && gpu_process->state == GPU_PROCESS_CREATING)
		return failure_set(failure, STATUS_INVALID_DEVICE_STATE, "creating",
				   "the adapter's driver is still creating this process; retry "
				   "later");
	if (gpu_process || adapter->driver)
		return STATUS_SUCCESS;
	return failure_set(
		failure, STATUS_NOT_SUPPORTED, "noProcess",
		"the adapter's driver has created no GPU process for this process; create the "
		"context through the driver, or on another adapter");
}

static NTSTATUS make_gpu_process(Broker *broker, const Caller *caller, Adapter *adapter,
				 GpuProcess **ret_gpu_process, Failure *failure)
{
	GpuProcessOrigin origin = {
		.key = caller->process,
		.pid = caller->pid,
		.uid = caller->credentials.uid,
		.payer = payer_of(caller),
	};

	return gpu_process_create(broker, adapter, &origin, ret_gpu_process, failure);
}

NTSTATUS context_prepare(Broker *broker, const Caller *caller, Adapter *adapter,
			 Context **ret_context, Failure *failure)
{
	const Payer payer = payer_of(caller);
	GpuProcess *gpu_process =
		gpu_process_on_adapter(process_find(broker, caller->process), adapter);
	NTSTATUS status = check_state(adapter, gpu_process, failure);

	reaper_make_room(broker);
	if (status != STATUS_SUCCESS)
		return status;
	_cleanup_free_ Context *context = calloc(1, sizeof(*context));
	if (!context)
		return failure_no_memory(failure);
	status = charge_take(&context->charge, &broker->accounts, &payer, LIMIT_CONTEXTS, failure);
	context->created_process = !gpu_process;
	if (status == STATUS_SUCCESS && !gpu_process)
		status = make_gpu_process(broker, caller, adapter, &gpu_process, failure);
	if (status != STATUS_SUCCESS) {
		charge_return(&context->charge, &broker->accounts);
		return status;
	}
	context->gpu_process = gpu_process;
	context->serial = broker_next_serial(broker);
	handle_entry_prepare(broker, &context->handle_entry, HANDLE_CONTEXT);
	*ret_context = TAKE_POINTER(context);
	return STATUS_SUCCESS;
}

void context_commit(Broker *broker, Context *context)
{
	handle_entry_insert(broker, &context->handle_entry);
	context->created_process = false;
	LIST_INSERT_HEAD(&context->gpu_process->contexts, context, link);
	context->gpu_process->context_count++;
}

void context_discard(Broker *broker, Context *context)
{
	charge_return(&context->charge, &broker->accounts);
	if (context->created_process)
		gpu_process_discard(broker, context->gpu_process);
	free(context);
}

Context *context_find(Broker *broker, const Handle *handle)
{
	HandleEntry *handle_entry = handle_entry_find(broker, HANDLE_CONTEXT, handle);

	if (!handle_entry)
		return NULL;
	Context *context = container_of(handle_entry, Context, handle_entry);
	return vm_is_ending(context->gpu_process->vm) ? NULL : context;
}

void context_end(Broker *broker, Context *context)
{
	LIST_REMOVE(context, link);
	context->gpu_process->context_count--;
	handle_entry_remove(broker, &context->handle_entry);
	broker_remove_record(broker, context->serial);
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
