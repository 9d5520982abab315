/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Display: display channels between viewers and the agents of VMs. */
#include <stdio.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/display-stream.h"
#include "daemon/api/encode.h"
#include "daemon/api/names.h"

/* --- opening --------------------------------------------------------------------------------- */

/* Names the rights in a text, such as "input and clipboard". */
static void name_rights(unsigned int rights, char *text, size_t size)
{
	text[0] = '\0';
	for (DisplayRight right = 0; right < DISPLAY_RIGHT_MAX; right++) {
		size_t length = strlen(text);

		if (rights & DISPLAY_RIGHT_BIT(right))
			snprintf(text + length, size - length, "%s%s", length > 0 ? " and " : "",
				 display_right_names[right]);
	}
}

/*
 * Refuses rights that none of the caller's display clients has. Without any named, asks for all.
 * The refusal names the parameter, so that a program can tell it from other refusals.
 */
static NTSTATUS check_rights(Request *request)
{
	unsigned int lacking = request->rights & ~request->granted_rights;
	char names[80];

	if (!request->params.open_display.rights.present)
		request->rights = request->granted_rights;
	else if (lacking != 0) {
		name_rights(lacking, names, sizeof(names));
		failure_set(&request->failure, STATUS_ACCESS_DENIED, "lacksRight",
			    "the display client of this VM has no right to %s; open the "
			    "display without it, or have it granted with: vailctl vm update",
			    names);
		snprintf(request->failure.parameter, sizeof(request->failure.parameter), "rights");
		return STATUS_ACCESS_DENIED;
	}
	return STATUS_SUCCESS;
}

NTSTATUS method_open_display(Request *request)
{
	Broker *broker = request->service->broker;
	DisplayChannel *channel;
	NTSTATUS status = check_rights(request);

	if (status == STATUS_SUCCESS)
		status = request_await_look(request);
	if (status == STATUS_SUCCESS)
		status = request_await_fdstore(request);
	if (status == STATUS_SUCCESS)
		status = display_channel_prepare(
			broker, request->caller, request->subject.registration, request->rights,
			&channel, &request->outgoing_fds[0], &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	request->outgoing_count = 1;
	request->sends_socket = true;
	status = store_save_display(&request->service->store, channel, &request->failure);
	if (status != STATUS_SUCCESS) {
		display_channel_discard(broker, channel);
		return status;
	}
	display_channel_commit(broker, channel);
	request->changed = true;
	request->display = channel->handle_entry.handle;
	request->names_display = true;
	writer_key(request->reply, "display");
	encode_display(request->reply, channel, request->caller->pid_namespace);
	writer_key(request->reply, "fileDescriptor");
	writer_unsigned(request->reply, 0);
	return STATUS_SUCCESS;
}

NTSTATUS method_close_display(Request *request)
{
	display_channel_end(request->service->broker, request->subject.display, END_REQUESTED);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* Turns the stream into that of the VM's display server, which sends all replies. */
NTSTATUS method_serve_displays(Request *request)
{
	NTSTATUS status = request_await_fdstore(request);

	if (status == STATUS_SUCCESS)
		status = display_stream_begin(request->stream, request);
	return status;
}

/* --- the list -------------------------------------------------------------------------------- */

static bool display_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	const Registration *registration =
		container_of(entity, DisplayChannel, entity)->registration;

	(void)service;
	return registration->process->key == caller->process ||
	       caller_monitors_vm(caller, registration->vm);
}

static void display_write(const ListView *view, Writer *writer, const Entity *entity)
{
	encode_display(writer, container_of(entity, DisplayChannel, entity),
		       view->caller->pid_namespace);
}

static const Guid *display_machine(const Entity *entity)
{
	return &container_of(entity, DisplayChannel, entity)->registration->vm->guid;
}

const ListOperations list_displays = {
	.next = list_next_entity,
	.count = list_count_entities,
	.type = ENTITY_DISPLAY,
	.is_visible = display_is_visible,
	.write = display_write,
	.machine = display_machine,
};
