/* SPDX-License-Identifier: MIT */
#include "daemon/core/adapter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker.h"

#define SOFTWARE_ADAPTER_NAME "vaild software adapter"

static Adapter *adapter_new(const AdapterDescription *description)
{
	_cleanup_free_ Adapter *adapter = calloc(1, sizeof(*adapter));

	if (!adapter)
		return NULL;
	adapter->name = strdup(description->name);
	if (!adapter->name)
		return NULL;
	adapter->mmu = description->mmu;
	adapter->max_virtual_gpus = description->max_virtual_gpus;
	LIST_INIT(&adapter->gpu_processes);
	return TAKE_POINTER(adapter);
}

static void adapter_free(Broker *broker, Adapter *adapter)
{
	assert(adapter->virtual_gpus == 0 && LIST_EMPTY(&adapter->gpu_processes));
	charge_return(&adapter->charge, &broker->accounts);
	free(adapter->device);
	free(adapter->name);
	free(adapter);
}

/* Gives the adapter its serial and its handle. */
static void identify(Broker *broker, Adapter *adapter)
{
	entity_prepare(broker, &adapter->entity, ENTITY_ADAPTER);
	handle_entry_prepare(broker, &adapter->handle_entry, HANDLE_ADAPTER);
}

/*
 * Creates the system process, which takes the serial before the adapter's. Frees the adapter on
 * failure.
 */
static NTSTATUS add_system_process(Broker *broker, Adapter *adapter, const Payer *payer,
				   Failure *failure)
{
	const GpuProcessOrigin origin = { .is_system = true, .payer = *payer };
	NTSTATUS status =
		gpu_process_create(broker, adapter, &origin, &adapter->system_process, failure);

	if (status != STATUS_SUCCESS) {
		adapter_free(broker, adapter);
		return status;
	}
	identify(broker, adapter);
	return STATUS_SUCCESS;
}

/* Publishes the adapter and announces it. */
void adapter_commit(Broker *broker, Adapter *adapter)
{
	handle_entry_insert(broker, &adapter->handle_entry);
	entity_insert(broker, &adapter->entity);
	broker_event(broker, &(Event){
				     .kind = EVENT_ADAPTER_ADDED,
				     .handle = &adapter->handle_entry.handle,
				     .entity = &adapter->entity,
			     });
}

bool adapter_add_software(Broker *broker)
{
	const Payer payer = { .is_daemon = true };
	Adapter *adapter = adapter_new(&(AdapterDescription){
		.name = SOFTWARE_ADAPTER_NAME,
		.mmu = software_mmu,
		.max_virtual_gpus = LIMIT_SOFTWARE_ADAPTER_VIRTUAL_GPUS,
	});
	Failure failure;

	if (!adapter)
		return false;
	adapter->source = ADAPTER_SOFTWARE;
	adapter->driver = &software_driver;
	adapter->driver_self = &broker->software_adapter;
	if (add_system_process(broker, adapter, &payer, &failure) != STATUS_SUCCESS)
		return false;
	adapter_commit(broker, adapter);
	return true;
}

Adapter *adapter_software(Broker *broker)
{
	return adapter_after(broker, 0);
}

/* Ignores found adapters, so that the hardware of the host refuses no driver. */
static Adapter *find_by_name(Broker *broker, const char *name)
{
	Adapter *adapter = adapter_after(broker, 0);

	while (adapter && (adapter->device || strcmp(adapter->name, name) != 0))
		adapter = adapter_after(broker, adapter->entity.serial);
	return adapter;
}

/* Checks the limits for another adapter and its system process. */
static NTSTATUS check_limits(Broker *broker, const Caller *caller, Failure *failure)
{
	const Payer payer = payer_of(caller);
	NTSTATUS status = charge_check(&broker->accounts, &payer, LIMIT_ADAPTERS, failure);

	if (status != STATUS_SUCCESS)
		return status;
	return charge_check(&broker->accounts, &payer, LIMIT_GPU_PROCESSES, failure);
}

static bool waits_for(const Adapter *adapter, const Caller *caller)
{
	return adapter->wait_deadline > 0 && adapter->driver_uid == caller->credentials.uid;
}

Adapter *adapter_waiting_for(Broker *broker, const Caller *caller, const char *name)
{
	Adapter *adapter = find_by_name(broker, name);

	return adapter && waits_for(adapter, caller) ? adapter : NULL;
}

/*
 * Checks the limits and the name, then allocates and charges the adapter. An adapter that waits for
 * this caller may have the name, because the new one replaces it.
 */
