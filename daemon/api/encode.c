/* SPDX-License-Identifier: MIT */
#include "daemon/api/encode.h"

#include "daemon/api/encode-optional.h"
#include "daemon/api/names.h"
#include "proto/macros.h"
#include "proto/status.h"

void encode_pid(Writer *writer, const Process *process, PidNamespace reader)
{
	writer_unsigned(writer, (uint64_t)process_pid_in(process, reader));
}

void encode_registration(Writer *writer, const Registration *registration, PidNamespace reader)
{
	writer_object_begin(writer);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &registration->vm->guid);
	writer_key(writer, "pid");
	encode_pid(writer, registration->process, reader);
	writer_key(writer, "uid");
	writer_unsigned(writer, registration->connection_credentials.uid);
	writer_key(writer, "graphicsContext");
	writer_string(writer, graphics_context_name(registration->graphics_context));
	writer_key(writer, "since");
	writer_seconds(writer, registration->since);
	writer_key(writer, "openObjects");
	writer_unsigned(writer, registration->open_object_count);
	writer_object_end(writer);
}

void encode_display_rights(Writer *writer, unsigned int rights)
{
	writer_key(writer, "rights");
	writer_array_begin(writer);
	for (DisplayRight right = 0; right < DISPLAY_RIGHT_MAX; right++)
		if (rights & DISPLAY_RIGHT_BIT(right))
			writer_string(writer, display_right_names[right]);
	writer_array_end(writer);
}

void encode_display(Writer *writer, const DisplayChannel *channel, PidNamespace reader)
{
	const Registration *registration = channel->registration;

	writer_object_begin(writer);
	writer_key(writer, "display");
	writer_handle(writer, &channel->handle_entry.handle);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &registration->vm->guid);
	encode_display_rights(writer, channel->rights);
	writer_key(writer, "pid");
	encode_pid(writer, registration->process, reader);
	writer_key(writer, "uid");
	writer_unsigned(writer, registration->connection_credentials.uid);
	writer_key(writer, "since");
	writer_seconds(writer, channel->since);
	writer_object_end(writer);
}

static void encode_display_client(Writer *writer, const DisplayClient *client, PidNamespace reader)
{
	writer_object_begin(writer);
	OPTIONAL_STRING(writer, "user", client->user);
	if (client->user && id_is_mapped(client->uid)) {
		writer_key(writer, "uid");
		writer_unsigned(writer, client->uid);
	}
	if (!client->user) {
		writer_key(writer, "pid");
		writer_unsigned(writer, (uint64_t)inner_pids_translate(client->inner_pids,
								       client->pid, reader));
	}
	encode_display_rights(writer, client->rights | DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW));
	writer_object_end(writer);
}

static void encode_display_clients(Writer *writer, const DisplayClients *clients,
				   PidNamespace reader)
{
	writer_key(writer, "displayClients");
	writer_array_begin(writer);
	for (size_t i = 0; clients->are_explicit && i < clients->count; i++)
		encode_display_client(writer, &clients->items[i], reader);
	writer_array_end(writer);
	writer_key(writer, "displayClientsSource");
	writer_string(writer, display_clients_source_name(clients));
}

static void encode_agent(Writer *writer, const Agent *agent, PidNamespace reader)
{
	writer_object_begin(writer);
	OPTIONAL_STRING(writer, "user", agent->user);
	if (agent->process) {
		writer_key(writer, "pid");
		encode_pid(writer, agent->process, reader);
	}
	writer_object_end(writer);
}

/* The member is not optional, so it is empty if the device of a found vGPU is not listed. */
static void encode_adapter_of(Writer *writer, const VirtualGpu *virtual_gpu)
{
	writer_key(writer, "adapter");
	if (virtual_gpu->adapter)
		writer_handle(writer, &virtual_gpu->adapter->handle_entry.handle);
	else
		writer_string(writer, "");
}

