/* SPDX-License-Identifier: MIT */
#include "daemon/core/display-channel.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/broker.h"

/* --- cutting --------------------------------------------------------------------------------- */

static void complete_end(Broker *broker, DisplayChannel *channel);

static bool complete_first(Broker *broker, Ending *ending)
{
	(void)ending;
	complete_end(broker, TAILQ_FIRST(&broker->cut_channels));
	return !TAILQ_EMPTY(&broker->cut_channels);
}

void display_channel_cut(Broker *broker, DisplayChannel *channel, EndReason reason)
{
	const Host *host = broker->host;

	if (display_channel_is_cut(channel))
		return;
	host->cut_channel(host->self, channel->own.fd);
	handle_entry_remove(broker, &channel->handle_entry);
	entity_remove(broker, &channel->entity);
	channel->registration->vm->display_count--;
	channel->end_number = ++broker->endings.begun;
	channel->end_reason = reason;
	TAILQ_INSERT_TAIL(&broker->cut_channels, channel, of_cut);
	ending_begin(broker, &broker->cutting, complete_first);
	ending_hasten(broker, &broker->cutting);
}

/* --- opening --------------------------------------------------------------------------------- */

/*
 * Refuses a channel while the closes of one side have reached their maximum. Each channel leaves
 * fds of both payers to close, and the viewer's can hang. They would wait for a close without a
 * bound.
 */
static NTSTATUS check_closes(const Broker *broker, const Payer *viewer, const DisplayServer *server,
			     Failure *failure)
{
	const Host *host = broker->host;
	uint64_t used = host->count_closes(host->self, viewer, NULL);

	if (used >= LIMIT_CLOSES_UNDER_WAY)
		return failure_closes_under_way(failure);
	if (host->count_closes(host->self, &server->payer, NULL) < LIMIT_CLOSES_UNDER_WAY)
		return STATUS_SUCCESS;
	failure_set(failure, STATUS_QUOTA_EXCEEDED, "quota",
		    "too many file descriptors of the user whose agent serves this VM are still "
		    "being closed; try again later");
	failure->limit = LIMIT_NAME_CLOSES;
	failure->maximum = LIMIT_CLOSES_UNDER_WAY;
	failure->used = used;
	return failure->status;
}

/* Counts the VM's channels that the payer has opened and that have a server. */
static uint64_t count_of_payer(const VirtualMachine *vm, const Payer *payer)
{
	const DisplayServer *server;
	const DisplayChannel *channel;
	uint64_t count = 0;

	LIST_FOREACH (server, &vm->display_servers, of_vm)
		TAILQ_FOREACH (channel, &server->channels, of_server)
			count += !display_channel_is_cut(channel) &&
				 payer_compare(&channel->charge.account->payer, payer) == 0;
	return count;
}

/*
 * Checks the limit of the VM. Some of it is for other payers, so that one cannot lock all others
 * out with channels that it does not use.
 */
static NTSTATUS check_machine(const Broker *broker, const Payer *payer, const VirtualMachine *vm,
			      Failure *failure)
{
	uint64_t maximum = broker->accounts.limits.per_entity[LIMIT_DISPLAYS];
	uint64_t share = maximum - maximum / LIMIT_DISPLAY_SHARE;
	NTSTATUS status = limit_check_entity(&broker->accounts, LIMIT_DISPLAYS, vm->display_count,
					     1, failure);

	if (status != STATUS_SUCCESS)
		return status;
	uint64_t used = count_of_payer(vm, payer);
	if (used < share)
		return STATUS_SUCCESS;
	failure_set(
		failure, STATUS_QUOTA_EXCEEDED, "quota",
		"the other displays that this VM may have are for other users (limit %s); close "
		"some of yours, or ask an administrator to raise the limit",
		limit_entity_name(LIMIT_DISPLAYS));
	failure->limit = limit_entity_name(LIMIT_DISPLAYS);
	failure->maximum = share;
	failure->used = used;
	return failure->status;
}

/* Charges the channel and its fdstore entry to the payer. */
static NTSTATUS take_charges(Broker *broker, const Payer *payer, DisplayChannel *channel,
			     Failure *failure)
{
	NTSTATUS status =
		charge_take(&channel->charge, &broker->accounts, payer, LIMIT_DISPLAYS, failure);

	if (status == STATUS_SUCCESS)
		status = charge_take(&channel->entry, &broker->accounts, payer, LIMIT_STORE_ENTRIES,
				     failure);
	return status;
}

/* Returns the charges and frees the channel, which has no fds. */
static void channel_free(Broker *broker, DisplayChannel *channel)
{
	charge_return(&channel->entry, &broker->accounts);
	charge_return(&channel->charge, &broker->accounts);
	free(channel);
}

