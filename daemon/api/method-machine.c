/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Machine: virtual machines and their virtual GPUs. */
#include <stdlib.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"
#include "daemon/api/machine-settings.h"
#include "daemon/api/names.h"

static NTSTATUS reply_with_vm(Request *request, const VirtualMachine *vm)
{
	writer_key(request->reply, "virtualMachine");
	encode_virtual_machine(request->reply, request->service->broker, vm,
			       request->caller->pid_namespace);
	return STATUS_SUCCESS;
}

static bool vmm_is_alive(const Request *request, const VirtualMachine *vm)
{
	const Host *host = request->service->host;

	return host->process_is_alive(host->self, vm->vmm->key);
}

/*
 * Finds the running VM with the GUID. If its VMM is dead, hands the VM over or ends it now instead
 * of waiting for the notification. *ret_vm is NULL if no VM is left. Returns STATUS_SUCCESS, or
 * STATUS_PENDING while a VM with the GUID is ending.
 */
static NTSTATUS find_running_vm(Request *request, VirtualMachine **ret_vm)
{
	Broker *broker = request->service->broker;
	VirtualMachine *vm = vm_find_also_ending(broker, &request->params.virtual_machine);

	if (vm && !vm_is_ending(vm) && !vmm_is_alive(request, vm)) {
		broker_process_exited(broker, vm->vmm->key);
		broker_end_some(broker, ENDING_MICROSECONDS);
		request->subject = (Subject){ 0 }; /* it may have ended */
		vm = vm_find_also_ending(broker, &request->params.virtual_machine);
	}
	*ret_vm = vm;
	if (!vm || (!vm_is_ending(vm) && vmm_is_alive(request, vm)))
		return STATUS_SUCCESS;
	request->is_repeated = true;
	return STATUS_PENDING;
}

/* The meaning of a registration. */
typedef enum Registering {
	REGISTERING_NEW,       /* no VM has the GUID, or the existing one is displaced */
	REGISTERING_AGAIN,     /* repeated: changes nothing */
	REGISTERING_TAKE_OVER, /* an operator's, of a VM that was found */
	REGISTERING_HAND_OVER, /* names another VMM for the existing VM */
	REGISTERING_COLLISION, /* the existing VM belongs to others */
} Registering;

static Registering classify(const Request *request, const VirtualMachine *existing,
			    const ResolvedProcess *vmm)
{
	/* An operator's registration displaces a user's. */
	if (!existing || (request->caller->is_operator && !existing->by_operator))
		return REGISTERING_NEW;
	if (!caller_administers_vm(request->caller, existing))
		return REGISTERING_COLLISION;
	if (vm_is_found(existing))
		return REGISTERING_TAKE_OVER;
	return vm_is_run_by(existing, vmm->key) ? REGISTERING_AGAIN : REGISTERING_HAND_OVER;
}

