/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Gpu: adapters. */
#include "daemon/api/encode.h"
#include "daemon/api/methods.h"

/* Reads and checks the adapter's name and MMU. The result borrows from the message. */
static NTSTATUS read_description(Request *request, AdapterDescription *ret)
{
	const RegisterAdapterParams *params = &request->params.register_adapter;
	const GpuMmuDescription mmu = {
		.address_bits = params->address_bits.value,
		.index_bits = params->index_bits.items,
		.level_count = params->index_bits.array.count,
	};

	if (params->name[0] == '\0')
		return failure_parameter(&request->failure, "name",
					 "is empty; give the adapter a name that people recognise");
	ret->name = params->name;
	ret->max_virtual_gpus = params->max_virtual_gpus.value;
	return gpu_mmu_from_description(&mmu, &ret->mmu, &request->failure);
}

/*
 * Registers an adapter. former, if not NULL, is an adapter of the same name that waits for this
 * driver since a restart, and is replaced because its MMU differs.
 */
static NTSTATUS register_new(Request *request, const AdapterDescription *description,
			     Adapter *former, Adapter **ret_adapter)
{
	Broker *broker = request->service->broker;
	Failure *failure = &request->failure;
	Adapter *adapter;
	NTSTATUS status = adapter_prepare(broker, request->caller, description, &adapter, failure);

	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_client_adapter(&request->service->store, adapter,
					   description->max_virtual_gpus, failure);
	if (status != STATUS_SUCCESS) {
		adapter_discard(broker, adapter);
		return status;
	}
	if (former)
		adapter_end(broker, former, END_DRIVER_GONE);
	adapter_commit(broker, adapter);
	*ret_adapter = adapter;
	return STATUS_SUCCESS;
}

/* Connects an adapter that has waited since a restart with its driver. */
static NTSTATUS take_over(Request *request, const AdapterDescription *description, Adapter *adapter)
{
	NTSTATUS status =
		store_save_client_adapter(&request->service->store, adapter,
					  description->max_virtual_gpus, &request->failure);

	if (status == STATUS_SUCCESS)
		adapter_take_over(adapter, request->caller, description);
	return status;
}

static NTSTATUS find_or_register(Request *request, const AdapterDescription *description,
				 Adapter **ret_adapter)
{
	Adapter *waiting =
		adapter_waiting_for(request->service->broker, request->caller, description->name);

	if (!waiting || !adapter_matches_description(waiting, description))
		return register_new(request, description, waiting, ret_adapter);
	*ret_adapter = waiting;
	return take_over(request, description, waiting);
}

NTSTATUS method_register_adapter(Request *request)
{
	AdapterDescription description = { 0 };
	Adapter *adapter = NULL;
	NTSTATUS status = read_description(request, &description);

	if (status == STATUS_SUCCESS)
		status = find_or_register(request, &description, &adapter);
	if (status != STATUS_SUCCESS)
		return status;
	request->changed = true;
	writer_key(request->reply, "adapter");
	writer_handle(request->reply, &adapter->handle_entry.handle);
	writer_key(request->reply, "systemProcess");
	writer_handle(request->reply, &adapter->system_process->handle_entry.handle);
	writer_key(request->reply, "restored");
	writer_boolean(request->reply, adapter->system_process->state == GPU_PROCESS_RUNNING);
	return STATUS_SUCCESS;
}

NTSTATUS method_unregister_adapter(Request *request)
{
	Adapter *adapter = request->subject.adapter;

	if (adapter->source == ADAPTER_SOFTWARE)
		return failure_set(&request->failure, STATUS_NOT_SUPPORTED, "software",
				   "the software adapter cannot be unregistered");
	if (adapter->source == ADAPTER_DRM)
		return failure_set(&request->failure, STATUS_NOT_SUPPORTED, "found",
				   "this adapter is a device of the host, which vaild only shows; "
				   "it ends when the device is removed");
	adapter_end(request->service->broker, adapter, END_REQUESTED);
	request->changed = true;
	return STATUS_SUCCESS;
}

static bool adapter_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	(void)service;
	(void)caller;
	(void)entity;
	return true;
}

static void adapter_write(const ListView *view, Writer *writer, const Entity *entity)
{
	(void)view;
	encode_adapter(writer, container_of(entity, Adapter, entity));
}

const ListOperations list_adapters = {
	.next = list_next_entity,
	.count = list_count_entities,
	.type = ENTITY_ADAPTER,
	.is_visible = adapter_is_visible,
	.write = adapter_write,
};
