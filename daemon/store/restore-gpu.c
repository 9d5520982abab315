/* SPDX-License-Identifier: MIT */
/* GPU processes, what they have reserved and mapped, and contexts. */
#include "restore.h"

static NTSTATUS reserve_for_driver(GpuProcess *gpu_process, const RecordedGpuProcess *from)
{
	NTSTATUS status = STATUS_SUCCESS;
	Failure failure;
	uint64_t address;

	for (size_t i = 0; i < from->reservation_count && status == STATUS_SUCCESS; i++) {
		const RecordedReservation *range = &from->reservations[i];
		const DriverReservation reservation = {
			.size = pages_to_bytes(range->end - range->first),
			.base_address = pages_to_bytes(range->first),
			.allow_user_mode_mapping = range->allow_user_mode_mapping,
		};

		if (range->first == 0) /* which would have one chosen */
			return STATUS_INVALID_PARAMETER;
		status = address_space_reserve_for_driver(&gpu_process->space, &gpu_process->payer,
							  &reservation, &address, &failure);
	}
	return status;
}

const char *restore_gpu_process(Restore *restore, void *record)
{
	const RecordedGpuProcess *from = record;
	Broker *broker = restore->broker;
	Adapter *adapter = restore_find_adapter(restore, from->adapter);
	GpuProcess *gpu_process;
	Caller caller;
	Failure failure;
	const char *reason = restore_caller(restore, &from->process, from->account, &caller);

	if (reason)
		return reason;
	if (!adapter)
		return "its adapter is gone";
	if (gpu_process_of(process_find(broker, caller.process), adapter))
		return "its process has another on the adapter";
	if (named_is_taken(broker, &from->handle))
		return RESTORE_HANDLE_IS_TAKEN;
	const GpuProcessOrigin origin = {
		.key = caller.process,
		.pid = caller.pid,
		.uid = from->process.uid,
		.payer = { .uid = from->account, .is_operator = from->is_operator },
	};
	NTSTATUS status = gpu_process_restore(broker, adapter, &origin, &gpu_process, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	thing_remove(broker, &gpu_process->thing);
	gpu_process->thing.serial = from->serial;
	thing_insert(broker, &gpu_process->thing);
	named_change(broker, &gpu_process->named, &from->handle);
	status = reserve_for_driver(gpu_process, from);
	if (status != STATUS_SUCCESS)
		gpu_process_discard(broker, gpu_process);
	return restore_reason(status);
}

static GpuProcess *find_gpu_process(Restore *restore, uint64_t serial)
{
	GpuProcess *gpu_process =
		thing_owner(thing_find(restore->broker, THING_GPU_PROCESS, serial), GpuProcess);

	return gpu_process && gpu_process_lasts(gpu_process) ? gpu_process : NULL;
}

static const char *restore_range(Restore *restore, RecordedRange *from, GpuRangeKind kind)
{
	GpuProcess *gpu_process = find_gpu_process(restore, from->gpu_process);
	const Range *range = &from->range.range;
	const Payer payer = { .uid = from->account };
	Failure failure;

	if (!gpu_process)
		return "its GPU process is gone";
	AddressSpace *space = &gpu_process->space;
	if (range->first >= range->end || range->end > space->taken.end)
		return "it is no range of the address space";
	if (from->is_inside != (range_tree_find(&space->taken, range->first) != NULL))
		return "what is around it is not what was";
	from->range.kind = kind;
	return restore_reason(address_space_restore(space, &payer, &from->range, &failure));
}

const char *restore_reservation(Restore *restore, void *record)
{
	return restore_range(restore, record, GPU_RANGE_USER_RESERVATION);
}

const char *restore_mapping(Restore *restore, void *record)
{
	return restore_range(restore, record, GPU_RANGE_MAPPING);
}

const char *restore_context(Restore *restore, void *record)
{
	const RecordedContext *from = record;
	Broker *broker = restore->broker;
	GpuProcess *gpu_process = find_gpu_process(restore, from->gpu_process);
	Context *context;
	Failure failure;

	if (!gpu_process)
		return "its GPU process is gone";
	if (named_is_taken(broker, &from->handle))
		return RESTORE_HANDLE_IS_TAKEN;
	const Caller caller = { .process = gpu_process->process->key, .account = from->account };
	NTSTATUS status =
		context_prepare(broker, &caller, gpu_process->adapter, &context, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	context->serial = from->serial;
	context->named.handle = from->handle;
	context_commit(broker, context);
	return NULL;
}
