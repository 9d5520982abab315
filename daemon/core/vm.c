/* SPDX-License-Identifier: MIT */
#include "daemon/core/vm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker.h"

static int vm_compare_guid(const VirtualMachine *a, const VirtualMachine *b)
{
	return guid_compare(&a->guid, &b->guid);
}

TREE_GENERATE(VmGuidTree, VirtualMachine, by_guid, vm_compare_guid)

VirtualMachine *vm_find_also_ending(Broker *broker, const Guid *guid)
{
	return RB_FIND(VmGuidTree, &broker->vms_by_guid, &(VirtualMachine){ .guid = *guid });
}

VirtualMachine *vm_find(Broker *broker, const Guid *guid)
{
	VirtualMachine *vm = vm_find_also_ending(broker, guid);

	return vm_is_ending(vm) ? NULL : vm;
}

bool vm_is_listed(Broker *broker, const VirtualMachine *vm)
{
	return vm_find_also_ending(broker, &vm->guid) == vm;
}

bool vm_is_run_by(const VirtualMachine *vm, ProcessKey key)
{
	return vm->vmm->key == key || (vm->incoming && vm->incoming->process->key == key);
}

const VirtualMachine *entity_machine(const Entity *entity)
{
	switch (entity->type) {
	case ENTITY_VIRTUAL_MACHINE:
		return container_of(entity, VirtualMachine, entity);
	case ENTITY_VIRTUAL_GPU:
		return container_of(entity, VirtualGpu, entity)->vm;
	case ENTITY_REGISTRATION:
		return container_of(entity, Registration, entity)->vm;
	case ENTITY_OBJECT:
		return container_of(entity, SharedObject, entity)->vm;
	case ENTITY_GPU_PROCESS:
		return container_of(entity, GpuProcess, entity)->vm;
	case ENTITY_DISPLAY:
		return container_of(entity, DisplayChannel, entity)->registration->vm;
	default:
		return NULL;
	}
}

VirtualMachine *vm_after(Broker *broker, uint64_t serial)
{
	return entity_container(entity_after(broker, ENTITY_VIRTUAL_MACHINE, serial),
				VirtualMachine);
}

void vm_settings_deinit(VmSettings *settings)
{
	free(settings->name);
	display_clients_deinit(&settings->display_clients);
	free(settings->agent_user);
	credentials_deinit(&settings->agent_process.credentials);
	*settings = VM_SETTINGS_INIT;
}

ProcessOrigin resolved_process_origin(const ResolvedProcess *process, const Payer *payer)
{
	return (ProcessOrigin){
		.key = process->key,
		.pid = process->pid,
		.uid = process->credentials.uids[ID_EFFECTIVE],
		.payer = *payer,
	};
}

NTSTATUS vm_settings_attach_agent(Broker *broker, const Payer *payer, const VmSettings *settings,
				  Process **ret_process, Failure *failure)
{
	const ResolvedProcess *agent = &settings->agent_process;

	*ret_process = NULL;
	if (agent->key == PROCESS_KEY_NONE || settings->agent_user)
		return STATUS_SUCCESS;
	const ProcessOrigin origin = resolved_process_origin(agent, payer);
	return process_attach(broker, &origin, ret_process, failure);
}

Agent vm_settings_take_agent(VmSettings *settings, VirtualMachine *vm, Process *process)
{
	if (!settings->agent_user && !process)
		return (Agent){ 0 };
	return (Agent){
		.vm = vm,
		.is_incoming = settings->for_incoming,
		.is_from_drop_in = settings->agent_is_from_drop_in,
		.user = TAKE_POINTER(settings->agent_user),
		.uid = settings->agent_uid,
		.process = process,
	};
}

void vm_discard(Broker *broker, VirtualMachine *vm)
{
	Process *vmm = vm->vmm;
	Agent agent = agent_take(&vm->agent);

	agent_release(broker, &agent);
	if (vm->incoming) {
		incoming_vmm_unlink(vm->incoming);
		incoming_vmm_discard(broker, vm->incoming);
	}
	if (vmm)
		LIST_REMOVE(vm, of_vmm);
	charge_return(&vm->charge, &broker->accounts);
	display_clients_deinit(&vm->display_clients);
	free(vm->name);
	free(vm);
	process_release(broker, vmm);
}

