/* SPDX-License-Identifier: MIT */
/* Restores GPU processes, their address spaces, and contexts. */
#include "daemon/store/restore.h"

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

		/*
		 * Check before converting to bytes: an overflow could make the base address 0,
		 * which means that any address is fine.
		 */
		if (range->first == 0 || range->first >= range->end ||
		    range->end > gpu_process->space.taken.end)
			return STATUS_INVALID_PARAMETER;
		status = address_space_reserve_for_driver(&gpu_process->space, &gpu_process->payer,
							  &reservation, &address, &failure);
	}
	return status;
}

/* Sets the entries that the driver had set before it completed the GPU process. */
static NTSTATUS set_entries(GpuProcess *gpu_process, const RecordedGpuProcess *from)
{
	NTSTATUS status = STATUS_SUCCESS;
	Failure failure;

	for (size_t i = 0; i < from->entry_count && status == STATUS_SUCCESS; i++)
		status = address_space_restore_entry(&gpu_process->space, &gpu_process->payer,
						     from->entries[i], 0, &failure);
	return status;
}

/* Finds the process and the VM of a GPU process. */
static RestoreReason find_origin(Restore *restore, const RecordedGpuProcess *from,
				 GpuProcessOrigin *ret)
{
	Caller caller = { .process = PROCESS_KEY_NONE };

	*ret = (GpuProcessOrigin){
		.name = from->name,
		.is_system = from->is_system,
		.payer = from->payer,
	};
	if (from->process.key != PROCESS_KEY_NONE) {
		RestoreReason reason =
			restore_caller(restore, &from->process, &from->payer, &caller);
		if (reason != RESTORE_OK)
			return reason;
	}
	ret->key = caller.process;
	ret->pid = caller.pid;
	ret->uid = from->process.uid;
	ret->vm = from->vm > 0 ? restore_find_vm(restore, from->vm) : NULL;
	return from->vm > 0 && !ret->vm ? restore_without_vm(restore, from->vm) : RESTORE_OK;
}

/*
 * An adapter already has a new system process. The record must have the serial and the handle that
 * the adapter's record names.
 */
static RestoreReason check_system_process(const RecordedGpuProcess *from, const Adapter *adapter)
{
	const GpuProcess *there = adapter->system_process;

	if (!adapter->driver && from->serial == there->entity.serial &&
	    handle_compare(&from->handle, &there->handle_entry.handle) == 0 &&
	    from->process.key == PROCESS_KEY_NONE && from->vm == 0)
		return RESTORE_OK;
	return RESTORE_NOT_SYSTEM_PROCESS;
}

static RestoreReason check_gpu_process(Restore *restore, const RecordedGpuProcess *from,
				       const Adapter *adapter)
{
	Broker *broker = restore->broker;

	if (!adapter)
		return RESTORE_ADAPTER_IS_GONE;
	if (from->is_system)
		return check_system_process(from, adapter);
	if (entity_find(broker, ENTITY_GPU_PROCESS, from->serial))
		return RESTORE_SERIAL_IS_TAKEN;
	if (gpu_process_on_adapter(process_find(broker, from->process.key), adapter))
		return RESTORE_SECOND_GPU_PROCESS;
	return handle_entry_is_taken(broker, &from->handle) ? RESTORE_HANDLE_IS_TAKEN : RESTORE_OK;
}