static NTSTATUS make_sockets(Broker *broker, DisplayChannel *channel, int *ret_viewer_fd,
			     Failure *failure)
{
	const Host *host = broker->host;
	ChannelEnds ends;

	if (host->make_channel(host->self, &ends) != LOOKUP_FOUND)
		return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "exhausted",
				   "the daemon has no descriptors left; try again later");
	channel->own = (ObjectFd){ .fd = ends.own, .facts = ends.own_info };
	channel->agent_fd = ends.agent;
	*ret_viewer_fd = ends.viewer;
	return STATUS_SUCCESS;
}

NTSTATUS display_channel_prepare(Broker *broker, const Caller *caller, Registration *registration,
				 unsigned int rights, DisplayChannel **ret_channel,
				 int *ret_viewer_fd, Failure *failure)
{
	const Payer payer = payer_of(caller);
	DisplayServer *server = display_server_of(registration->vm);
	DisplayChannel *channel;

	if (!server)
		return failure_set(
			failure, STATUS_INVALID_DEVICE_STATE, "notServed",
			"no agent serves the displays of this VM; start vail-qemu for it, "
			"or wait until it has connected");
	NTSTATUS status = check_closes(broker, &payer, server, failure);
	if (status == STATUS_SUCCESS)
		status = check_machine(broker, &payer, registration->vm, failure);
	if (status != STATUS_SUCCESS)
		return status;
	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return failure_no_memory(failure);
	status = take_charges(broker, &payer, channel, failure);
	if (status == STATUS_SUCCESS)
		status = make_sockets(broker, channel, ret_viewer_fd, failure);
	if (status != STATUS_SUCCESS) {
		channel_free(broker, channel);
		return status;
	}
	channel->registration = registration;
	channel->server = server;
	channel->rights = rights;
	channel->since = broker_now(broker);
	handle_entry_prepare(broker, &channel->handle_entry, HANDLE_DISPLAY);
	entity_prepare(broker, &channel->entity, ENTITY_DISPLAY);
	*ret_channel = channel;
	return STATUS_SUCCESS;
}

/* Releases the daemon's fds of the channel, and shuts the connection down. */
static void end_connection(Broker *broker, DisplayChannel *channel)
{
	const Host *host = broker->host;
	const Payer payer = channel->charge.account->payer;

	host->end_channel(host->self, channel->own.fd, &payer);
	if (channel->agent_fd != FD_NONE)
		host->discard_fd(host->self, channel->agent_fd, &payer);
}

void display_channel_discard(Broker *broker, DisplayChannel *channel)
{
	end_connection(broker, channel);
	channel_free(broker, channel);
}

static void channel_event(Broker *broker, const DisplayChannel *channel, EventKind kind,
			  EndReason reason)
{
	const Registration *registration = channel->registration;

	broker_event(broker, &(Event){
				     .kind = kind,
				     .virtual_machine = &registration->vm->guid,
				     .handle = &channel->handle_entry.handle,
				     .entity = &channel->entity,
				     .pid = registration->process->pid,
				     .uid = registration->connection_credentials.uid,
				     .reason = reason,
			     });
}

static void channel_link(Broker *broker, DisplayChannel *channel)
{
	Registration *registration = channel->registration;

	handle_entry_insert(broker, &channel->handle_entry);
	entity_insert(broker, &channel->entity);
	LIST_INSERT_HEAD(&registration->display_channels, channel, of_registration);
	registration->vm->display_count++;
}

void display_channel_commit(Broker *broker, DisplayChannel *channel)
{
	channel_link(broker, channel);
	TAILQ_INSERT_TAIL(&channel->server->channels, channel, of_server);
	channel_event(broker, channel, EVENT_DISPLAY_OPENED, END_REQUESTED);
}

NTSTATUS display_channel_restore(Broker *broker, Registration *registration,
				 const RestoredDisplay *from, Failure *failure)
{
	DisplayChannel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return failure_no_memory(failure);
	NTSTATUS status = take_charges(broker, &from->payer, channel, failure);
	if (status != STATUS_SUCCESS) {
		channel_free(broker, channel);
		return status;
	}
	channel->handle_entry = (HandleEntry){ .handle = from->handle, .type = HANDLE_DISPLAY };
	channel->entity = (Entity){ .type = ENTITY_DISPLAY, .serial = from->serial };
	channel->registration = registration;
	channel->rights = from->rights;
	channel->since = from->since;
	channel->own = from->own;
	channel->agent_fd = FD_NONE;
	channel_link(broker, channel);
	broker->display_deadline =
		broker_now(broker) + UINT64_C(1000000) * LIMIT_DRIVER_WAIT_SECONDS;
	return STATUS_SUCCESS;
}

