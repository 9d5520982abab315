/* SPDX-License-Identifier: MIT */
/*
 * What is sent and received. Everything that calls back is here, and nothing waits.
 *
 * A handler may submit further calls, and so may add to the queue, or make a new connection after
 * one was lost; whoever has called a handler looks at the generation before it goes on.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libvail-internal.h"

/* What nobody waits for is not sent while more than this waits to be. */
#define ONEWAY_OUTPUT_MAX (256u << 10)

static void say_disconnected(struct vail *vail)
{
	vail_error_set(vail, STATUS_CONNECTION_DISCONNECTED,
		       "vaild at %s closed the connection%s; see why with: journalctl -u vaild",
		       vail->path, vail->first ? " before it answered" : "");
}

static NTSTATUS lose_disconnected(struct vail *vail)
{
	say_disconnected(vail);
	calls_lose(vail, STATUS_CONNECTION_DISCONNECTED);
	return STATUS_CONNECTION_DISCONNECTED;
}

static NTSTATUS lose_confused(struct vail *vail, const char *why)
{
	vail_error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
		       "what came from %s is no answer of vaild (%s); see that this is vaild's "
		       "socket",
		       vail->path, why);
	calls_lose(vail, STATUS_INVALID_NETWORK_RESPONSE);
	return STATUS_INVALID_NETWORK_RESPONSE;
}

/* ---- Replies ---- */

/* Hands a message, which it takes, and the descriptors that came with it to the call that it
 * answers. Its bytes are out of the input. */
static NTSTATUS message_deliver(struct vail *vail, JsonValue *message)
{
	_cleanup_(reply_deinit) Reply reply = {
		.message = message,
		.descriptors = parcels_take_before(&vail->received, vail->input_position),
	};

	if (!vail->first)
		return lose_confused(vail, "an answer to nothing");
	NTSTATUS status = reply_decode(vail, &reply, vail->first->more);
	if (status != STATUS_SUCCESS) {
		calls_lose(vail, status);
		return status;
	}
	vail->replies++;
	vail->is_known = true;
	vail->absence.delay = 0;
	vail->first->was_told = true;
	if (reply.continues && call_handle(vail, vail->first, &reply))
		return STATUS_SUCCESS;

	Call *call = queue_take_first(vail);
	if (reply.continues) {
		lose_disconnected(vail);
		vail_error_clear(vail); /* it is what the caller asked for */
	} else {
		call_handle(vail, call, &reply);
	}
	call_free(call);
	return STATUS_SUCCESS;
}

/* Takes the message of this length, behind which stands a NUL, out of the input. */
static NTSTATUS message_take(struct vail *vail, size_t length)
{
	const char *error;
	JsonValue *message = json_parse(vail->parser, buffer_head(&vail->input), length, &error);

	buffer_consume(&vail->input, length + 1);
	vail->input_position += length + 1;
	vail->scanned = 0;
	return error ? lose_confused(vail, "no JSON") : message_deliver(vail, message);
}

/* Delivers what is whole in the input. Stops when the connection it came by is closed. */
static NTSTATUS input_deliver(struct vail *vail)
{
	uint64_t generation = vail->generation;
	NTSTATUS status = STATUS_SUCCESS;

	while (status == STATUS_SUCCESS && vail->generation == generation) {
		const char *head = buffer_head(&vail->input);
		size_t size = buffer_size(&vail->input);
		const char *nul = memchr(head + vail->scanned, '\0', size - vail->scanned);

		if (nul) {
			status = message_take(vail, (size_t)(nul - head));
			continue;
		}
		vail->scanned = size;
		return size <= REPLY_SIZE_MAX ? STATUS_SUCCESS : lose_confused(vail, "no end");
	}
	return status;
}

/*
 * The other side has closed. vaild refuses a connection too many, and a message that it could not
 * follow, with a reply that ends in LF, and closes: what is left may be a reply without its NUL.
 */
static NTSTATUS input_finish(struct vail *vail)
{
	uint64_t generation = vail->generation;
	Buffer *input = &vail->input;
	size_t length = buffer_size(input);
	const char *error = NULL;

	if (length > 0 && vail->first) {
		*buffer_tail(input) = '\0'; /* connection_receive() leaves room for it */
		JsonValue *message = json_parse(vail->parser, buffer_head(input), length, &error);
		NTSTATUS status = error ? STATUS_SUCCESS : message_deliver(vail, message);

		if (vail->generation != generation)
			return status == STATUS_SUCCESS ? STATUS_CONNECTION_DISCONNECTED : status;
		if (error && *buffer_head(input) != '{')
			return lose_confused(vail, "no JSON"); /* not even the beginning of some */
	}
	if (!vail->resumes)
		return lose_disconnected(vail);
	say_disconnected(vail);
	return calls_interrupt(vail);
}

