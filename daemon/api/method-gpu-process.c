/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Gpu: GPU processes, and their drivers' calls on them. */
#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"
#include "daemon/api/process-lookup.h"

/* --- creation -------------------------------------------------------------------------------- */

/* Finds the VM that the parameters name for the process. *ret_vm is NULL if they name none. */
static NTSTATUS find_machine(Request *request, VirtualMachine **ret_vm)
{
	const Guid *guid = &request->params.create_process.virtual_machine;

	*ret_vm = NULL;
	if (guid_is_nil(guid))
		return STATUS_SUCCESS;
	request->virtual_machine = *guid;
	request->names_virtual_machine = true;
	*ret_vm = vm_find(request->service->broker, guid);
	return *ret_vm ? STATUS_SUCCESS : machine_not_found(&request->failure);
}

static NTSTATUS check_system_process(Request *request)
{
	if (request->subject.adapter->system_process->state == GPU_PROCESS_RUNNING)
		return STATUS_SUCCESS;
	return failure_set(
		&request->failure, STATUS_INVALID_DEVICE_STATE, "creating",
		"the adapter's system process is still being created; complete it first");
}

/* Finds the host process that the parameters name; origin is unchanged if they name none. */
static NTSTATUS find_host_process(Request *request, GpuProcessOrigin *origin)
{
	const OptionalInteger *pid = &request->params.create_process.pid;
	ResolvedProcess process = { 0 };
	NTSTATUS status;

	if (!pid->present)
		return STATUS_SUCCESS;
	status = process_resolve(request, "pid", pid->value, &process);
	if (status == STATUS_SUCCESS) {
		origin->key = process.key;
		origin->pid = process.pid;
		origin->uid = process.credentials.uids[ID_EFFECTIVE];
	}
	credentials_deinit(&process.credentials);
	return status;
}

/* Checks the limit, and then that the host process has no GPU process on this adapter yet. */
static NTSTATUS check_creatable(Request *request, const GpuProcessOrigin *origin)
{
	Broker *broker = request->service->broker;
	NTSTATUS status = charge_check(&broker->accounts, &origin->payer, LIMIT_GPU_PROCESSES,
				       &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	if (!gpu_process_on_adapter(process_find(broker, origin->key), request->subject.adapter))
		return STATUS_SUCCESS;
	return failure_set(&request->failure, STATUS_OBJECT_NAME_COLLISION, "process",
			   "this pid already has a process on this adapter; destroy it first");
}

NTSTATUS method_create_process(Request *request)
{
	GpuProcessOrigin origin = {
		.name = request->params.create_process.name,
		.payer = payer_of(request->caller),
	};
	GpuProcess *gpu_process;
	NTSTATUS status = find_machine(request, &origin.vm);

	if (status == STATUS_SUCCESS)
		status = check_system_process(request);
	if (status == STATUS_SUCCESS)
		status = find_host_process(request, &origin);
	if (status == STATUS_SUCCESS)
		status = check_creatable(request, &origin);
	if (status == STATUS_SUCCESS)
		status = request_await_fdstore(request);
	if (status == STATUS_SUCCESS)
		status = gpu_process_create(request->service->broker, request->subject.adapter,
					    &origin, &gpu_process, &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	request->changed = true;
	writer_key(request->reply, "process");
	writer_handle(request->reply, &gpu_process->handle_entry.handle);
	return STATUS_SUCCESS;
}

NTSTATUS method_reserve_gpu_virtual_address_range(Request *request)
{
	const ReserveRangeParams *params = &request->params.reserve_range;
	const DriverReservation reservation = {
		.size = params->size.value,
		.alignment = params->alignment.value,
		.base_address = params->base_address.value,
		.allow_user_mode_mapping = params->allow_user_mode_mapping.value,
	};
	uint64_t address;
	NTSTATUS status = gpu_process_reserve_for_driver(request->service->broker,
							 request->subject.gpu_process, &reservation,
							 &address, &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	writer_key(request->reply, "startVirtualAddress");
	writer_address(request->reply, address);
	return STATUS_SUCCESS;
}

NTSTATUS method_complete_create_process(Request *request)
{
	GpuProcess *gpu_process = request->subject.gpu_process;
	NTSTATUS status = gpu_process_prepare_completion(gpu_process, &request->failure);

	if (status == STATUS_SUCCESS)
		status = store_save_gpu_process(&request->service->store, gpu_process,
						&request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	gpu_process_complete(gpu_process);
	request->changed = true;
	return STATUS_SUCCESS;
}

NTSTATUS method_destroy_process(Request *request)
{
	GpuProcess *gpu_process = request->subject.gpu_process;

	if (gpu_process->is_system)
		return failure_set(&request->failure, STATUS_NOT_SUPPORTED, "systemProcess",
				   "an adapter's system process ends with its adapter; unregister "
				   "the adapter");
	gpu_process_end(request->service->broker, gpu_process, END_REQUESTED);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* --- page tables ----------------------------------------------------------------------------- */

/*
 * Persists the owner of a page table entry, but not its address, which the driver sets again after
 * a restart. The entries of a process in state CREATING are persisted when it is completed.
 */
static NTSTATUS save_entry(Request *request, const EntryChange *change)
{
	GpuProcess *gpu_process = request->subject.gpu_process;
	NTSTATUS status = STATUS_SUCCESS;

	if (gpu_process_is_persistent(gpu_process))
		status = store_save_page_table_entry(&request->service->store, gpu_process,
						     change->entry, &request->failure);
	if (status != STATUS_SUCCESS)
		address_space_discard_entry(&gpu_process->space, change);
	return status;
}

NTSTATUS method_set_reserved_page_table_entry(Request *request)
{
	const PageTableParams *params = &request->params.page_table;
	GpuProcess *gpu_process = request->subject.gpu_process;
	EntryChange change;
	NTSTATUS status = gpu_process_prepare_entry(
		request->service->broker, gpu_process, params->virtual_address.value,
		params->page_table_address.value, &change, &request->failure);

	if (status == STATUS_SUCCESS && change.is_new)
		status = save_entry(request, &change);
	if (status == STATUS_SUCCESS)
		address_space_commit_entry(&gpu_process->space, &change);
	return status;
}

NTSTATUS method_evict_page_table(Request *request)
{
	return gpu_process_evict(request->service->broker, request->subject.gpu_process,
				 request->params.page_table.virtual_address.value,
				 &request->failure);
}

NTSTATUS method_make_page_table_resident(Request *request)
{
	return gpu_process_make_resident(request->service->broker, request->subject.gpu_process,
					 request->params.page_table.virtual_address.value,
					 &request->failure);
}

/* --- the list -------------------------------------------------------------------------------- */

static bool process_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	(void)service;
	return caller_sees_gpu_process(caller, container_of(entity, GpuProcess, entity));
}

static void process_write(const ListView *view, Writer *writer, const Entity *entity)
{
	encode_gpu_process(writer, container_of(entity, GpuProcess, entity),
			   view->caller->pid_namespace);
}

const ListOperations list_processes = {
	.next = list_next_entity,
	.count = list_count_entities,
	.type = ENTITY_GPU_PROCESS,
	.is_visible = process_is_visible,
	.write = process_write,
};
