/* SPDX-License-Identifier: MIT */
/* Restores the software adapter, and the adapters that connections have registered. */
#include <string.h>

#include "daemon/store/restore.h"

/* A new broker already has a software adapter: give it the recorded handles. */
RestoreReason restore_adapter(Restore *restore, void *record)
{
	const RecordedAdapter *from = record;
	Adapter *adapter = adapter_software(restore->broker);

	if (strcmp(from->name, adapter->name) != 0 || from->serial != adapter->entity.serial)
		return RESTORE_NOT_SOFTWARE_ADAPTER;
	if (handle_compare(&from->handle, &from->system_process) == 0)
		return RESTORE_HANDLE_IS_TAKEN;
	handle_entry_change(restore->broker, &adapter->handle_entry, &from->handle);
	handle_entry_change(restore->broker, &adapter->system_process->handle_entry,
			    &from->system_process);
	return RESTORE_OK;
}

Adapter *restore_find_adapter(Restore *restore, uint64_t serial)
{
	return entity_container(entity_find(restore->broker, ENTITY_ADAPTER, serial), Adapter);
}

void restore_identity(Restore *restore, GpuProcess *gpu_process, uint64_t serial,
		      const Handle *handle)
{
	Broker *broker = restore->broker;

	entity_remove(broker, &gpu_process->entity);
	gpu_process->entity.serial = serial;
	entity_insert(broker, &gpu_process->entity);
	handle_entry_change(broker, &gpu_process->handle_entry, handle);
}

static Caller driver_of(const RecordedClientAdapter *from)
{
	return (Caller){
		.account = from->payer.uid,
		.is_operator = from->payer.is_operator,
		.credentials = { .uid = from->driver_uid },
	};
}

static RestoreReason check_client_adapter(Restore *restore, const RecordedClientAdapter *from)
{
	Broker *broker = restore->broker;
	const Caller driver = driver_of(from);

	if (restore_find_adapter(restore, from->serial - 1))
		return RESTORE_SERIAL_IS_TAKEN;
	if (handle_entry_is_taken(broker, &from->handle) ||
	    handle_entry_is_taken(broker, &from->system_process) ||
	    handle_compare(&from->handle, &from->system_process) == 0)
		return RESTORE_HANDLE_IS_TAKEN;
	/*
	 * The daemon crashed while the driver was replacing its adapter. Keep the older one, which
	 * is restored first, because no client knows the newer one.
	 */
	return adapter_waiting_for(broker, &driver, from->name) ? RESTORE_NAME_IS_TAKEN
								: RESTORE_OK;
}

static NTSTATUS describe(const RecordedClientAdapter *from, AdapterDescription *ret)
{
	GpuMmuDescription mmu = {
		.address_bits = GPU_PAGE_BITS,
		.index_bits = from->index_bits,
		.level_count = from->level_count,
	};
	Failure failure;

	for (size_t level = 0; level < from->level_count; level++)
		mmu.address_bits += from->index_bits[level];
	*ret = (AdapterDescription){
		.name = from->name,
		.max_virtual_gpus = from->max_virtual_gpus,
	};
	return gpu_mmu_from_description(&mmu, &ret->mmu, &failure);
}

/* The adapter waits for its driver. Its system process is CREATING unless it has a record. */
RestoreReason restore_client_adapter(Restore *restore, void *record)
{
	const RecordedClientAdapter *from = record;
	Broker *broker = restore->broker;
	const Caller driver = driver_of(from);
	AdapterDescription description;
	Adapter *adapter;
	Failure failure;
	RestoreReason reason = check_client_adapter(restore, from);

	if (reason != RESTORE_OK)
		return reason;
	NTSTATUS status = describe(from, &description);
	if (status == STATUS_SUCCESS)
		status = adapter_prepare(broker, &driver, &description, &adapter, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	adapter->handle_entry.handle = from->handle;
	adapter->entity.serial = from->serial;
	restore_identity(restore, adapter->system_process, from->serial - 1, &from->system_process);
	adapter_commit(broker, adapter);
	adapter_wait_for_driver(broker, adapter);
	return RESTORE_OK;
}