/* What connection_receive() has to say of a connection that is of no use any more. */
static NTSTATUS lose_received(struct vail *vail, Received received)
{
	switch (received) {
	case RECEIVED_END:
		return input_finish(vail);
	case RECEIVED_NO_MEMORY:
		vail_error_no_memory(vail);
		calls_lose(vail, STATUS_NO_MEMORY);
		return STATUS_NO_MEMORY;
	case RECEIVED_NO_DESCRIPTORS:
		vail_error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
			       "vaild sent descriptors, and this process has no room for them; "
			       "close some, or raise RLIMIT_NOFILE");
		calls_lose(vail, STATUS_INSUFFICIENT_RESOURCES);
		return STATUS_INSUFFICIENT_RESOURCES;
	default:
		return lose_confused(vail, "descriptors that belong to no message");
	}
}

/* Whether what is under way is that of the process that has forked this one. */
static bool is_parents(const struct vail *vail)
{
	return (vail->descriptor >= 0 || vail->is_waiting) && vail->owner != getpid();
}

NTSTATUS vail_pump(struct vail *vail)
{
	uint64_t generation = vail->generation;
	NTSTATUS status = STATUS_SUCCESS;

	if (is_parents(vail))
		return lose_disconnected(vail); /* the parent asks again, and is answered */
	if (vail->is_waiting)
		return wait_go_on(vail);
	if (vail->descriptor < 0)
		return STATUS_SUCCESS;
	connection_flush(vail);
	while (status == STATUS_SUCCESS && vail->generation == generation) {
		Received received = connection_receive(vail);

		if (received == RECEIVED_NOTHING)
			return STATUS_SUCCESS;
		status = received == RECEIVED_BYTES ? input_deliver(vail)
						    : lose_received(vail, received);
	}
	return status;
}

void vail_begin(struct vail *vail)
{
	if (vail->in_reply)
		return; /* what the reply has brought is still to be seen */
	vail_error_clear(vail);
	descriptors_close(&vail->descriptors);
}

NTSTATUS vail_process(struct vail *vail)
{
	if (!vail)
		return STATUS_INVALID_PARAMETER;
	if (vail->in_reply)
		return vail_error_set(vail, STATUS_INVALID_DEVICE_STATE,
				      "a reply is being handled; return from it first");
	vail_begin(vail);
	return vail_pump(vail);
}

short vail_events(const struct vail *vail)
{
	if (vail && vail->is_waiting)
		return POLLIN;
	if (!vail || vail->descriptor < 0)
		return 0;
	return buffer_size(&vail->output) > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* ---- Calls ---- */

/* Makes sure of a connection of this very process that vaild has not closed. Where there was one,
 * and vaild is not there, what is submitted (may_wait) waits for it. */
static NTSTATUS ensure_connection(struct vail *vail, bool may_wait)
{
	if (vail->closing)
		return vail_error_set(vail, STATUS_CONNECTION_DISCONNECTED,
				      "the handle is being closed; open another");
	if (is_parents(vail) && vail->in_reply)
		return vail_error_set(vail, STATUS_INVALID_DEVICE_STATE,
				      "this process was forked by a reply; return from it first");
	if (is_parents(vail))
		lose_disconnected(vail); /* the replies on it are the parent's */
	if (vail->descriptor >= 0 && !vail->first && connection_is_stale(vail))
		connection_close(vail);
	if (vail->descriptor >= 0 || vail->is_waiting)
		return STATUS_SUCCESS;
	NTSTATUS status = connection_open(vail, !vail->resumes || !vail->was_there);
	return may_wait && may_come_back(vail, status) ? wait_for_vaild(vail) : status;
}

static NTSTATUS refuse_descriptors(struct vail *vail, int error)
{
	switch (error) {
	case EBADF:
		return vail_error_set(vail, STATUS_INVALID_PARAMETER,
				      "one of the descriptors is not open; give open ones");
	case E2BIG:
		return vail_error_set(vail, STATUS_INVALID_PARAMETER,
				      "a message holds no more than %d descriptors; give fewer",
				      DESCRIPTOR_MAX);
	case EMFILE:
		return vail_error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
				      "this process has no room for more descriptors; close some, "
				      "or raise RLIMIT_NOFILE");
	default:
		return vail_error_no_memory(vail);
	}
}

/* Makes a parcel of copies, which stay open until they are sent. */
static NTSTATUS pack_descriptors(struct vail *vail, const Request *request, Parcel **ret_parcel)
{
	_cleanup_(descriptors_close) Descriptors copies = { 0 };
	int error = descriptors_copy(request->descriptors, request->descriptor_count, &copies);

	if (error < 0)
		return refuse_descriptors(vail, -error);
	Parcel *parcel = parcel_new(&copies);
	if (!parcel)
		return vail_error_no_memory(vail);
	*ret_parcel = parcel;
	return STATUS_SUCCESS;
}

bool call_put(struct vail *vail, Call *call)
{
	const Buffer *message = &call->message;

	if (!buffer_append(&vail->output, buffer_head(message), buffer_size(message)))
		return false;
	call->end = vail->output_position + buffer_size(&vail->output);
	return true;
}