RestoreReason restore_gpu_process(Restore *restore, void *record)
{
	const RecordedGpuProcess *from = record;
	Broker *broker = restore->broker;
	Adapter *adapter = restore_find_adapter(restore, from->adapter);
	GpuProcessOrigin origin;
	GpuProcess *gpu_process;
	Failure failure;
	RestoreReason reason = find_origin(restore, from, &origin);

	if (reason == RESTORE_OK)
		reason = check_gpu_process(restore, from, adapter);
	if (reason != RESTORE_OK)
		return reason;
	NTSTATUS status = gpu_process_new(broker, adapter, &origin, &gpu_process, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	status = reserve_for_driver(gpu_process, from);
	if (status == STATUS_SUCCESS)
		status = set_entries(gpu_process, from);
	if (status != STATUS_SUCCESS) {
		gpu_process_discard(broker, gpu_process);
		return restore_reason(status);
	}
	if (from->is_system) {
		gpu_process_discard(broker, adapter->system_process);
		adapter->system_process = gpu_process;
	}
	restore_identity(restore, gpu_process, from->serial, &from->handle);
	gpu_process_complete(gpu_process);
	return RESTORE_OK;
}

static GpuProcess *find_gpu_process(Restore *restore, uint64_t serial)
{
	GpuProcess *gpu_process = entity_container(
		entity_find(restore->broker, ENTITY_GPU_PROCESS, serial), GpuProcess);

	return gpu_process && gpu_process_is_persistent(gpu_process) ? gpu_process : NULL;
}

RestoreReason restore_page_table_entry(Restore *restore, void *record)
{
	const RecordedEntry *from = record;
	GpuProcess *gpu_process = find_gpu_process(restore, from->gpu_process);
	Failure failure;

	if (!gpu_process)
		return restore_without_gpu_process(restore, from->gpu_process);
	return restore_reason(address_space_restore_entry(&gpu_process->space, &gpu_process->payer,
							  from->number, from->serial, &failure));
}

/*
 * Returns RESTORE_OK if the range has the surroundings that its record states. A mapping without
 * its reservation, or in a later one, was freed together with its own reservation.
 */
static RestoreReason check_surroundings(const Restore *restore, const RecordedRange *from,
					GpuRangeKind kind, const GpuRange *around)
{
	bool is_inner = from->is_inside && kind == GPU_RANGE_MAPPING;

	if (is_inner && !around && !restore->has_lost_reservation)
		return RESTORE_HAS_ENDED;
	if (is_inner && around && around->kind == GPU_RANGE_USER_RESERVATION &&
	    from->range.serial < around->mappings_from)
		return RESTORE_HAS_ENDED;
	return from->is_inside == (around != NULL) ? RESTORE_OK : RESTORE_OTHER_SURROUNDINGS;
}

static RestoreReason restore_range(Restore *restore, RecordedRange *from, GpuRangeKind kind)
{
	GpuProcess *gpu_process = find_gpu_process(restore, from->gpu_process);
	const Range *range = &from->range.range;
	Failure failure;

	if (!gpu_process)
		return restore_without_gpu_process(restore, from->gpu_process);
	AddressSpace *space = &gpu_process->space;
	if (range->first >= range->end || range->end > space->taken.end)
		return RESTORE_INVALID_RANGE;
	RestoreReason reason = check_surroundings(
		restore, from, kind, gpu_range_of(range_tree_find(&space->taken, range->first)));
	if (reason != RESTORE_OK)
		return reason;
	from->range.kind = kind;
	return restore_reason(address_space_restore(space, &from->payer, &from->range, &failure));
}

RestoreReason restore_reservation(Restore *restore, void *record)
{
	return restore_range(restore, record, GPU_RANGE_USER_RESERVATION);
}

RestoreReason restore_mapping(Restore *restore, void *record)
{
	return restore_range(restore, record, GPU_RANGE_MAPPING);
}

RestoreReason restore_context(Restore *restore, void *record)
{
	const RecordedContext *from = record;
	Broker *broker = restore->broker;
	GpuProcess *gpu_process = find_gpu_process(restore, from->gpu_process);
	Context *context;
	Failure failure;

	if (!gpu_process)
		return restore_without_gpu_process(restore, from->gpu_process);
	if (!gpu_process->process)
		return RESTORE_NO_OWNER_PROCESS;
	if (handle_entry_is_taken(broker, &from->handle))
		return RESTORE_HANDLE_IS_TAKEN;
	const Caller caller = { .process = gpu_process->process->key,
				.account = from->payer.uid,
				.is_operator = from->payer.is_operator };
	NTSTATUS status =
		context_prepare(broker, &caller, gpu_process->adapter, &context, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	context->serial = from->serial;
	context->handle_entry.handle = from->handle;
	context_commit(broker, context);
	return RESTORE_OK;
}
