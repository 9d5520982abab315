/* SPDX-License-Identifier: MIT */
#include "daemon/core/gpu-process.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker.h"
#include "daemon/core/removal-batch.h"

/* --- creation and end ------------------------------------------------------------------------ */

static void gpu_process_link(Broker *broker, GpuProcess *gpu_process)
{
	handle_entry_add(broker, &gpu_process->handle_entry, HANDLE_GPU_PROCESS);
	entity_add(broker, &gpu_process->entity, ENTITY_GPU_PROCESS);
	LIST_INSERT_HEAD(&gpu_process->adapter->gpu_processes, gpu_process, of_adapter);
	if (gpu_process->process)
		LIST_INSERT_HEAD(&gpu_process->process->gpu_processes, gpu_process, of_process);
	if (gpu_process->vm)
		LIST_INSERT_HEAD(&gpu_process->vm->gpu_processes, gpu_process, of_vm);
}

static void gpu_process_unlink(Broker *broker, GpuProcess *gpu_process)
{
	handle_entry_remove(broker, &gpu_process->handle_entry);
	entity_remove(broker, &gpu_process->entity);
	LIST_REMOVE(gpu_process, of_adapter);
	if (gpu_process->process)
		LIST_REMOVE(gpu_process, of_process);
	if (gpu_process->vm)
		LIST_REMOVE(gpu_process, of_vm);
}

/* Ends the contexts of the process. The reaper frees them and removes their records. */
static void end_contexts(Broker *broker, GpuProcess *gpu_process)
{
	Context *context;

	LIST_FOREACH (context, &gpu_process->contexts, link) {
		handle_entry_remove(broker, &context->handle_entry);
		charge_return(&context->charge, &broker->accounts);
	}
	gpu_process->context_count = 0;
}

/* Releases all resources of a process that is not linked, and leaves its memory to the reaper. */
static void gpu_process_retire(Broker *broker, GpuProcess *gpu_process)
{
	end_contexts(broker, gpu_process);
	address_space_end(&gpu_process->space);
	charge_return(&gpu_process->charge, &broker->accounts);
	process_release(broker, gpu_process->process);
	gpu_process->has_ended = true;
	reaper_add(broker, gpu_process);
}

/* Acquires everything that can fail: the charge, memory and the watch on the host process. */
static NTSTATUS gpu_process_acquire(Broker *broker, GpuProcess *gpu_process,
				    const GpuProcessOrigin *origin, Failure *failure)
{
	const Payer *payer = &origin->payer;
	NTSTATUS status = charge_take(&gpu_process->charge, &broker->accounts, payer,
				      LIMIT_GPU_PROCESSES, failure);

	if (status != STATUS_SUCCESS)
		return status;
	if (origin->name && !(gpu_process->name = strdup(origin->name)))
		return failure_no_memory(failure);
	if (!address_space_init(&gpu_process->space, &gpu_process->adapter->mmu, &broker->accounts))
		return failure_no_memory(failure);
	if (origin->key == PROCESS_KEY_NONE)
		return STATUS_SUCCESS;
	const ProcessOrigin process = {
		.key = origin->key,
		.pid = origin->pid,
		.uid = origin->uid,
		.payer = *payer,
	};
	return process_attach(broker, &process, &gpu_process->process, failure);
}

NTSTATUS gpu_process_new(Broker *broker, Adapter *adapter, const GpuProcessOrigin *origin,
			 GpuProcess **ret_gpu_process, Failure *failure)
{
	GpuProcess *gpu_process;
	NTSTATUS status;

	reaper_make_room(broker);
	gpu_process = calloc(1, sizeof(*gpu_process));
	if (!gpu_process)
		return failure_no_memory(failure);
	gpu_process->adapter = adapter;
	gpu_process->vm = origin->vm;
	gpu_process->is_system = origin->is_system;
	gpu_process->payer = origin->payer;
	LIST_INIT(&gpu_process->contexts);
	status = gpu_process_acquire(broker, gpu_process, origin, failure);
	if (status != STATUS_SUCCESS) {
		gpu_process_retire(broker, gpu_process);
		return status;
	}
	gpu_process_link(broker, gpu_process);
	*ret_gpu_process = gpu_process;
	return STATUS_SUCCESS;
}

