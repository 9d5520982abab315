/* SPDX-License-Identifier: MIT */
#include "daemon/core/display-server.h"

#include "daemon/core/broker.h"

static DisplayServer *find_server(const VirtualMachine *vm, bool is_incoming)
{
	DisplayServer *server;

	LIST_FOREACH (server, &vm->display_servers, of_vm)
		if (server->is_incoming == is_incoming)
			return server;
	return NULL;
}

DisplayServer *display_server_of(const VirtualMachine *vm)
{
	DisplayServer *server = find_server(vm, false);

	return server ? server : find_server(vm, true);
}

NTSTATUS display_server_check(const VirtualMachine *vm, bool is_incoming, Failure *failure)
{
	if (!find_server(vm, is_incoming))
		return STATUS_SUCCESS;
	return failure_set(failure, STATUS_INVALID_DEVICE_STATE, "served",
			   "the displays of this VM are already served, by one vail-qemu or "
			   "another agent; stop that one first");
}

NTSTATUS display_server_begin(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      bool is_incoming, DisplayServer *server, Failure *failure)
{
	const ProcessOrigin origin = process_origin_of(caller);
	NTSTATUS status = display_server_check(vm, is_incoming, failure);

	if (status != STATUS_SUCCESS)
		return status;
	status = process_attach(broker, &origin, &server->process, failure);
	if (status != STATUS_SUCCESS)
		return status;
	server->vm = vm;
	server->payer = payer_of(caller);
	server->is_incoming = is_incoming;
	TAILQ_INIT(&server->channels);
	LIST_INSERT_HEAD(&vm->display_servers, server, of_vm);
	LIST_INSERT_HEAD(&server->process->display_servers, server, of_process);
	return STATUS_SUCCESS;
}

bool display_server_claim(Broker *broker, DisplayServer *server, const Handle *handle)
{
	DisplayChannel *channel = display_channel_find(broker, handle);

	if (!channel || channel->server || channel->registration->vm != server->vm)
		return false;
	channel->server = server;
	TAILQ_INSERT_TAIL(&server->channels, channel, of_server);
	return true;
}

/* Ends the channels of the VM that wait for a server. */
static void end_waiting(Broker *broker, const VirtualMachine *vm, EndReason reason)
{
	Registration *registration;
	DisplayChannel *channel;

	if (vm->display_count == 0)
		return; /* there can be thousands of registrations */
	LIST_FOREACH (registration, &vm->registrations, of_vm)
		LIST_FOREACH (channel, &registration->display_channels, of_registration)
			if (!channel->server)
				display_channel_cut(broker, channel, reason);
}

void display_server_end_waiting(Broker *broker, const DisplayServer *server)
{
	end_waiting(broker, server->vm, END_AGENT_GONE);
}

DisplayChannel *display_server_next(const DisplayServer *server)
{
	DisplayChannel *channel;

	TAILQ_FOREACH (channel, &server->channels, of_server)
		if (channel->agent_fd != FD_NONE && !display_channel_is_cut(channel))
			return channel;
	return NULL;
}

/* Returns the part of the VM that names the server, as VM_PART_BIT(). */
static unsigned int server_part(const DisplayServer *server)
{
	return VM_PART_BIT(server->is_incoming ? VM_PART_INCOMING_DISPLAY_SERVER
					       : VM_PART_DISPLAY_SERVER);
}

void display_server_announce(Broker *broker, const DisplayServer *server)
{
	vm_changed(broker, server->vm, (Event){ .changed_parts = server_part(server) });
}

static void end_silently(Broker *broker, DisplayServer *server, EndReason reason)
{
	DisplayChannel *channel;

	/* If the daemon stops, the next one has the channels again. */
	if (reason != END_DAEMON_STOPPED)
		TAILQ_FOREACH (channel, &server->channels, of_server)
			display_channel_cut(broker, channel, reason);
	LIST_REMOVE(server, of_vm);
	LIST_REMOVE(server, of_process);
	server->vm = NULL;
	server->reason = reason;
	process_release(broker, TAKE_POINTER(server->process));
}

void display_server_end(Broker *broker, DisplayServer *server, EndReason reason)
{
	const VirtualMachine *vm = server->vm;

	if (!vm)
		return;
	end_silently(broker, server, reason);
	if (!vm_is_ending(vm) && reason != END_DAEMON_STOPPED)
		vm_changed(broker, vm, (Event){ .changed_parts = server_part(server) });
}

void display_server_leave(DisplayServer *server)
{
	DisplayChannel *channel;

	while ((channel = TAILQ_FIRST(&server->channels))) {
		TAILQ_REMOVE(&server->channels, channel, of_server);
		channel->server = NULL;
	}
}

void display_servers_end(Broker *broker, VirtualMachine *vm, EndReason reason)
{
	DisplayServer *server;

	while ((server = LIST_FIRST(&vm->display_servers)))
		end_silently(broker, server, reason);
	end_waiting(broker, vm, reason);
}

void display_server_end_incoming(Broker *broker, VirtualMachine *vm)
{
	DisplayServer *server = find_server(vm, true);

	if (server)
		display_server_end(broker, server, END_AGENT_GONE);
}

unsigned int display_servers_hand_over(Broker *broker, VirtualMachine *vm)
{
	DisplayServer *former = find_server(vm, false), *successor = find_server(vm, true);
	unsigned int parts = 0;

	if (former) {
		parts |= server_part(former);
		end_silently(broker, former, END_AGENT_GONE);
	}
	if (successor) {
		parts |= server_part(successor) | VM_PART_BIT(VM_PART_DISPLAY_SERVER);
		successor->is_incoming = false;
	}
	return parts;
}
