/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Machine: virtual machines and their virtual GPUs. */
#include <stdlib.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"
#include "daemon/api/machine-settings.h"

static NTSTATUS reply_with_vm(Request *request, const VirtualMachine *vm)
{
	writer_key(request->reply, "virtualMachine");
	encode_virtual_machine(request->reply, request->service->broker, vm,
			       request->caller->pid_namespace);
	return STATUS_SUCCESS;
}

/*
 * Finds the running VM with the GUID. If its VMM is dead, ends the VM now instead of waiting for
 * the notification, and returns NULL.
 */
static VirtualMachine *find_running_vm(Request *request)
{
	const Host *host = request->service->host;
	Broker *broker = request->service->broker;
	VirtualMachine *vm = vm_find(broker, &request->params.virtual_machine);

	if (!vm || host->process_is_alive(host->self, vm->vmm->key))
		return vm;
	broker_process_exited(broker, vm->vmm->key);
	return NULL;
}

/* Tests whether the caller may register the VM again. */
static bool caller_registered(const Request *request, const VirtualMachine *vm)
{
	return request->caller->is_operator ||
	       (!vm->by_operator && vm->registered_by == request->caller->credentials.uid &&
		id_is_mapped(vm->registered_by));
}

/* Tests for a registration by an operator, which displaces an existing one by a user. */
static bool displaces(const Request *request, const VirtualMachine *existing)
{
	return request->caller->is_operator && !existing->by_operator;
}

/* Tests for a repeated registration, with the same GUID and VMM, which changes nothing. */
static bool is_the_same_again(const Request *request, const VirtualMachine *existing,
			      const ResolvedProcess *vmm)
{
	return existing && !displaces(request, existing) && existing->vmm->key == vmm->key &&
	       caller_registered(request, existing);
}