/* Adds the VM, and ends the existing one, which it displaces. */
static NTSTATUS add_vm(Request *request, VirtualMachine *existing, const ResolvedProcess *vmm,
		       VmSettings *settings, VirtualMachine **ret_vm)
{
	Broker *broker = request->service->broker;
	NTSTATUS status = vm_prepare(broker, request->caller, &request->params.virtual_machine, vmm,
				     settings, ret_vm, &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_vm(&request->service->store, *ret_vm, NULL, &request->failure);
	if (status != STATUS_SUCCESS) {
		vm_discard(broker, *ret_vm);
		return status;
	}
	if (existing)
		vm_end_at_once(broker, existing, END_VM_DISPLACED); /* an operator's request */
	vm_commit(broker, *ret_vm);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* Makes the process the incoming VMM. Of the settings, uses only the agent. */
static NTSTATUS add_incoming_vmm(Request *request, VirtualMachine *vm, const ResolvedProcess *vmm,
				 VmSettings *settings)
{
	Broker *broker = request->service->broker;
	VmUpdate update = { .vm = vm };
	NTSTATUS status = incoming_vmm_prepare(broker, request->caller, vm, vmm, settings,
					       &update.incoming, &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_vm(&request->service->store, vm, &update, &request->failure);
	if (status != STATUS_SUCCESS) {
		incoming_vmm_discard(broker, update.incoming);
		return status;
	}
	incoming_vmm_commit(broker, update.incoming);
	request->changed = true;
	request->change = hand_over_name(HAND_OVER_BEGAN);
	return STATUS_SUCCESS;
}

/* Takes the found VM over. The process becomes its VMM, whatever the host has named as such. */
static NTSTATUS take_over_vm(Request *request, VirtualMachine *vm, const ResolvedProcess *vmm,
			     VmSettings *settings)
{
	Broker *broker = request->service->broker;
	VmTakeOver take_over;
	NTSTATUS status = vm_take_over_prepare(broker, request->caller, vm, vmm, settings,
					       &take_over, &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_vm(&request->service->store, vm, &take_over.update, &request->failure);
	if (status != STATUS_SUCCESS) {
		vm_take_over_discard(broker, &take_over);
		return status;
	}
	vm_take_over_commit(broker, &take_over);
	vm_prune_some(broker, vm, ENDING_MICROSECONDS);
	request->changed = true;
	return STATUS_SUCCESS;
}

static NTSTATUS refuse_found(Request *request)
{
	return failure_set(&request->failure, STATUS_NOT_SUPPORTED, "found",
			   "systemd-machined has named this VM, and vaild only shows it; take it "
			   "over with \"vailctl vm add\", or stop the VM");
}

static NTSTATUS refuse_collision(Request *request)
{
	const Payer payer = payer_of(request->caller);
	Accounts *accounts = &request->service->broker->accounts;
	NTSTATUS status = charge_check(accounts, &payer, LIMIT_VIRTUAL_MACHINES, &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	request->audits_refusal = true;
	return failure_set(&request->failure, STATUS_OBJECT_NAME_COLLISION, "virtualMachine",
			   "a running VM already has this GUID; stop it, use another GUID for this "
			   "one, or have the VM handed over by an operator or by the user who "
			   "added it");
}

/* Returns the name that the VM has after the request. existing is NULL if the VM is new. */
static const char *name_after(const Request *request, const VirtualMachine *existing)
{
	const char *name = request->params.machine_settings.name;

	return name || !existing ? name : existing->name;
}

/* Returns the drop-ins that apply to the new VM, or none if the registration adds none. */
static DropInChoice choose_drop_ins(const Request *request, Registering registering,
				    const VirtualMachine *existing)
{
	bool takes_over = registering == REGISTERING_TAKE_OVER;
	const VmIdentity identity = {
		.guid = &request->params.virtual_machine,
		.name = name_after(request, takes_over ? existing : NULL),
		.by_operator = request->caller->is_operator,
		.registered_by = request->caller->credentials.uid,
	};

	return registering == REGISTERING_NEW || takes_over
		       ? drop_ins_choose(request->service->broker->drop_ins, &identity)
		       : (DropInChoice){ 0 };
}

/* Returns the VM that the registration concerns in *ret_vm. */
static NTSTATUS register_vm(Request *request, const ResolvedProcess *vmm, VirtualMachine *existing,
			    VirtualMachine **ret_vm)
{
	VmSettings settings = VM_SETTINGS_INIT;
	Registering registering = classify(request, existing, vmm);
	/* An existing VM keeps its display clients, so the VMM may be any user's. */
	bool must_log_in = registering != REGISTERING_AGAIN && registering != REGISTERING_HAND_OVER;
	const DropInChoice choice = choose_drop_ins(request, registering, existing);
	NTSTATUS status = machine_resolve_settings(request, vmm, must_log_in, &choice, &settings);

	*ret_vm = existing;
	if (status == STATUS_SUCCESS && registering == REGISTERING_NEW)
		status = add_vm(request, existing, vmm, &settings, ret_vm);
	else if (status == STATUS_SUCCESS && registering == REGISTERING_TAKE_OVER)
		status = take_over_vm(request, existing, vmm, &settings);
	else if (status == STATUS_SUCCESS && registering == REGISTERING_HAND_OVER)
		status = add_incoming_vmm(request, existing, vmm, &settings);
	else if (status == STATUS_SUCCESS && registering == REGISTERING_COLLISION)
		status = refuse_collision(request);
	vm_settings_deinit(&settings);
	return status;
}

NTSTATUS method_register_virtual_machine(Request *request)
{
	ResolvedProcess vmm = { 0 };
	VirtualMachine *vm;
	NTSTATUS status = find_running_vm(request, &vm);

	if (status == STATUS_SUCCESS)
		status = request_await_fdstore(request);
	if (status == STATUS_SUCCESS)
		status = machine_resolve_vmm(request, &vmm);
	if (status == STATUS_SUCCESS)
		status = register_vm(request, &vmm, vm, &vm);
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
	vm_prune_some(broker, vm, ENDING_MICROSECONDS);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* Resolves the settings of an update. A new name may bring other drop-ins. */
static NTSTATUS resolve_update(Request *request, const VirtualMachine *vm,
			       const ResolvedProcess *vmm, bool sets_clients, VmSettings *settings)
{
	Broker *broker = request->service->broker;
	const char *name = name_after(request, vm);
	const VmIdentity identity = vm_identity(vm, name);
	const DropIn *drop_in = drop_ins_choose(broker->drop_ins, &identity).clients;
	/* A drop-in does not come before what a request has named because libvirt names the same.
	 */
	bool is_late = machine_is_for_libvirt(request) &&
		       display_clients_are_requested(&vm->display_clients);
	const DropInChoice choice = { .clients = is_late ? NULL : drop_in };

	settings->has_metadata = vm->has_metadata;
	NTSTATUS status = machine_resolve_settings(request, sets_clients ? vmm : NULL, true,
						   &choice, settings);
	if (status == STATUS_SUCCESS)
		status = machine_weigh_sources(request, &vm->display_clients, drop_in, settings);
	if (status != STATUS_SUCCESS)
		return status;
	settings->for_incoming = vm->incoming && vm->incoming->process->key == vmm->key;
	if (settings->for_incoming || !request->params.machine_settings.name)
		return STATUS_SUCCESS;
	return drop_ins_resolve(broker, vm, name, settings) ? STATUS_SUCCESS
							    : failure_no_memory(&request->failure);
}

NTSTATUS method_update_virtual_machine(Request *request)
{
	const MachineSettingsParams *params = &request->params.machine_settings;
	VirtualMachine *vm;
	bool sets_clients = params->display_clients.array.present;
	ResolvedProcess vmm = { 0 };
	VmSettings settings = VM_SETTINGS_INIT;
	NTSTATUS status = request_await_fdstore(request);

	if (status == STATUS_SUCCESS)
		status = find_running_vm(request, &vm);
	if (status == STATUS_SUCCESS && !vm)
		return machine_not_found(&request->failure);
	if (status == STATUS_SUCCESS && vm_is_found(vm))
		return refuse_found(request);
	if (status == STATUS_SUCCESS && (sets_clients || params->vmm_pid.present))
		status = machine_read_vmm(request, vm, &vmm);
	if (status == STATUS_SUCCESS)
		status = resolve_update(request, vm, &vmm, sets_clients, &settings);
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
	const VirtualMachine *vm = request->subject.vm;

	if (vm_is_found(vm))
		return refuse_found(request);
	if (machine_is_for_libvirt(request) &&
	    !display_clients_yield_to_libvirt(&vm->display_clients))
		return failure_set(&request->failure, STATUS_INVALID_DEVICE_STATE, "displayClients",
				   "the display clients of this VM are not those of libvirt's "
				   "metadata, so it stays; an operator can end it with \"vailctl "
				   "vm remove\"");
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
	if (adapter->device)
		return failure_set(&request->failure, STATUS_NOT_SUPPORTED, "found",
				   "this adapter is a device of the host, and a VM has of it what "
				   "its VMM opens; name another adapter");
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
	if (request->subject.virtual_gpu->held)
		return failure_set(&request->failure, STATUS_NOT_SUPPORTED, "found",
				   "this virtual GPU was found: the VM has it as long as its VMM "
				   "has the function open; detach the function from the VM");
	virtual_gpu_remove(request->service->broker, request->subject.virtual_gpu, END_REQUESTED);
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