DisplayChannel *display_channel_find(Broker *broker, const Handle *handle)
{
	HandleEntry *entry = handle_entry_find(broker, HANDLE_DISPLAY, handle);

	return entry ? container_of(entry, DisplayChannel, handle_entry) : NULL;
}

DisplayChannel *display_channel_after(Broker *broker, uint64_t serial)
{
	return entity_container(entity_after(broker, ENTITY_DISPLAY, serial), DisplayChannel);
}

/* --- the end --------------------------------------------------------------------------------- */

static void complete_end(Broker *broker, DisplayChannel *channel)
{
	TAILQ_REMOVE(&broker->cut_channels, channel, of_cut);
	if (TAILQ_EMPTY(&broker->cut_channels)) {
		ending_leave(broker, &broker->cutting);
		broker->cutting = (Ending){ 0 };
	}
	end_connection(broker, channel);
	LIST_REMOVE(channel, of_registration);
	if (channel->server)
		TAILQ_REMOVE(&channel->server->channels, channel, of_server);
	broker_remove_ended(broker, channel->entity.serial, channel->end_reason);
	channel_event(broker, channel, EVENT_DISPLAY_CLOSED, channel->end_reason);
	channel_free(broker, channel);
}

void display_channel_end(Broker *broker, DisplayChannel *channel, EndReason reason)
{
	display_channel_cut(broker, channel, reason);
	complete_end(broker, channel);
}

void display_channels_end(Broker *broker, Registration *registration, EndReason reason)
{
	DisplayChannel *channel;

	while ((channel = LIST_FIRST(&registration->display_channels)))
		display_channel_end(broker, channel, reason);
}

void display_channels_cut(Broker *broker, Registration *registration, EndReason reason)
{
	DisplayChannel *channel;

	LIST_FOREACH (channel, &registration->display_channels, of_registration)
		display_channel_cut(broker, channel, reason);
}

void display_channels_withdraw(Broker *broker, Registration *registration, unsigned int rights)
{
	DisplayChannel *channel;

	LIST_FOREACH (channel, &registration->display_channels, of_registration)
		if (channel->rights & ~rights)
			display_channel_cut(broker, channel, END_RIGHTS_WITHDRAWN);
}

void display_channels_complete(Broker *broker)
{
	while (!TAILQ_EMPTY(&broker->cut_channels))
		complete_end(broker, TAILQ_FIRST(&broker->cut_channels));
}

uint64_t display_channels_deadline(Broker *broker)
{
	return broker->display_deadline > 0 ? broker->display_deadline : UINT64_MAX;
}

void display_channels_end_overdue(Broker *broker)
{
	DisplayChannel *channel;
	uint64_t cursor = 0;
	unsigned int ended = 0;

	if (display_channels_deadline(broker) > broker_now(broker))
		return;
	while ((channel = display_channel_after(broker, cursor))) {
		cursor = channel->entity.serial;
		if (channel->server)
			continue;
		if (ended++ == LIMIT_DISPLAYS_ENDED)
			return;
		display_channel_end(broker, channel, END_AGENT_GONE);
	}
	broker->display_deadline = 0;
}

/* --- invariants ------------------------------------------------------------------------------ */

void display_channels_check(Broker *broker)
{
	const DisplayChannel *channel;

	for (channel = display_channel_after(broker, 0); channel;
	     channel = display_channel_after(broker, channel->entity.serial)) {
		const Registration *registration = channel->registration;

		assert(display_channel_find(broker, &channel->handle_entry.handle) == channel);
		assert(registration_find(broker, registration->process->key, registration->vm) ==
		       registration);
		assert(!channel->server || channel->server->vm == registration->vm);
		assert(channel->server || broker->display_deadline > 0);
		assert(channel->server || channel->agent_fd == FD_NONE);
		assert(channel->charge.account && channel->charge.kind == LIMIT_DISPLAYS);
		assert(channel->entry.account && channel->entry.kind == LIMIT_STORE_ENTRIES);
		assert(channel->own.fd != FD_NONE && !display_channel_is_cut(channel));
		assert(!vm_is_ending(registration->vm));
		assert(channel->rights & DISPLAY_RIGHT_BIT(DISPLAY_RIGHT_VIEW));
		(void)registration;
	}
	assert(ending_has_begun(&broker->cutting) == !TAILQ_EMPTY(&broker->cut_channels));
	TAILQ_FOREACH (channel, &broker->cut_channels, of_cut)
		assert(display_channel_is_cut(channel) && channel->charge.account &&
		       channel->own.fd != FD_NONE);
}