/* Attaches to the VMM and the agent. Even after a failure, vm_discard() releases them. */
static NTSTATUS vm_attach(Broker *broker, const Payer *payer, VirtualMachine *vm,
			  const ResolvedProcess *vmm, VmSettings *settings, Failure *failure)
{
	const ProcessOrigin origin = resolved_process_origin(vmm, payer);
	Process *agent;
	NTSTATUS status = process_attach(broker, &origin, &vm->vmm, failure);

	if (status != STATUS_SUCCESS)
		return status;
	LIST_INSERT_HEAD(&vm->vmm->virtual_machines, vm, of_vmm);
	status = vm_settings_attach_agent(broker, payer, settings, &agent, failure);
	if (status != STATUS_SUCCESS || !settings->has_agent)
		return status;
	vm->agent = vm_settings_take_agent(settings, vm, agent);
	agent_link(&vm->agent);
	return STATUS_SUCCESS;
}

NTSTATUS vm_prepare(Broker *broker, const Caller *caller, const Guid *guid,
		    const ResolvedProcess *vmm, VmSettings *settings, VirtualMachine **ret_vm,
		    Failure *failure)
{
	const Payer payer = payer_of(caller);
	VirtualMachine *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return failure_no_memory(failure);
	vm->guid = *guid;
	vm->registered_by = caller->credentials.uid;
	vm->by_operator = caller->is_operator;
	TAILQ_INIT(&vm->virtual_gpus);
	LIST_INIT(&vm->registrations);
	LIST_INIT(&vm->gpu_processes);
	LIST_INIT(&vm->objects);
	LIST_INIT(&vm->display_servers);

	NTSTATUS status = charge_take(&vm->charge, &broker->accounts, &payer,
				      LIMIT_VIRTUAL_MACHINES, failure);
	if (status == STATUS_SUCCESS)
		status = vm_attach(broker, &payer, vm, vmm, settings, failure);
	if (status != STATUS_SUCCESS) {
		vm_discard(broker, vm);
		return status;
	}
	vm->name = TAKE_POINTER(settings->name);
	vm->display_clients = settings->display_clients;
	settings->display_clients = DISPLAY_CLIENTS_INIT;
	vm->has_metadata = settings->has_metadata;
	vm->told_guest =
		(ToldGuest){ .vm = vm, .state = settings->guest_state, .teller = settings->teller };
	entity_prepare(broker, &vm->entity, ENTITY_VIRTUAL_MACHINE);
	vm->since = broker_now(broker);
	*ret_vm = vm;
	return STATUS_SUCCESS;
}

static Event vm_event(const VirtualMachine *vm, EventKind kind, EndReason reason)
{
	return (Event){
		.kind = kind,
		.virtual_machine = &vm->guid,
		.entity = &vm->entity,
		.pid = vm->vmm->pid,
		.uid = vm->vmm->uid,
		.reason = reason,
	};
}

void vm_commit(Broker *broker, VirtualMachine *vm)
{
	vm_follow_drop_ins(broker, vm);
	entity_insert(broker, &vm->entity);
	RB_INSERT(VmGuidTree, &broker->vms_by_guid, vm);
	agent_index(broker, &vm->agent);
	told_guest_index(broker, &vm->told_guest);
	Event event = vm_event(vm, EVENT_VIRTUAL_MACHINE_ADDED, END_REQUESTED);
	event.changes_sharers = true;
	broker_event(broker, &event);
}

void vm_follow_drop_ins(const Broker *broker, VirtualMachine *vm)
{
	const VmIdentity identity = vm_identity(vm, vm->name);

	vm->requires_sealed_memory =
		drop_ins_choose(broker->drop_ins, &identity).requires_sealed_memory;
}

NTSTATUS vm_update_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			   VmSettings *settings, VmUpdate *ret_update, Failure *failure)
{
	const Payer payer = payer_of(caller);

	*ret_update = (VmUpdate){ .vm = vm, .settings = settings };
	return vm_settings_attach_agent(broker, &payer, settings, &ret_update->agent_process,
					failure);
}

void vm_update_discard(Broker *broker, VmUpdate *update)
{
	process_release(broker, update->agent_process);
}

void vm_changed(Broker *broker, const VirtualMachine *vm, Event change)
{
	Event event = vm_event(vm, EVENT_VIRTUAL_MACHINE_CHANGED, END_REQUESTED);

	event.changed_parts = change.changed_parts;
	event.changes_sharers = change.changes_sharers;
	event.former_agent = change.former_agent;
	event.former_vmm = change.former_vmm;
	event.hand_over = change.hand_over;
	broker_event(broker, &event);
}

void vm_agent_exited(Broker *broker, Agent *agent)
{
	VirtualMachine *vm = agent->vm;
	Agent former = agent_take(agent);

	vm_changed(broker, vm,
		   (Event){ .changed_parts = VM_PART_BIT(former.is_incoming ? VM_PART_INCOMING_AGENT
									    : VM_PART_AGENT),
			    .changes_sharers = true,
			    .former_agent = &former });
	agent_release(broker, &former);
}

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Returns the agent that the update concerns. */
static Agent *updated_agent(const VmUpdate *update)
{
	return update->settings->for_incoming ? &update->vm->incoming->agent : &update->vm->agent;
}

