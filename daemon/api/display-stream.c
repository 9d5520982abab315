/* SPDX-License-Identifier: MIT */
#include "daemon/api/display-stream.h"

#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"
#include "daemon/api/names.h"
#include "daemon/api/reply.h"
#include "daemon/api/session-fds.h"
#include "daemon/api/session.h"

static Broker *broker_of(const Stream *stream)
{
	return stream->session->service->broker;
}

/* --- replies --------------------------------------------------------------------------------- */

/* Ends a reply. Truncates out to begin and returns false if out of memory. */
static bool finish_reply(const Stream *stream, Writer *writer, size_t begin, bool continues)
{
	reply_end(writer, continues, stream->terminator);
	if (writer->failed)
		buffer_truncate(writer->out, begin);
	return !writer->failed;
}

static void write_reason(Writer *writer, EndReason reason)
{
	writer_key(writer, "reason");
	writer_string(writer, end_reason_name(reason));
}

/* Queues that a channel has closed. If out of memory, the connection is closed. */
static void queue_closed(Stream *stream, const Handle *channel, EndReason reason)
{
	EventText *text = event_text_new();
	bool is_queued = false;

	if (text) {
		Writer writer = WRITER_INIT(&text->text);

		reply_begin(&writer, stream->method->interface);
		writer_key(&writer, "closed");
		writer_handle(&writer, channel);
		write_reason(&writer, reason);
		reply_end_without_terminator(&writer, true);
		is_queued = !writer.failed && event_queue_add(&stream->events, text);
	}
	event_text_unref(text);
	if (!is_queued)
		stream->is_dropped = true;
}

/* Writes that a channel has opened, and sends the agent's end with it. */
static StreamStep write_opened(Stream *stream, DisplayChannel *channel, Buffer *out)
{
	Session *session = stream->session;
	Writer writer = WRITER_INIT(out);
	size_t begin = buffer_size(out);
	OutgoingFds *outgoing = session_prepare_outgoing(session);

	if (!outgoing)
		return STREAM_BREAKS;
	reply_begin(&writer, stream->method->interface);
	writer_key(&writer, "opened");
	encode_display(&writer, channel, session->caller->pid_namespace);
	writer_key(&writer, "fileDescriptor");
	writer_unsigned(&writer, 0);
	if (!finish_reply(stream, &writer, begin, true)) {
		session_discard_outgoing(session, outgoing);
		return STREAM_BREAKS;
	}
	session_add_socket(session, outgoing, channel->agent_fd, begin, buffer_size(out));
	channel->agent_fd = FD_NONE;
	return STREAM_CONTINUES;
}

static StreamStep write_first(Stream *stream, Buffer *out)
{
	Writer writer = WRITER_INIT(out);
	size_t begin = buffer_size(out);

	stream->is_current = true;
	reply_begin(&writer, stream->method->interface);
	return finish_reply(stream, &writer, begin, true) ? STREAM_CONTINUES : STREAM_BREAKS;
}

static StreamStep write_last(const Stream *stream, Buffer *out)
{
	Writer writer = WRITER_INIT(out);
	size_t begin = buffer_size(out);

	reply_begin(&writer, stream->method->interface);
	write_reason(&writer, stream->server.reason);
	return finish_reply(stream, &writer, begin, false) ? STREAM_ENDS : STREAM_BREAKS;
}

StreamStep display_stream_next(Stream *stream, Buffer *out)
{
	if (stream->is_dropped)
		return STREAM_BREAKS;
	if (!stream->is_current)
		return write_first(stream, out);
	if (!event_queue_is_empty(&stream->events))
		return event_queue_take(&stream->events, stream->terminator, out) ? STREAM_CONTINUES
										  : STREAM_BREAKS;
	if (!stream->server.vm)
		return TAILQ_EMPTY(&stream->server.channels) ? write_last(stream, out)
							     : STREAM_WAITS;
	DisplayChannel *channel = display_server_next(&stream->server);
	return channel ? write_opened(stream, channel, out) : STREAM_WAITS;
}

/* --- beginning and end ----------------------------------------------------------------------- */

/*
 * Tests whether the caller serves on behalf of the incoming VMM. A user can be the agent of both
 * VMMs; its second server is that of the incoming one.
 */