static void encode_virtual_gpus(Writer *writer, const VirtualMachine *vm)
{
	const VirtualGpu *virtual_gpu;

	writer_key(writer, "virtualGpus");
	writer_array_begin(writer);
	TAILQ_FOREACH (virtual_gpu, &vm->virtual_gpus, link) {
		writer_object_begin(writer);
		writer_key(writer, "virtualGpu");
		writer_handle(writer, &virtual_gpu->handle_entry.handle);
		encode_adapter_of(writer, virtual_gpu);
		OPTIONAL_STRING(writer, "profile", virtual_gpu->profile);
		OPTIONAL_STRING(writer, "function",
				virtual_gpu->held ? virtual_gpu->held->function : NULL);
		writer_key(writer, "source");
		writer_string(writer, virtual_gpu_source_name(virtual_gpu));
		writer_object_end(writer);
	}
	writer_array_end(writer);
}

/* Writes nothing unless the VM is being handed over. */
static void encode_incoming_vmm(Writer *writer, const IncomingVmm *incoming, PidNamespace reader)
{
	if (!incoming)
		return;
	writer_key(writer, "incomingVmmPid");
	encode_pid(writer, incoming->process, reader);
	if (agent_exists(&incoming->agent)) {
		writer_key(writer, "incomingAgent");
		encode_agent(writer, &incoming->agent, reader);
	}
}

static void encode_display_servers(Writer *writer, const VirtualMachine *vm, PidNamespace reader)
{
	const DisplayServer *server;

	LIST_FOREACH (server, &vm->display_servers, of_vm) {
		if (server->is_incoming)
			writer_key(writer, "incomingDisplayServerPid");
		else
			writer_key(writer, "displayServerPid");
		encode_pid(writer, server->process, reader);
	}
}

void encode_virtual_machine(Writer *writer, Broker *broker, const VirtualMachine *vm,
			    PidNamespace reader)
{
	const Quarantine *quarantine = quarantine_find(broker, &vm->guid);

	writer_object_begin(writer);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &vm->guid);
	OPTIONAL_STRING(writer, "name", vm->name);
	writer_key(writer, "vmmPid");
	encode_pid(writer, vm->vmm, reader);
	writer_key(writer, "source");
	writer_string(writer, vm_source_name(vm->source));
	if (!vm_is_found(vm)) {
		writer_key(writer, "registeredByUid");
		writer_unsigned(writer, vm->registered_by);
		writer_key(writer, "registeredByOperator");
		writer_boolean(writer, vm->by_operator);
	}
	encode_display_clients(writer, &vm->display_clients, reader);
	if (agent_exists(&vm->agent)) {
		writer_key(writer, "agent");
		encode_agent(writer, &vm->agent, reader);
		writer_key(writer, "agentSource");
		writer_string(writer, consent_source_name(vm->agent.is_from_drop_in));
	}
	OPTIONAL_STRING(writer, "guestState", guest_state_name(vm->told_guest.state));
	encode_incoming_vmm(writer, vm->incoming, reader);
	encode_virtual_gpus(writer, vm);
	writer_key(writer, "registrations");
	writer_unsigned(writer, vm->registration_count);
	writer_key(writer, "sharedObjects");
	writer_unsigned(writer, vm->object_count);
	writer_key(writer, "sharedBytes");
	writer_unsigned(writer, vm->object_bytes);
	writer_key(writer, "displays");
	writer_unsigned(writer, vm->display_count);
	encode_display_servers(writer, vm, reader);
	writer_key(writer, "quarantined");
	writer_boolean(writer, quarantine != NULL);
	OPTIONAL_STRING(writer, "quarantineReason", quarantine ? quarantine->reason : NULL);
	writer_key(writer, "since");
	writer_seconds(writer, vm->since);
	writer_object_end(writer);
}

void encode_quarantine(Writer *writer, const Quarantine *quarantine)
{
	writer_object_begin(writer);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &quarantine->guid);
	OPTIONAL_STRING(writer, "reason", quarantine->reason);
	writer_object_end(writer);
}