void gpu_process_discard(Broker *broker, GpuProcess *gpu_process)
{
	gpu_process_unlink(broker, gpu_process);
	gpu_process_retire(broker, gpu_process);
}

/* Lets a driver inside the daemon create the process. It is RUNNING afterwards, or discarded. */
static NTSTATUS create_by_driver(Broker *broker, const Driver *driver, GpuProcess *gpu_process,
				 Failure *failure)
{
	NTSTATUS status = driver->create_process(gpu_process->adapter->driver_self,
						 &broker->driver_callbacks, gpu_process, failure);

	if (status == STATUS_SUCCESS)
		gpu_process_complete(gpu_process);
	else
		gpu_process_discard(broker, gpu_process);
	return status;
}

NTSTATUS gpu_process_create(Broker *broker, Adapter *adapter, const GpuProcessOrigin *origin,
			    GpuProcess **ret_gpu_process, Failure *failure)
{
	GpuProcess *gpu_process = NULL;
	NTSTATUS status = gpu_process_new(broker, adapter, origin, &gpu_process, failure);

	if (status != STATUS_SUCCESS)
		return status;
	assert(gpu_process);
	if (adapter->driver)
		status = create_by_driver(broker, adapter->driver, gpu_process, failure);
	if (status == STATUS_SUCCESS)
		*ret_gpu_process = gpu_process;
	return status;
}

void gpu_process_end(Broker *broker, GpuProcess *gpu_process, EndReason reason)
{
	const Adapter *adapter = gpu_process->adapter;
	const Process *process = gpu_process->process;

	/* The other records have no meaning without this one, so the reaper can remove them. */
	if (gpu_process_is_persistent(gpu_process))
		broker_remove_ended(broker, gpu_process->entity.serial, reason);
	if (adapter->driver && adapter->driver->destroy_process)
		adapter->driver->destroy_process(adapter->driver_self, gpu_process);
	gpu_process_unlink(broker, gpu_process);
	broker_event(broker,
		     &(Event){
			     .kind = EVENT_GPU_PROCESS_REMOVED,
			     .virtual_machine = gpu_process->vm ? &gpu_process->vm->guid : NULL,
			     .handle = &gpu_process->handle_entry.handle,
			     .entity = &gpu_process->entity,
			     .pid = process ? process->pid : 0,
			     .uid = process ? process->uid : gpu_process->payer.uid,
			     .reason = reason,
		     });
	gpu_process_retire(broker, gpu_process);
}

GpuProcess *gpu_process_find(Broker *broker, const Handle *handle)
{
	HandleEntry *handle_entry = handle_entry_find(broker, HANDLE_GPU_PROCESS, handle);

	if (!handle_entry)
		return NULL;
	GpuProcess *gpu_process = container_of(handle_entry, GpuProcess, handle_entry);
	return vm_is_ending(gpu_process->vm) ? NULL : gpu_process;
}

GpuProcess *gpu_process_on_adapter(const Process *process, const Adapter *adapter)
{
	GpuProcess *gpu_process;

	if (!process)
		return NULL;
	LIST_FOREACH (gpu_process, &process->gpu_processes, of_process)
		if (gpu_process->adapter == adapter && !vm_is_ending(gpu_process->vm))
			return gpu_process;
	return NULL;
}

/* --- its address space ----------------------------------------------------------------------- */

static NTSTATUS check_creating(const GpuProcess *gpu_process, Failure *failure)
{
	if (gpu_process->state == GPU_PROCESS_CREATING)
		return STATUS_SUCCESS;
	return failure_set(failure, STATUS_INVALID_DEVICE_STATE, "notCreating",
			   "the process has been created already; a driver can reserve ranges only "
			   "while it is creating the process");
}