static NTSTATUS adapter_acquire(Broker *broker, const Caller *caller,
				const AdapterDescription *description, Adapter **ret_adapter,
				Failure *failure)
{
	const Payer payer = payer_of(caller);
	NTSTATUS status = check_limits(broker, caller, failure);

	if (status != STATUS_SUCCESS)
		return status;
	const Adapter *waiting = find_by_name(broker, description->name);
	if (waiting && !waits_for(waiting, caller))
		return failure_set(
			failure, STATUS_OBJECT_NAME_COLLISION, "adapter",
			"another adapter has this name; unregister it, or choose another name");
	Adapter *adapter = adapter_new(description);
	if (!adapter)
		return failure_no_memory(failure);
	status = charge_take(&adapter->charge, &broker->accounts, &payer, LIMIT_ADAPTERS, failure);
	if (status != STATUS_SUCCESS) {
		adapter_free(broker, adapter);
		return status;
	}
	*ret_adapter = adapter;
	return STATUS_SUCCESS;
}

NTSTATUS adapter_prepare(Broker *broker, const Caller *caller,
			 const AdapterDescription *description, Adapter **ret_adapter,
			 Failure *failure)
{
	const Payer payer = payer_of(caller);
	Adapter *adapter = NULL;
	NTSTATUS status = adapter_acquire(broker, caller, description, &adapter, failure);

	if (status != STATUS_SUCCESS)
		return status;
	assert(adapter);
	adapter->source = ADAPTER_CLIENT;
	adapter->connection = caller;
	adapter->driver_process = caller->process;
	adapter->driver_uid = caller->credentials.uid;
	status = add_system_process(broker, adapter, &payer, failure);
	if (status == STATUS_SUCCESS)
		*ret_adapter = adapter;
	return status;
}

void adapter_discard(Broker *broker, Adapter *adapter)
{
	if (adapter->system_process)
		gpu_process_discard(broker, adapter->system_process);
	adapter_free(broker, adapter);
}

/* --- adapters that were found ---------------------------------------------------------------- */

NTSTATUS adapter_prepare_found(Broker *broker, const char *name, const AdapterDevice *device,
			       Adapter **ret_adapter, Failure *failure)
{
	Adapter *adapter = adapter_new(&(AdapterDescription){ .name = name });

	if (!adapter)
		return failure_no_memory(failure);
	adapter->source = ADAPTER_DRM;
	adapter->device = malloc(sizeof(*adapter->device));
	if (!adapter->device) {
		adapter_free(broker, adapter);
		return failure_no_memory(failure);
	}
	*adapter->device = *device;
	identify(broker, adapter);
	*ret_adapter = adapter;
	return STATUS_SUCCESS;
}

Adapter *adapter_find_device(Broker *broker, const char *location)
{
	Adapter *adapter = adapter_after(broker, 0);

	while (adapter && !(adapter->device && strcmp(adapter->device->location, location) == 0))
		adapter = adapter_after(broker, adapter->entity.serial);
	return adapter;
}

/* --- waiting for a driver -------------------------------------------------------------------- */

void adapter_wait_for_driver(Broker *broker, Adapter *adapter)
{
	adapter->connection = NULL;
	adapter->driver_process = PROCESS_KEY_NONE;
	adapter->wait_deadline = broker_now(broker) + UINT64_C(1000000) * LIMIT_DRIVER_WAIT_SECONDS;
}

bool adapter_matches_description(const Adapter *adapter, const AdapterDescription *description)
{
	return gpu_mmu_is_same(&adapter->mmu, &description->mmu) &&
	       adapter->virtual_gpus <= description->max_virtual_gpus;
}

void adapter_take_over(Adapter *adapter, const Caller *caller,
		       const AdapterDescription *description)
{
	adapter->connection = caller;
	adapter->driver_process = caller->process;
	adapter->max_virtual_gpus = description->max_virtual_gpus;
	adapter->wait_deadline = 0;
}

uint64_t adapters_next_deadline(Broker *broker)
{
	uint64_t deadline = UINT64_MAX;
	const Adapter *adapter;

	for (adapter = adapter_after(broker, 0); adapter;
	     adapter = adapter_after(broker, adapter->entity.serial))
		if (adapter->wait_deadline > 0 && adapter->wait_deadline < deadline)
			deadline = adapter->wait_deadline;
	return deadline;
}

void adapters_end_overdue(Broker *broker)
{
	uint64_t now = broker_now(broker), cursor = 0;
	Adapter *adapter;

	while ((adapter = adapter_after(broker, cursor))) {
		cursor = adapter->entity.serial;
		if (adapter->wait_deadline > 0 && adapter->wait_deadline <= now)
			adapter_end(broker, adapter, END_DRIVER_GONE);
	}
}

