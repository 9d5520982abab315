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
	free(adapter->name);
	free(adapter);
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
	thing_prepare(broker, &adapter->thing, THING_ADAPTER);
	named_prepare(broker, &adapter->named, NAMED_ADAPTER);
	return STATUS_SUCCESS;
}

/* Publishes the adapter and announces it. */
void adapter_commit(Broker *broker, Adapter *adapter)
{
	named_insert(broker, &adapter->named);
	thing_insert(broker, &adapter->thing);
	broker_event(broker, &(Event){
				     .kind = EVENT_ADAPTER_ADDED,
				     .handle = &adapter->named.handle,
				     .thing = &adapter->thing,
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

static Adapter *find_by_name(Broker *broker, const char *name)
{
	Adapter *adapter = adapter_after(broker, 0);

	while (adapter && strcmp(adapter->name, name) != 0)
		adapter = adapter_after(broker, adapter->thing.serial);
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
	return adapter->waits_until > 0 && adapter->driver_uid == caller->credentials.uid;
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
	gpu_process_discard(broker, adapter->system_process);
	adapter_free(broker, adapter);
}

/* --- waiting for a driver -------------------------------------------------------------------- */

void adapter_wait(Broker *broker, Adapter *adapter)
{
	adapter->connection = NULL;
	adapter->driver_process = PROCESS_KEY_NONE;
	adapter->waits_until = broker_now(broker) + UINT64_C(1000000) * LIMIT_DRIVER_WAIT_SECONDS;
}

bool adapter_is_as_described(const Adapter *adapter, const AdapterDescription *description)
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
	adapter->waits_until = 0;
}

uint64_t adapters_next_deadline(Broker *broker)
{
	uint64_t deadline = UINT64_MAX;
	const Adapter *adapter;

	for (adapter = adapter_after(broker, 0); adapter;
	     adapter = adapter_after(broker, adapter->thing.serial))
		if (adapter->waits_until > 0 && adapter->waits_until < deadline)
			deadline = adapter->waits_until;
	return deadline;
}

void adapters_end_overdue(Broker *broker)
{
	uint64_t now = broker_now(broker), cursor = 0;
	Adapter *adapter;

	while ((adapter = adapter_after(broker, cursor))) {
		cursor = adapter->thing.serial;
		if (adapter->waits_until > 0 && adapter->waits_until <= now)
			adapter_end(broker, adapter, END_DRIVER_GONE);
	}
}

/* --- end ------------------------------------------------------------------------------------- */

static void end_virtual_gpus(Broker *broker, const Adapter *adapter)
{
	uint64_t cursor = 0;
	Thing *thing;

	while ((thing = thing_after(broker, THING_VIRTUAL_GPU, cursor))) {
		VirtualGpu *virtual_gpu = thing_owner(thing, VirtualGpu);

		cursor = thing->serial;
		if (virtual_gpu->adapter == adapter)
			virtual_gpu_end(broker, virtual_gpu, END_ADAPTER_REMOVED);
	}
}

void adapter_end(Broker *broker, Adapter *adapter, EndReason reason)
{
	GpuProcess *gpu_process;

	/* Remove the adapter's record first, so that after a crash the next start ends the rest. */
	broker_drop(broker, adapter->thing.serial);
	end_virtual_gpus(broker, adapter);
	while ((gpu_process = LIST_FIRST(&adapter->gpu_processes)))
		gpu_process_end(broker, gpu_process,
				reason == END_DAEMON_STOPPED ? reason : END_ADAPTER_REMOVED);
	thing_remove(broker, &adapter->thing);
	named_remove(broker, &adapter->named);
	broker_event(broker, &(Event){
				     .kind = EVENT_ADAPTER_REMOVED,
				     .handle = &adapter->named.handle,
				     .thing = &adapter->thing,
				     .reason = reason,
			     });
	adapter_free(broker, adapter);
}

void adapters_of_connection_end(Broker *broker, const Caller *caller)
{
	uint64_t cursor = 0;
	Adapter *adapter;

	while ((adapter = adapter_after(broker, cursor))) {
		cursor = adapter->thing.serial;
		if (adapter->connection == caller)
			adapter_end(broker, adapter, END_DRIVER_GONE);
	}
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

void adapters_check(Broker *broker)
{
	const GpuProcess *gpu_process;
	Adapter *adapter;

	for (adapter = adapter_after(broker, 0); adapter;
	     adapter = adapter_after(broker, adapter->thing.serial)) {
		assert(adapter_find(broker, &adapter->named.handle) == adapter);
		assert(adapter->virtual_gpus <= adapter->max_virtual_gpus);
		assert(!adapter->driver == (adapter->source == ADAPTER_CLIENT));
		assert((adapter->connection || adapter->waits_until > 0) ==
		       (adapter->source == ADAPTER_CLIENT));
		assert(!adapter->connection || adapter->waits_until == 0);
		assert(adapter->system_process && adapter->system_process->is_system);
		assert(adapter->system_process->thing.serial == adapter->thing.serial - 1);
		LIST_FOREACH (gpu_process, &adapter->gpu_processes, of_adapter)
			gpu_process_check(broker, gpu_process);
	}
}