static NTSTATUS check_running(const GpuProcess *gpu_process, Failure *failure)
{
	if (gpu_process->state == GPU_PROCESS_RUNNING)
		return STATUS_SUCCESS;
	return failure_set(failure, STATUS_INVALID_DEVICE_STATE, "creating",
			   "the driver is still creating this process; retry later");
}

static void notify_resident(Broker *broker, const GpuProcess *gpu_process, uint64_t virtual_address)
{
	broker_event(broker,
		     &(Event){
			     .kind = EVENT_PAGE_TABLE_RESIDENT,
			     .virtual_machine = gpu_process->vm ? &gpu_process->vm->guid : NULL,
			     .handle = &gpu_process->handle_entry.handle,
			     .entity = &gpu_process->entity,
			     .virtual_address = virtual_address,
		     });
}

/*
 * Notifies watchers of a resident table if the root table was replaced since that generation.
 */
static void notify_new_root(Broker *broker, const GpuProcess *gpu_process, uint64_t generation)
{
	if (address_space_root_generation(&gpu_process->space) != generation)
		notify_resident(broker, gpu_process, 0);
}

NTSTATUS gpu_process_reserve_for_driver(Broker *broker, GpuProcess *gpu_process,
					const DriverReservation *reservation, uint64_t *ret_address,
					Failure *failure)
{
	uint64_t generation = address_space_root_generation(&gpu_process->space);
	NTSTATUS status = check_creating(gpu_process, failure);

	reaper_make_room(broker);
	if (status == STATUS_SUCCESS)
		status = address_space_reserve_for_driver(&gpu_process->space, &gpu_process->payer,
							  reservation, ret_address, failure);
	notify_new_root(broker, gpu_process, generation);
	return status;
}

NTSTATUS gpu_process_prepare_completion(const GpuProcess *gpu_process, Failure *failure)
{
	return check_creating(gpu_process, failure);
}

void gpu_process_complete(GpuProcess *gpu_process)
{
	assert(gpu_process->state == GPU_PROCESS_CREATING);
	gpu_process->state = GPU_PROCESS_RUNNING;
}

NTSTATUS gpu_process_prepare_entry(Broker *broker, GpuProcess *gpu_process,
				   uint64_t virtual_address, uint64_t page_table_address,
				   EntryChange *ret, Failure *failure)
{
	NTSTATUS status;

	reaper_make_room(broker);
	status = address_space_prepare_entry(&gpu_process->space, &gpu_process->payer,
					     virtual_address, page_table_address, ret, failure);
	if (status == STATUS_SUCCESS && ret->is_new && gpu_process_is_persistent(gpu_process))
		ret->entry->serial = broker_next_serial(broker);
	return status;
}

NTSTATUS gpu_process_evict(Broker *broker, GpuProcess *gpu_process, uint64_t virtual_address,
			   Failure *failure)
{
	reaper_make_room(broker);
	return address_space_evict(&gpu_process->space, &gpu_process->payer, virtual_address,
				   failure);
}

NTSTATUS gpu_process_make_resident(Broker *broker, GpuProcess *gpu_process,
				   uint64_t virtual_address, Failure *failure)
{
	bool became_resident = false;
	uint64_t address;
	NTSTATUS status = address_space_make_resident(&gpu_process->space, virtual_address,
						      &became_resident, &address, failure);

	if (became_resident)
		notify_resident(broker, gpu_process, address);
	return status;
}

/* Checks that the process can change its address space, and makes room for the change. */
static NTSTATUS begin_change(Broker *broker, const GpuProcess *gpu_process, Failure *failure)
{
	reaper_make_room(broker);
	return check_running(gpu_process, failure);
}