/* --- end ------------------------------------------------------------------------------------- */

/*
 * Ends the vGPUs that were assigned on the adapter. One that was found ends only when a look has
 * seen that nobody holds it: the device may just have got another driver.
 */
static void end_virtual_gpus(Broker *broker, const Adapter *adapter)
{
	uint64_t cursor = 0;
	Entity *entity;

	while ((entity = entity_after(broker, ENTITY_VIRTUAL_GPU, cursor))) {
		VirtualGpu *virtual_gpu = entity_container(entity, VirtualGpu);

		cursor = entity->serial;
		if (virtual_gpu->adapter != adapter)
			continue;
		if (virtual_gpu->held)
			virtual_gpu->adapter = NULL;
		else
			virtual_gpu_end(broker, virtual_gpu, END_ADAPTER_REMOVED);
	}
}

void adapter_end(Broker *broker, Adapter *adapter, EndReason reason)
{
	GpuProcess *gpu_process;

	/*
	 * Remove the adapter's persisted record first, so that after a crash the next start ends
	 * the rest.
	 */
	if (!adapter->device)
		broker_remove_record(broker, adapter->entity.serial);
	end_virtual_gpus(broker, adapter);
	while ((gpu_process = LIST_FIRST(&adapter->gpu_processes)))
		gpu_process_end(broker, gpu_process,
				reason == END_DAEMON_STOPPED ? reason : END_ADAPTER_REMOVED);
	entity_remove(broker, &adapter->entity);
	handle_entry_remove(broker, &adapter->handle_entry);
	broker_event(broker, &(Event){
				     .kind = EVENT_ADAPTER_REMOVED,
				     .handle = &adapter->handle_entry.handle,
				     .entity = &adapter->entity,
				     .reason = reason,
			     });
	adapter_free(broker, adapter);
}

void adapters_end_for_connection(Broker *broker, const Caller *caller)
{
	uint64_t cursor = 0;
	Adapter *adapter;

	while ((adapter = adapter_after(broker, cursor))) {
		cursor = adapter->entity.serial;
		if (adapter->connection == caller)
			adapter_end(broker, adapter, END_DRIVER_GONE);
	}
}

Adapter *adapter_find(Broker *broker, const Handle *handle)
{
	HandleEntry *handle_entry = handle_entry_find(broker, HANDLE_ADAPTER, handle);

	return handle_entry ? container_of(handle_entry, Adapter, handle_entry) : NULL;
}

Adapter *adapter_after(Broker *broker, uint64_t serial)
{
	return entity_container(entity_after(broker, ENTITY_ADAPTER, serial), Adapter);
}

static void check_found(const Adapter *adapter)
{
	assert(adapter->source == ADAPTER_DRM && adapter->device->location[0] != '\0');
	assert(adapter->device->node_count <= DEVICE_NODES_MAX);
	assert(!adapter->driver && !adapter->connection && adapter->wait_deadline == 0);
	assert(!adapter->system_process && LIST_EMPTY(&adapter->gpu_processes));
	assert(adapter->mmu.level_count == 0 && !adapter->charge.account);
}

/* Asserts the invariants of an adapter that has an MMU. */
static void check_with_mmu(Broker *broker, const Adapter *adapter)
{
	const GpuProcess *gpu_process;

	assert(adapter->source != ADAPTER_DRM);
	assert(!adapter->driver == (adapter->source == ADAPTER_CLIENT));
	assert((adapter->connection || adapter->wait_deadline > 0) ==
	       (adapter->source == ADAPTER_CLIENT));
	assert(!adapter->connection || adapter->wait_deadline == 0);
	assert(adapter->system_process && adapter->system_process->is_system);
	assert(adapter->system_process->entity.serial == adapter->entity.serial - 1);
	LIST_FOREACH (gpu_process, &adapter->gpu_processes, of_adapter)
		gpu_process_check(broker, gpu_process);
}

void adapters_check(Broker *broker)
{
	Adapter *adapter;

	for (adapter = adapter_after(broker, 0); adapter;
	     adapter = adapter_after(broker, adapter->entity.serial)) {
		assert(adapter_find(broker, &adapter->handle_entry.handle) == adapter);
		assert(adapter->virtual_gpus <= adapter->max_virtual_gpus);
		if (adapter->device)
			check_found(adapter);
		else
			check_with_mmu(broker, adapter);
	}
}