/* Puts the call's message behind the output, and the request's descriptors beside it. */
static NTSTATUS call_put_first(struct vail *vail, Call *call, const Request *request)
{
	Parcel *parcel = NULL;
	NTSTATUS status = STATUS_SUCCESS;

	if (request->descriptor_count > 0)
		status = pack_descriptors(vail, request, &parcel);
	if (status == STATUS_SUCCESS && !call_put(vail, call))
		status = vail_error_no_memory(vail);
	if (status != STATUS_SUCCESS) {
		parcel_free(parcel);
		return status;
	}
	if (!parcel)
		return STATUS_SUCCESS;
	parcel->length = buffer_size(&call->message);
	parcel->position = call->end - parcel->length;
	parcels_append(&vail->sending, parcel);
	return STATUS_SUCCESS;
}

static NTSTATUS refuse_waiting(struct vail *vail)
{
	return vail_error_set(vail, STATUS_CONNECTION_REFUSED,
			      "vaild at %s is not there; this was not sent, so try again later",
			      vail->path);
}

static NTSTATUS refuse_full(struct vail *vail)
{
	return vail_error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
			      "%u MiB of calls wait for vaild at %s already; this was not sent, so "
			      "try again later",
			      QUEUED_MAX >> 20, vail->path);
}

/* Makes the call one that is to be sent, and puts it behind the output. */
static NTSTATUS call_send(struct vail *vail, Call *call, const Request *request)
{
	bool has_descriptors = request->descriptor_count > 0;
	NTSTATUS status = ensure_connection(vail, true);

	if (status == STATUS_SUCCESS)
		status = request_encode(vail, request, &call->message);
	if (status != STATUS_SUCCESS)
		return status;
	/* Of descriptors the kernel would let none through to one that is yet to accept. */
	if ((has_descriptors && vail->is_waiting) || (request->to_known && !vail->is_known))
		return refuse_waiting(vail);
	if (vail->queued > QUEUED_MAX)
		return refuse_full(vail);
	call->has_descriptors = has_descriptors;
	call->is_repeatable = method_is_repeatable(request->method);
	return vail->is_waiting ? STATUS_SUCCESS : call_put_first(vail, call, request);
}

NTSTATUS call_submit(struct vail *vail, const Request *request, const Call *call)
{
	Call *copy = malloc(sizeof(*copy));

	if (!copy)
		return vail_error_no_memory(vail);
	*copy = *call;
	copy->message = BUFFER_INIT;
	copy->end = UINT64_MAX; /* so far */
	NTSTATUS status = call_send(vail, copy, request);
	if (status != STATUS_SUCCESS) {
		call_free(copy);
		wait_end_if_idle(vail);
		return status;
	}
	queue_append(vail, copy);
	connection_flush(vail);
	return STATUS_SUCCESS;
}

bool reply_to_caller(struct vail *vail, const Call *call, Reply *reply)
{
	_cleanup_free_ char *text = NULL;

	if (reply->message)
		text = reply->parameters ? json_format(reply->parameters, false) : strdup("{}");
	if (reply->message && !text)
		reply->status = vail_error_no_memory(vail);
	vail->descriptors = descriptors_take(&reply->descriptors);
	bool go_on = call->reply(vail, reply->status, text, reply->continues, call->context);
	descriptors_close(&vail->descriptors);
	return go_on;
}

NTSTATUS vail_submit_with_descriptors(struct vail *vail, const char *method, const char *parameters,
				      const int *descriptors, size_t descriptor_count, bool more,
				      VailReply reply, void *context)
{
	Request request = { .method = method,
			    .parameters = parameters,
			    .descriptors = descriptors,
			    .descriptor_count = descriptor_count,
			    .more = more };
	Call call = {
		.more = more, .handler = reply_to_caller, .reply = reply, .context = context
	};

	if (!vail || !reply || (!descriptors && descriptor_count > 0))
		return STATUS_INVALID_PARAMETER;
	vail_begin(vail);
	return call_submit(vail, &request, &call);
}

NTSTATUS vail_submit(struct vail *vail, const char *method, const char *parameters, bool more,
		     VailReply reply, void *context)
{
	return vail_submit_with_descriptors(vail, method, parameters, NULL, 0, more, reply,
					    context);
}

NTSTATUS vail_send_oneway(struct vail *vail, const char *method, const char *parameters)
{
	Request request = { .method = method, .parameters = parameters, .oneway = true };

	if (!vail)
		return STATUS_INVALID_PARAMETER;
	vail_begin(vail);
	NTSTATUS status = ensure_connection(vail, false);
	if (status == STATUS_SUCCESS && vail->is_waiting)
		status = refuse_waiting(vail);
	if (status != STATUS_SUCCESS)
		return status;
	connection_flush(vail);
	if (buffer_size(&vail->output) > ONEWAY_OUTPUT_MAX)
		return vail_error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
				      "vaild at %s does not take what it is sent; this was not, so "
				      "try again later",
				      vail->path);
	status = request_encode(vail, &request, &vail->output);
	if (status == STATUS_SUCCESS)
		connection_flush(vail);
	return status;
}

int vail_take_descriptor(struct vail *vail, size_t index)
{
	if (!vail || index >= vail->descriptors.count)
		return -1;
	return TAKE_DESCRIPTOR(vail->descriptors.list[index]);
}