static bool keeps_agent(const VmUpdate *update)
{
	const VmSettings *settings = update->settings;
	const Agent *agent = updated_agent(update);

	return agent_exists(agent) && is_same_text(agent->user, settings->agent_user) &&
	       agent->process == update->agent_process &&
	       (!agent->user || agent->uid == settings->agent_uid);
}

/* Returns the guest that the update concerns. */
static ToldGuest *updated_guest(const VmUpdate *update)
{
	return update->settings->for_incoming ? &update->vm->incoming->told_guest
					      : &update->vm->told_guest;
}

/* Tests whether the update changes the state of the VMM's guest. That of the incoming VMM's guest
 * is not shown. */
static bool changes_guest_state(const VmUpdate *update)
{
	const VmSettings *settings = update->settings;

	return settings->guest_state != GUEST_STATE_UNKNOWN && !settings->for_incoming &&
	       settings->guest_state != update->vm->told_guest.state;
}

/* Returns the parts of the VM that the update changes, as VM_PART_BIT(). */
static unsigned int changed_parts(const VmUpdate *update)
{
	const VirtualMachine *vm = update->vm;
	const VmSettings *settings = update->settings;
	unsigned int parts = 0;

	if (settings->name && !is_same_text(vm->name, settings->name))
		parts |= VM_PART_BIT(VM_PART_NAME);
	if (settings->has_agent && !keeps_agent(update))
		parts |= VM_PART_BIT(settings->for_incoming ? VM_PART_INCOMING_AGENT
							    : VM_PART_AGENT);
	if (settings->has_display_clients &&
	    !display_clients_are_same(&vm->display_clients, &settings->display_clients))
		parts |= VM_PART_BIT(VM_PART_DISPLAY_CLIENTS);
	if (changes_guest_state(update))
		parts |= VM_PART_BIT(VM_PART_GUEST_STATE);
	return parts;
}

void vm_update_commit(Broker *broker, VmUpdate *update)
{
	VirtualMachine *vm = update->vm;
	VmSettings *settings = update->settings;
	Agent *agent = updated_agent(update);
	unsigned int parts = changed_parts(update);
	Agent former_agent = { 0 };

	if (settings->name) {
		free(vm->name);
		vm->name = TAKE_POINTER(settings->name);
		vm_follow_drop_ins(broker, vm);
	}
	if (settings->has_agent) {
		agent_unindex(broker, agent);
		former_agent = agent_take(agent);
		*agent = vm_settings_take_agent(settings, vm, update->agent_process);
		agent_link(agent);
		agent_index(broker, agent);
		if (settings->for_incoming)
			vm->incoming->names_agent = true;
	}
	if (settings->guest_state != GUEST_STATE_UNKNOWN)
		told_guest_set(broker, updated_guest(update), settings->guest_state,
			       settings->teller);
	vm->has_metadata |= settings->has_metadata;
	if (settings->has_display_clients) {
		display_clients_deinit(&vm->display_clients);
		vm->display_clients = settings->display_clients;
		settings->display_clients = DISPLAY_CLIENTS_INIT;
	}
	/* Watchers see the change before the registrations that it ends. */
	if (parts != 0)
		vm_changed(broker, vm,
			   (Event){ .changed_parts = parts,
				    .changes_sharers = settings->has_agent,
				    .former_agent =
					    agent_exists(&former_agent) ? &former_agent : NULL });
	if (settings->has_display_clients)
		vm_prune(broker, vm, END_PRIVILEGES_CHANGED);
	agent_release(broker, &former_agent);
}

void vm_end_registrations(Broker *broker, VirtualMachine *vm, EndReason reason)
{
	Registration *registration;

	while ((registration = LIST_FIRST(&vm->registrations)))
		registration_end(broker, registration, reason);
}

void vm_end_objects(Broker *broker, VirtualMachine *vm, EndReason reason)
{
	SharedObject *object;

	while ((object = LIST_FIRST(&vm->objects)))
		object_end(broker, object, reason);
}

/* Ends the VM, which has no parts any more. */
static void vm_remove(Broker *broker, VirtualMachine *vm)
{
	RB_REMOVE(VmGuidTree, &broker->vms_by_guid, vm);
	agent_unindex(broker, &vm->agent);
	told_guest_unindex(broker, &vm->told_guest);
	if (vm->incoming) {
		agent_unindex(broker, &vm->incoming->agent);
		told_guest_unindex(broker, &vm->incoming->told_guest);
	}
	entity_remove(broker, &vm->entity);
	Event event = vm_event(vm, EVENT_VIRTUAL_MACHINE_REMOVED, vm->end_reason);
	event.changes_sharers = true;
	broker_event(broker, &event);
	vm_discard(broker, vm);
}