/* Gives the parts of a change their serials, if the process is persisted. */
static NTSTATUS assign_serials(Broker *broker, const GpuProcess *gpu_process, SpaceChange *change,
			       NTSTATUS status)
{
	bool lasts = status == STATUS_SUCCESS && gpu_process_is_persistent(gpu_process);

	for (size_t i = 0; lasts && i < change->part_count; i++)
		change->parts[i].range.serial = broker_next_serial(broker);
	return status;
}

/*
 * Marks the mappings whose records the reaper has not removed yet as freed, in case that the new
 * reservation has addresses of theirs. Parts of a reservation keep its mark.
 */
static void mark_freed_mappings(const GpuProcess *gpu_process, SpaceChange *change)
{
	GpuRange *reservation = &change->parts[0].range;

	if (address_space_has_garbage(&gpu_process->space))
		reservation->mappings_from = reservation->serial;
}

NTSTATUS gpu_process_prepare_reserve(Broker *broker, GpuProcess *gpu_process, const Payer *payer,
				     const Placement *placement, SpaceChange *ret, Failure *failure)
{
	NTSTATUS status = begin_change(broker, gpu_process, failure);

	if (status == STATUS_SUCCESS)
		status = address_space_prepare_reserve(&gpu_process->space, payer, placement, ret,
						       failure);
	assign_serials(broker, gpu_process, ret, status);
	if (status == STATUS_SUCCESS)
		mark_freed_mappings(gpu_process, ret);
	return status;
}

NTSTATUS gpu_process_prepare_map(Broker *broker, GpuProcess *gpu_process, const Payer *payer,
				 const Placement *placement, const Mapping *mapping,
				 SpaceChange *ret, Failure *failure)
{
	NTSTATUS status = begin_change(broker, gpu_process, failure);

	if (status == STATUS_SUCCESS)
		status = address_space_prepare_map(&gpu_process->space, payer, placement, mapping,
						   ret, failure);
	return assign_serials(broker, gpu_process, ret, status);
}

NTSTATUS gpu_process_prepare_free(Broker *broker, GpuProcess *gpu_process, const Payer *payer,
				  uint64_t base_address, uint64_t size, SpaceChange *ret,
				  Failure *failure)
{
	NTSTATUS status = begin_change(broker, gpu_process, failure);

	if (status == STATUS_SUCCESS)
		status = address_space_prepare_free(&gpu_process->space, payer, base_address, size,
						    ret, failure);
	return assign_serials(broker, gpu_process, ret, status);
}

static void remove_range_record(void *batch, const GpuRange *range)
{
	removal_batch_add(batch, range->serial);
}

void gpu_process_commit(Broker *broker, GpuProcess *gpu_process, SpaceChange *change)
{
	uint64_t generation = address_space_root_generation(&gpu_process->space);
	RemovalBatch batch;

	removal_batch_begin(&batch, broker->host);
	address_space_commit(&gpu_process->space, change, remove_range_record, &batch);
	removal_batch_end(&batch);
	if (address_space_has_garbage(&gpu_process->space))
		reaper_add(broker, gpu_process);
	notify_new_root(broker, gpu_process, generation);
}

void gpu_process_check(Broker *broker, const GpuProcess *gpu_process)
{
	const Context *context;
	size_t contexts = 0;

	LIST_FOREACH (context, &gpu_process->contexts, link) {
		assert(context->gpu_process == gpu_process);
		assert(context->charge.account && context->charge.kind == LIMIT_CONTEXTS);
		contexts++;
	}
	assert(contexts == gpu_process->context_count);
	assert(!gpu_process->charge.account == gpu_process->payer.is_daemon);
	assert(vm_is_ending(gpu_process->vm) ||
	       gpu_process_find(broker, &gpu_process->handle_entry.handle) == gpu_process);
	assert(!gpu_process->is_system || gpu_process->adapter->system_process == gpu_process);
	assert(!gpu_process->is_system || !gpu_process->process);
	address_space_check(&gpu_process->space);
	(void)broker;
}