/* Adds the VM, and ends the existing one if it is displaced. */
static NTSTATUS add_vm(Request *request, VirtualMachine *existing, const ResolvedProcess *vmm,
		       VmSettings *settings, VirtualMachine **ret_vm)
{
	Broker *broker = request->service->broker;
	const Caller *caller = request->caller;
	const Payer payer = payer_of(caller);
	NTSTATUS status =
		charge_check(&broker->accounts, &payer, LIMIT_VIRTUAL_MACHINES, &request->failure);

	if (status == STATUS_SUCCESS && existing && !displaces(request, existing))
		status = failure_set(
			&request->failure, STATUS_OBJECT_NAME_COLLISION, "virtualMachine",
			"a running VM already has this GUID; stop it, or use another GUID "
			"for this one");
	if (status == STATUS_SUCCESS)
		status = vm_prepare(broker, caller, &request->params.virtual_machine, vmm, settings,
				    ret_vm, &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_vm(&request->service->store, *ret_vm, NULL, &request->failure);
	if (status != STATUS_SUCCESS) {
		vm_discard(broker, *ret_vm);
		return status;
	}
	if (existing)
		vm_end(broker, existing, END_VM_DISPLACED);
	vm_commit(broker, *ret_vm);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* Returns the existing VM in *ret_vm if the registration is a repetition, else adds a VM. */
static NTSTATUS find_or_add_vm(Request *request, VirtualMachine *existing,
			       const ResolvedProcess *vmm, VirtualMachine **ret_vm)
{
	VmSettings settings = VM_SETTINGS_INIT;
	bool is_same = is_the_same_again(request, existing, vmm);
	/* A repetition need not name a display client again, so the VMM may be any user's. */
	NTSTATUS status = machine_resolve_settings(request, vmm, !is_same, &settings);

	*ret_vm = existing;
	if (status == STATUS_SUCCESS && !is_same)
		status = add_vm(request, existing, vmm, &settings, ret_vm);
	vm_settings_deinit(&settings);
	return status;
}

NTSTATUS method_register_virtual_machine(Request *request)
{
	ResolvedProcess vmm = { 0 };
	VirtualMachine *vm = find_running_vm(request);
	NTSTATUS status = request_await_fdstore(request);

	if (status == STATUS_SUCCESS)
		status = machine_resolve_vmm(request, &vmm);
	if (status == STATUS_SUCCESS)
		status = find_or_add_vm(request, vm, &vmm, &vm);
	if (status == STATUS_SUCCESS)
		status = reply_with_vm(request, vm);
	credentials_deinit(&vmm.credentials);
	return status;
}

/* Prepares, persists and commits the update. */
static NTSTATUS update_vm(Request *request, VirtualMachine *vm, VmSettings *settings)
{
	Broker *broker = request->service->broker;
	VmUpdate update;
	NTSTATUS status = vm_update_prepare(broker, request->caller, vm, settings, &update,
					    &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_vm(&request->service->store, vm, &update, &request->failure);
	if (status != STATUS_SUCCESS) {
		vm_update_discard(broker, &update);
		return status;
	}
	vm_update_commit(broker, &update);
	request->changed = true;
	return STATUS_SUCCESS;
}

NTSTATUS method_update_virtual_machine(Request *request)
{
	VirtualMachine *vm = request->subject.vm;
	bool sets_clients = request->params.machine_settings.display_clients.array.present;
	ResolvedProcess vmm = { 0 };
	VmSettings settings = VM_SETTINGS_INIT;
	NTSTATUS status = request_await_fdstore(request);

	if (status == STATUS_SUCCESS && sets_clients)
		status = machine_read_vmm(request, vm, &vmm);
	if (status == STATUS_SUCCESS)
		status = machine_resolve_settings(request, sets_clients ? &vmm : NULL, true,
						  &settings);
	if (status == STATUS_SUCCESS)
		status = update_vm(request, vm, &settings);
	if (status == STATUS_SUCCESS)
		status = reply_with_vm(request, vm);
	vm_settings_deinit(&settings);
	credentials_deinit(&vmm.credentials);
	return status;
}

NTSTATUS method_unregister_virtual_machine(Request *request)
{
	vm_end(request->service->broker, request->subject.vm, END_VM_UNREGISTERED);
	request->changed = true;
	return STATUS_SUCCESS;
}

static Adapter *find_adapter(Request *request)
{
	const char *text = request->params.assign.adapter;
	Broker *broker = request->service->broker;
	Handle handle;

	if (!text)
		return adapter_software(broker);
	return handle_parse(text, &handle) ? adapter_find(broker, &handle) : NULL;
}

NTSTATUS method_assign_virtual_gpu(Request *request)
{
	Broker *broker = request->service->broker;
	const char *profile = request->params.assign.profile;
	Adapter *adapter = find_adapter(request);
	_cleanup_free_ char *copy = profile ? strdup(profile) : NULL;
	VirtualGpu *virtual_gpu;

	if (!adapter)
		return failure_set(&request->failure, STATUS_INVALID_HANDLE, "handle",
				   "no adapter has this handle; io.vaild.Gpu.ListAdapters lists "
				   "all adapters");
	if (profile && !copy)
		return failure_no_memory(&request->failure);
	NTSTATUS status = virtual_gpu_prepare(broker, request->caller, request->subject.vm, adapter,
					      &copy, &virtual_gpu, &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_virtual_gpu(&request->service->store, virtual_gpu, &request->failure);
	if (status != STATUS_SUCCESS) {
		virtual_gpu_discard(broker, virtual_gpu);
		return status;
	}
	virtual_gpu_commit(broker, virtual_gpu);
	request->changed = true;
	writer_key(request->reply, "virtualGpu");
	writer_handle(request->reply, &virtual_gpu->handle_entry.handle);
	return STATUS_SUCCESS;
}

NTSTATUS method_remove_virtual_gpu(Request *request)
{
	virtual_gpu_end(request->service->broker, request->subject.virtual_gpu, END_REQUESTED);
	request->changed = true;
	return STATUS_SUCCESS;
}

NTSTATUS method_describe_virtual_machine(Request *request)
{
	return reply_with_vm(request, request->subject.vm);
}

static bool vm_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	return caller_sees_vm(service, caller, container_of(entity, VirtualMachine, entity));
}

static void vm_write(const ListView *view, Writer *writer, const Entity *entity)
{
	encode_virtual_machine(writer, view->service->broker,
			       container_of(entity, VirtualMachine, entity),
			       view->caller->pid_namespace);
}

static size_t vm_parts(const Entity *entity)
{
	const VirtualMachine *vm = container_of(entity, VirtualMachine, entity);

	return 1 + vm->display_clients.count + vm->virtual_gpu_count;
}

const ListOperations list_virtual_machines = {
	.next = list_next_entity,
	.count = list_count_entities,
	.type = ENTITY_VIRTUAL_MACHINE,
	.is_visible = vm_is_visible,
	.write = vm_write,
	.parts = vm_parts,
};