static bool serves_incoming(const Caller *caller, const VirtualMachine *vm)
{
	bool is_of_incoming = vm->incoming && (vm->incoming->process->key == caller->process ||
					       caller_matches_agent(caller, &vm->incoming->agent));
	bool is_of_vmm =
		vm->vmm->key == caller->process || caller_matches_agent(caller, &vm->agent);
	const DisplayServer *present = display_server_of(vm);

	return is_of_incoming && (!is_of_vmm || (present && !present->is_incoming));
}

/* Claims the channels that the caller has from before a restart, and ends the VM's others. */
static void resume_channels(Stream *stream, const HandlesParams *handles)
{
	Broker *broker = broker_of(stream);

	for (size_t i = 0; i < handles->array.count; i++) {
		Handle handle;

		if (!handle_parse(handles->items[i], &handle) ||
		    display_server_claim(broker, &stream->server, &handle))
			continue;
		/* It ended while the daemon did not run, or with its viewer at the start. */
		queue_closed(stream, &handle, END_DAEMON_STOPPED);
	}
	if (!stream->server.is_incoming)
		display_server_end_waiting(broker, &stream->server);
}

NTSTATUS display_stream_begin(Stream *stream, Request *request)
{
	Broker *broker = request->service->broker;
	VirtualMachine *vm = request->subject.vm;
	const Payer payer = payer_of(request->caller);
	bool is_incoming = serves_incoming(request->caller, vm);
	NTSTATUS status = display_server_check(vm, is_incoming, &request->failure);

	if (status == STATUS_SUCCESS)
		status = charge_take(&stream->charge, &broker->accounts, &payer, LIMIT_WATCHES,
				     &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = display_server_begin(broker, request->caller, vm, is_incoming, &stream->server,
				      &request->failure);
	if (status != STATUS_SUCCESS) {
		charge_return(&stream->charge, &broker->accounts);
		return status;
	}
	stream->serves_displays = true;
	stream->machine = vm->guid;
	LIST_INSERT_HEAD(&request->service->display_streams, stream, of_servers);
	resume_channels(stream, &request->params.serve_displays.displays);
	display_server_announce(broker, &stream->server);
	return STATUS_SUCCESS;
}

void display_stream_end(Stream *stream)
{
	Broker *broker = broker_of(stream);

	stream->is_over = true; /* its own end is no news to it */
	LIST_REMOVE(stream, of_servers);
	display_server_end(broker, &stream->server,
			   broker->is_stopping ? END_DAEMON_STOPPED : END_AGENT_GONE);
	display_server_leave(&stream->server);
}

/* --- events ---------------------------------------------------------------------------------- */

static void wake(const Stream *stream)
{
	stream->session->service->watch_ready(stream->session);
}

/* Tells the channel's server, unless the server has not heard of a channel that has closed. */
static void send_channel(const Event *event)
{
	const DisplayChannel *channel = container_of(event->entity, DisplayChannel, entity);
	Stream *stream = channel->server ? container_of(channel->server, Stream, server) : NULL;

	if (!stream || stream->is_over || stream->is_dropped)
		return;
	if (event->kind == EVENT_DISPLAY_CLOSED && channel->agent_fd == FD_NONE)
		queue_closed(stream, event->handle, event->reason);
	wake(stream);
}

/* Ends the server if its caller may no longer serve the VM. */
static void check_server(Stream *stream, const VirtualMachine *vm)
{
	const Caller *caller = stream->session->caller;

	if (stream->server.vm == vm && !vm_is_run_by(vm, caller->process) &&
	    !caller_is_agent(caller, vm))
		display_server_end(broker_of(stream), &stream->server, END_AGENT_GONE);
	if (!stream->server.vm && !stream->is_over)
		wake(stream);
}

void display_streams_send(Service *service, const Event *event)
{
	Stream *stream, *next;

	if (!event->entity)
		return;
	if (event->entity->type == ENTITY_DISPLAY)
		send_channel(event);
	if (event->entity->type != ENTITY_VIRTUAL_MACHINE || !event->changes_sharers)
		return;
	const VirtualMachine *vm = container_of(event->entity, VirtualMachine, entity);
	LIST_FOREACH_SAFE (stream, &service->display_streams, of_servers, next)
		if (guid_compare(&stream->machine, &vm->guid) == 0)
			check_server(stream, vm);
}
