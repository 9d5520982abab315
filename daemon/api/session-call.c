/* SPDX-License-Identifier: MIT */
#include "session-call.h"

#include <string.h>

#include "dispatch.h"
#include "macros.h"
#include "reply.h"
#include "session-descriptors.h"

/* A reply is kept when it was written whole and does not pass the bound on unread output. */
static NTSTATUS check_reply(const Writer *writer, const Method *method, Failure *failure)
{
	if (writer->failed)
		return failure_no_memory(failure);
	if (buffer_size(writer->out) <= LIMIT_UNREAD_PER_CONNECTION)
		return STATUS_SUCCESS;
	return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "replySize", "%s",
			   method->list ? "the list is too long for one reply; ask for it with "
					  "\"more\": true"
					: "the reply is too long; ask for less");
}

/* What the list is a list of, where it belongs to one thing. */
static Handle request_list_subject(const Request *request)
{
	const GpuProcess *gpu_process = request->subject.gpu_process;

	return gpu_process ? gpu_process->named.handle : (Handle){ 0 };
}

/* A list in one reply; what is past the bound need not be written to be refused. */
static void write_list(const Request *request)
{
	const Method *method = request->method;
	Writer *writer = request->reply;
	const ListView view = {
		.service = request->service,
		.caller = request->caller,
		.list = method->list,
		.subject = request_list_subject(request),
		.machine = request->virtual_machine,
	};
	uint64_t cursor = 0;

	writer_key_quoted(writer, method->list_key, strlen(method->list_key));
	writer_array_begin(writer);
	while (buffer_size(writer->out) <= LIMIT_UNREAD_PER_CONNECTION && !writer->failed &&
	       method->list->next(&view, &cursor, writer))
		;
	writer_array_end(writer);
}

/* Whether the call is to be answered by a stream. */
static bool call_streams(const Call *call)
{
	return call->more && (call->method->list || call->method->flags & METHOD_STREAMS);
}

/* What the answer needs is there before anything is done: what was done can be answered. */
static NTSTATUS prepare_answer(Session *session, const Call *call, Stream **ret_stream,
			       Offer **ret_offer, Failure *failure)
{
	if (call_streams(call)) {
		*ret_stream = stream_new(session, call->method, call->terminator);
		if (!*ret_stream)
			return failure_no_memory(failure);
	}
	if (call->method->flags & METHOD_GIVES_DESCRIPTORS) {
		*ret_offer = session_prepare_offer(session);
		if (!*ret_offer)
			return failure_no_memory(failure);
	}
	return STATUS_SUCCESS;
}

/* Ends the answer of a request that succeeded. */
static NTSTATUS finish_answer(Request *request, char terminator)
{
	if (request->method->list)
		write_list(request);
	reply_end(request->reply, false, terminator);
	return check_reply(request->reply, request->method, &request->failure);
}

/* From now on the stream answers. */
static void session_begin_stream(Session *session, Stream *stream, const Request *request)
{
	stream->subject = request_list_subject(request);
	if (request->method->list)
		stream->machine = request->virtual_machine;
	session->stream = stream;
}

void session_call(Session *session, const Call *call, Buffer *out)
{
	const Method *method = call->method;
	size_t begin = buffer_size(out);
	Writer writer = WRITER_INIT(out);
	Stream *stream = NULL;
	Offer *offer = NULL;
	Request request = {
		.service = session->service,
		.caller = session->caller,
		.method = method,
		.reply = &writer,
		.descriptors = session->descriptors ? session->descriptors->items : NULL,
		.descriptor_count = call->descriptor_count,
	};
	NTSTATUS status = prepare_answer(session, call, &stream, &offer, &request.failure);

	request.stream = stream;
	reply_begin(&writer, method->interface);
	if (status == STATUS_SUCCESS)
		status = dispatch(&request, call->parameters);
	if (status == STATUS_SUCCESS && stream) {
		buffer_truncate(out, begin);
		session_begin_stream(session, stream, &request);
		return;
	}
	stream_free(stream);
	if (status == STATUS_SUCCESS)
		status = finish_answer(&request, call->terminator);
	if (status == STATUS_SUCCESS && offer)
		session_add_offer(session, TAKE_POINTER(offer), &request, begin, buffer_size(out));
	session_discard_offer(session, offer);
	session_release_offered(&request);
	if (writer.failed && request.changed)
		buffer_truncate(out, begin); /* what was done is not denied */
	else if (status != STATUS_SUCCESS)
		reply_failure_instead(&writer, begin, method->interface, &request.failure,
				      call->terminator);
}