static void encode_event_gpu_process(Writer *writer, const Event *event)
{
	const GpuProcess *gpu_process = container_of(event->entity, GpuProcess, entity);

	writer_key(writer, "process");
	writer_handle(writer, &gpu_process->handle_entry.handle);
	writer_key(writer, "adapter");
	writer_handle(writer, &gpu_process->adapter->handle_entry.handle);
	if (event->kind == EVENT_PAGE_TABLE_RESIDENT) {
		writer_key(writer, "virtualAddress");
		writer_address(writer, event->virtual_address);
	}
}

static void encode_event_vm(Writer *writer, const Event *event)
{
	if (event->kind == EVENT_VIRTUAL_MACHINE_CHANGED) {
		writer_key(writer, "changed");
		writer_array_begin(writer);
		for (VmPart part = 0; part < VM_PART_MAX; part++)
			if (event->changed_parts & VM_PART_BIT(part))
				writer_string(writer, vm_part_name(part));
		writer_array_end(writer);
	}
	writer_key(writer, "since");
	writer_seconds(writer, container_of(event->entity, VirtualMachine, entity)->since);
}

static void encode_event_entity(Writer *writer, const Event *event, PidNamespace reader)
{
	const VirtualGpu *virtual_gpu;
	const Quarantine *quarantine;

	switch (event->entity->type) {
	case ENTITY_REGISTRATION:
		writer_key(writer, "registration");
		encode_registration(writer, container_of(event->entity, Registration, entity),
				    reader);
		return;
	case ENTITY_VIRTUAL_GPU:
		virtual_gpu = container_of(event->entity, VirtualGpu, entity);
		writer_key(writer, "virtualGpu");
		writer_handle(writer, &virtual_gpu->handle_entry.handle);
		if (virtual_gpu->adapter) {
			writer_key(writer, "adapter");
			writer_handle(writer, &virtual_gpu->adapter->handle_entry.handle);
		}
		return;
	case ENTITY_ADAPTER:
		writer_key(writer, "adapter");
		writer_handle(writer,
			      &container_of(event->entity, Adapter, entity)->handle_entry.handle);
		return;
	case ENTITY_QUARANTINE:
		quarantine = container_of(event->entity, Quarantine, entity);
		if (event->kind == EVENT_QUARANTINED)
			OPTIONAL_STRING(writer, "reason", quarantine->reason);
		return;
	case ENTITY_GPU_PROCESS:
		encode_event_gpu_process(writer, event);
		return;
	case ENTITY_OBJECT:
		encode_event_object(writer, event, reader);
		return;
	case ENTITY_DISPLAY:
		writer_key(writer, "display");
		encode_display(writer, container_of(event->entity, DisplayChannel, entity), reader);
		return;
	case ENTITY_VIRTUAL_MACHINE:
		encode_event_vm(writer, event);
		return;
	case ENTITY_MAX:
		return;
	}
}

/* Tests whether the kind reports the end of an entity, and so has a reason. */
static bool event_kind_ends(EventKind kind)
{
	return kind == EVENT_UNREGISTERED || kind == EVENT_VIRTUAL_MACHINE_REMOVED ||
	       kind == EVENT_VIRTUAL_GPU_REMOVED || kind == EVENT_GPU_PROCESS_REMOVED ||
	       kind == EVENT_ADAPTER_REMOVED || kind == EVENT_UNSHARED || kind == EVENT_RELEASED ||
	       kind == EVENT_DISPLAY_CLOSED;
}

void encode_event(Writer *writer, const Event *event, PidNamespace reader)
{
	writer_object_begin(writer);
	writer_key(writer, "kind");
	writer_string(writer, event_kind_name(event->kind));
	if (event->virtual_machine) {
		writer_key(writer, "virtualMachineGuid");
		writer_guid(writer, event->virtual_machine);
	}
	if (event->entity)
		encode_event_entity(writer, event, reader);
	if (event_kind_ends(event->kind)) {
		writer_key(writer, "status");
		writer_string(writer, status_name(end_reason_status(event->reason)));
		writer_key(writer, "reason");
		writer_string(writer, end_reason_name(event->reason));
	}
	writer_object_end(writer);
}
