/* SPDX-License-Identifier: MIT */
#include "daemon/api/session-call.h"

#include <string.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/reply.h"
#include "daemon/api/session-fds.h"
#include "proto/macros.h"

/* Checks that the reply is complete and within the bound on unread output. */
static NTSTATUS check_reply(const Writer *writer, Failure *failure)
{
	if (writer->failed)
		return failure_no_memory(failure);
	if (buffer_size(writer->out) <= LIMIT_UNREAD_PER_CONNECTION)
		return STATUS_SUCCESS;
	return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "replySize",
			   "the reply is too long; request less");
}

/* Returns the handle of the GPU process whose ranges are listed, or 0 for other lists. */
static Handle request_list_subject(const Request *request)
{
	const GpuProcess *gpu_process = request->subject.gpu_process;

	return gpu_process ? gpu_process->handle_entry.handle : (Handle){ 0 };
}

/* Tests whether a stream replies to the call. Nobody would read a list without a reply. */
static bool call_streams(const Call *call)
{
	if (call->method->list)
		return !call->oneway;
	return call->more && call->method->flags & METHOD_STREAMS;
}

/* Allocates everything for the reply before the call is executed, so that replying cannot fail. */
static NTSTATUS prepare_answer(Session *session, const Call *call, Stream **ret_stream,
			       OutgoingFds **ret_offer, Failure *failure)
{
	if (call_streams(call)) {
		*ret_stream = stream_new(session, call->method, call->terminator);
		if (!*ret_stream)
			return failure_no_memory(failure);
		(*ret_stream)->is_whole = !call->more;
	}
	if (call->method->flags & METHOD_GIVES_FDS) {
		*ret_offer = session_prepare_outgoing(session);
		if (!*ret_offer)
			return failure_no_memory(failure);
	}
	return STATUS_SUCCESS;
}

/* Completes the reply of a request that succeeded. */
static NTSTATUS finish_answer(Request *request, char terminator)
{
	reply_end(request->reply, false, terminator);
	return check_reply(request->reply, &request->failure);
}

/* Lets the stream reply from now on. */
static void session_begin_stream(Session *session, Stream *stream, const Request *request)
{
	stream->subject = request_list_subject(request);
	if (request->method->list)
		stream->machine = request->virtual_machine;
	session->stream = stream;
}

bool session_call(Session *session, const Call *call, Buffer *out)
{
	const Method *method = call->method;
	size_t begin = buffer_size(out);
	Writer writer = WRITER_INIT(out);
	Stream *stream = NULL;
	OutgoingFds *outgoing = NULL;
	Request request = {
		.service = session->service,
		.caller = session->caller,
		.method = method,
		.reply = &writer,
		.fds = session->fds ? session->fds->items : NULL,
		.fd_count = call->fd_count,
		.awaited_ends = session->reading->message.awaited_ends,
		.awaited_look = session->reading->message.awaited_look,
	};
	NTSTATUS status = prepare_answer(session, call, &stream, &outgoing, &request.failure);

	request.stream = stream;
	reply_begin(&writer, method->interface);
	if (status == STATUS_SUCCESS)
		status = dispatch(&request, call->parameters);
	if (status == STATUS_SUCCESS && stream) {
		buffer_truncate(out, begin);
		session_begin_stream(session, stream, &request);
		return true;
	}
	stream_free(stream);
	session->reading->message.awaited_ends = request.awaited_ends;
	session->reading->message.awaited_look = request.awaited_look;
	session->is_repeated = request.is_repeated;
	if (status == STATUS_SUCCESS)
		status = finish_answer(&request, call->terminator);
	if (status == STATUS_SUCCESS && outgoing)
		session_add_outgoing(session, TAKE_POINTER(outgoing), &request, begin,
				     buffer_size(out));
	session_discard_outgoing(session, outgoing);
	session_release_outgoing(&request);
	if (status == STATUS_PENDING || (writer.failed && request.changed))
		/* If it is committed, the connection is closed instead of an error. */
		buffer_truncate(out, begin);
	else if (status != STATUS_SUCCESS)
		reply_failure_instead(&writer, begin, method->interface, &request.failure,
				      call->terminator);
	return status != STATUS_PENDING;
}