static bool vm_end_step(Broker *broker, Ending *ending)
{
	VirtualMachine *vm = container_of(ending, VirtualMachine, ending);
	EndReason reason = vm->end_reason;

	if (!LIST_EMPTY(&vm->registrations))
		registration_end(broker, LIST_FIRST(&vm->registrations), reason);
	else if (!LIST_EMPTY(&vm->objects))
		object_end(broker, LIST_FIRST(&vm->objects), reason);
	else if (!LIST_EMPTY(&vm->gpu_processes))
		gpu_process_end(broker, LIST_FIRST(&vm->gpu_processes), reason);
	else if (!TAILQ_EMPTY(&vm->virtual_gpus))
		virtual_gpu_end(broker, TAILQ_FIRST(&vm->virtual_gpus), reason);
	else {
		ending_leave(broker, ending);
		vm_remove(broker, vm);
		return false;
	}
	return true;
}

void vm_end(Broker *broker, VirtualMachine *vm, EndReason reason)
{
	if (vm_is_ending(vm))
		return;
	/*
	 * Removed first, because after a crash the next start drops whatever has lost its VM. A VM
	 * whose VMM has exited is dropped anyway.
	 */
	if (reason == END_VMM_EXITED)
		broker_remove_record_later(broker, vm->entity.serial);
	else
		broker_remove_record(broker, vm->entity.serial);
	vm->end_reason = reason;
	vm_stop_pruning(broker, vm);
	ending_begin(broker, &vm->ending, vm_end_step);
	display_servers_end(broker, vm, reason);
}

void vm_end_at_once(Broker *broker, VirtualMachine *vm, EndReason reason)
{
	vm_end(broker, vm, reason);
	ending_complete(broker, &vm->ending);
}

void vm_check(Broker *broker, const VirtualMachine *vm)
{
	const Registration *registration;
	const VirtualGpu *virtual_gpu;
	const GpuProcess *gpu_process;
	const SharedObject *object;
	const DisplayChannel *channel;
	const DisplayServer *server;
	size_t registrations = 0, virtual_gpus = 0, found_gpus = 0, channels = 0;
	uint64_t bytes = 0;

	assert(vm_is_listed(broker, vm) && vm_after(broker, vm->entity.serial - 1) == vm);
	assert(vm->charge.account && vm->charge.kind == LIMIT_VIRTUAL_MACHINES);
	assert(process_find(broker, vm->vmm->key) == vm->vmm);
	assert(vm->display_clients.count > 0);
	assert(!vm->agent.user || agent_find_by_user(broker, vm->agent.uid));
	assert(!agent_exists(&vm->agent) || (vm->agent.vm == vm && !vm->agent.is_incoming));
	incoming_vmm_check(broker, vm);
	LIST_FOREACH (registration, &vm->registrations, of_vm) {
		assert(registration->vm == vm);
		registrations++;
		LIST_FOREACH (channel, &registration->display_channels, of_registration)
			channels += channel->end_number == 0;
	}
	assert(channels == vm->display_count);
	LIST_FOREACH (server, &vm->display_servers, of_vm)
		assert(server->vm == vm && server->process);
	assert(registrations == vm->registration_count);
	assert(registrations == 0 || vm_is_pruned(vm) || !TAILQ_EMPTY(&vm->virtual_gpus));
	assert(registrations == 0 || vm_is_ending(vm) || !quarantine_find(broker, &vm->guid));
	TAILQ_FOREACH (virtual_gpu, &vm->virtual_gpus, link) {
		assert(virtual_gpu->vm == vm);
		virtual_gpus++;
		found_gpus += virtual_gpu->held != NULL;
		assert(virtual_gpu->held ? !virtual_gpu->charge.account
					 : virtual_gpu->adapter != NULL);
		assert(vm_is_ending(vm) ||
		       virtual_gpu_find(broker, &virtual_gpu->handle_entry.handle) == virtual_gpu);
	}
	assert(virtual_gpus == vm->virtual_gpu_count && found_gpus == vm->found_gpu_count);
	LIST_FOREACH (gpu_process, &vm->gpu_processes, of_vm)
		assert(gpu_process->vm == vm);
	LIST_FOREACH (object, &vm->objects, of_vm)
		bytes += object_size(object);
	assert(bytes == vm->object_bytes);
	(void)broker;
}
