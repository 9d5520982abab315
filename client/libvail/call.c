/* SPDX-License-Identifier: MIT */
/*
 * Submits calls, receives replies and runs all callbacks. Never blocks, except to connect.
 *
 * A handler may submit further calls. This may append to the queue, or connect again after the
 * connection was lost. Code that has run a handler therefore checks the generation before it
 * continues with the connection.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/libvail/internal.h"

/* A oneway call is refused while more output than this is unsent, in bytes. */
#define ONEWAY_OUTPUT_MAX (256u << 10)

static void set_disconnected_error(struct vail *vail)
{
	error_set(vail, STATUS_CONNECTION_DISCONNECTED,
		  "vaild at %s closed the connection%s; see its log with: "
		  "journalctl -u vaild, or on the stderr of a vaild started by hand",
		  vail->path, vail->first_call ? " before it answered" : "");
}

static NTSTATUS fail_disconnected(struct vail *vail)
{
	set_disconnected_error(vail);
	calls_fail_all(vail, STATUS_CONNECTION_DISCONNECTED);
	return STATUS_CONNECTION_DISCONNECTED;
}

static NTSTATUS fail_bad_reply(struct vail *vail, const char *why)
{
	error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
		  "%s sent an invalid reply (%s); check that this is vaild's "
		  "socket",
		  vail->path, why);
	calls_fail_all(vail, STATUS_INVALID_NETWORK_RESPONSE);
	return STATUS_INVALID_NETWORK_RESPONSE;
}

/* ---- Replies ---- */

/*
 * Delivers a message and its fds to the call that it answers. Takes the message. Its bytes have
 * already been removed from the input.
 */
static NTSTATUS message_deliver(struct vail *vail, JsonValue *message)
{
	_cleanup_(reply_deinit) Reply reply = {
		.message = message,
		.fds = fd_batch_queue_take_before(&vail->received_fds, vail->input_position),
	};

	if (!vail->first_call)
		return fail_bad_reply(vail, "it answers no call");
	NTSTATUS status = reply_decode(vail, &reply, vail->first_call->more);
	if (status != STATUS_SUCCESS) {
		calls_fail_all(vail, status);
		return status;
	}
	vail->reply_count++;
	vail->has_answered = true;
	vail->reconnect.delay = 0;
	vail->first_call->has_reply = true;
	if (reply.continues && call_deliver(vail, vail->first_call, &reply))
		return STATUS_SUCCESS;

	PendingCall *call = queue_take_first(vail);
	if (reply.continues) {
		fail_disconnected(vail);
		error_clear(vail); /* the handler asked for it, so it is no error */
	} else {
		call_deliver(vail, call, &reply);
	}
	call_free(call);
	return STATUS_SUCCESS;
}

/* Removes the first message from the input and delivers it. length excludes its NUL. */
static NTSTATUS message_take(struct vail *vail, size_t length)
{
	const char *error;
	JsonValue *message = json_parse(vail->parser, buffer_head(&vail->input), length, &error);

	buffer_consume(&vail->input, length + 1);
	vail->input_position += length + 1;
	vail->scanned = 0;
	return error ? fail_bad_reply(vail, "not JSON") : message_deliver(vail, message);
}

/* Delivers all complete messages. Stops if a handler has closed their connection. */
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
		return size <= REPLY_SIZE_MAX ? STATUS_SUCCESS : fail_bad_reply(vail, "too long");
	}
	return status;
}

/*
 * Handles the end of the connection. The remaining input may be a reply without a NUL: when vaild
 * refuses a connection or a malformed message, it sends a reply that ends in LF and closes.
 */
static NTSTATUS input_finish(struct vail *vail)
{
	uint64_t generation = vail->generation;
	Buffer *input = &vail->input;
	size_t length = buffer_size(input);
	const char *error = NULL;

	if (length > 0 && vail->first_call) {
		*buffer_tail(input) = '\0'; /* connection_receive() leaves room for it */
		JsonValue *message = json_parse(vail->parser, buffer_head(input), length, &error);
		NTSTATUS status = error ? STATUS_SUCCESS : message_deliver(vail, message);

		if (vail->generation != generation)
			return status == STATUS_SUCCESS ? STATUS_CONNECTION_DISCONNECTED : status;
		if (error && *buffer_head(input) != '{')
			return fail_bad_reply(vail, "not JSON"); /* not even a truncated object */
	}
	if (!vail->resumes)
		return fail_disconnected(vail);
	set_disconnected_error(vail);
	return resume_calls(vail);
}

/* Handles a result of connection_receive() that makes the connection unusable. */
static NTSTATUS fail_receive(struct vail *vail, ReceiveResult received)
{
	switch (received) {
	case RECEIVE_CLOSED:
		return input_finish(vail);
	case RECEIVE_NO_MEMORY:
		error_set_no_memory(vail);
		calls_fail_all(vail, STATUS_NO_MEMORY);
		return STATUS_NO_MEMORY;
	case RECEIVE_NO_FDS:
		error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
			  "vaild sent file descriptors, but this process is at its "
			  "limit; close some or raise RLIMIT_NOFILE");
		calls_fail_all(vail, STATUS_INSUFFICIENT_RESOURCES);
		return STATUS_INSUFFICIENT_RESOURCES;
	default:
		return fail_bad_reply(vail, "its file descriptors belong to no message");
	}
}

/* Tests whether the connection or wait belongs to the parent that forked this process. */
static bool is_forked_copy(const struct vail *vail)
{
	return (vail->fd >= 0 || vail->is_reconnecting) && vail->owner_pid != getpid();
}

NTSTATUS handle_pump(struct vail *vail)
{
	uint64_t generation = vail->generation;
	NTSTATUS status = STATUS_SUCCESS;

	if (is_forked_copy(vail))
		return fail_disconnected(vail); /* the parent receives the replies */
	if (vail->is_reconnecting)
		return resume_continue(vail);
	if (vail->fd < 0)
		return STATUS_SUCCESS;
	connection_flush(vail);
	while (status == STATUS_SUCCESS && vail->generation == generation) {
		ReceiveResult received = connection_receive(vail);

		if (received == RECEIVE_NOTHING)
			return STATUS_SUCCESS;
		status = received == RECEIVE_DATA ? input_deliver(vail)
						  : fail_receive(vail, received);
	}
	return status;
}

void handle_begin_call(struct vail *vail)
{
	if (vail->in_callback)
		return;
	error_clear(vail);
	fd_list_close(&vail->reply_fds);
}

NTSTATUS vail_process(struct vail *vail)
{
	use_or_refuse(vail);
	if (!vail)
		return STATUS_INVALID_PARAMETER;
	if (vail->in_callback)
		return error_set(vail, STATUS_INVALID_DEVICE_STATE,
				 "this function cannot be called from a callback; return "
				 "from the callback first");
	handle_begin_call(vail);
	return handle_pump(vail);
}

short vail_events(const struct vail *vail)
{
	use_or_return(vail, 0);
	if (vail && vail->is_reconnecting)
		return POLLIN;
	if (!vail || vail->fd < 0)
		return 0;
	return buffer_size(&vail->output) > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* ---- Calls ---- */

/*
 * Ensures that this process itself has a connection that vaild has not closed. If may_queue is
 * set and a handle that was connected before cannot reach vaild, starts waiting for it instead.
 */
static NTSTATUS ensure_connection(struct vail *vail, bool may_queue)
{
	if (vail->closing)
		return error_set(vail, STATUS_CONNECTION_DISCONNECTED,
				 "the handle is being closed; open another one");
	if (is_forked_copy(vail) && vail->in_callback)
		return error_set(vail, STATUS_INVALID_DEVICE_STATE,
				 "this process was forked inside a callback; return from the "
				 "callback first");
	if (is_forked_copy(vail))
		fail_disconnected(vail);
	if (vail->fd >= 0 && !vail->first_call && connection_is_stale(vail))
		connection_close(vail);
	if (vail->fd >= 0 || vail->is_reconnecting)
		return STATUS_SUCCESS;
	NTSTATUS status = connection_connect(vail, !vail->resumes || !vail->was_connected);
	return may_queue && is_transient_failure(vail, status) ? resume_wait(vail) : status;
}

static NTSTATUS refuse_fds(struct vail *vail, int error)
{
	switch (error) {
	case EBADF:
		return error_set(vail, STATUS_INVALID_PARAMETER,
				 "one of the file descriptors is not open; pass open ones");
	case E2BIG:
		return error_set(vail, STATUS_INVALID_PARAMETER,
				 "a message carries at most %d file descriptors; pass fewer",
				 FDS_PER_MESSAGE_MAX);
	case EMFILE:
		return error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
				 "this process is at its limit of file descriptors; close "
				 "some or raise RLIMIT_NOFILE");
	default:
		return error_set_no_memory(vail);
	}
}

/* Duplicates the request's fds into a new batch. */
static NTSTATUS duplicate_fds(struct vail *vail, const CallRequest *request, FdBatch **ret_batch)
{
	_cleanup_(fd_list_close) FdList copies = { 0 };
	int error = fd_list_duplicate(request->fds, request->fd_count, &copies);

	if (error < 0)
		return refuse_fds(vail, -error);
	FdBatch *batch = fd_batch_new(&copies);
	if (!batch)
		return error_set_no_memory(vail);
	*ret_batch = batch;
	return STATUS_SUCCESS;
}

/* Appends the call's message to the output, and queues the request's fds with it. */
static NTSTATUS call_write_with_fds(struct vail *vail, PendingCall *call,
				    const CallRequest *request)
{
	FdBatch *batch = NULL;
	NTSTATUS status = STATUS_SUCCESS;

	if (request->fd_count > 0)
		status = duplicate_fds(vail, request, &batch);
	if (status == STATUS_SUCCESS && !call_write(vail, call))
		status = error_set_no_memory(vail);
	if (status != STATUS_SUCCESS) {
		fd_batch_free(batch);
		return status;
	}
	if (!batch)
		return STATUS_SUCCESS;
	batch->length = buffer_size(&call->message);
	batch->position = call->output_end - batch->length;
	fd_batch_queue_append(&vail->outgoing_fds, batch);
	return STATUS_SUCCESS;
}

static NTSTATUS refuse_disconnected(struct vail *vail)
{
	return error_set(vail, STATUS_CONNECTION_REFUSED,
			 "vaild at %s is not running; the call was not sent, try "
			 "again later",
			 vail->path);
}

static NTSTATUS refuse_full(struct vail *vail)
{
	return error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
			 "%u MiB of calls already wait for vaild at %s; the call was "
			 "not sent, try again later",
			 QUEUED_BYTES_MAX >> 20, vail->path);
}

/* Connects if necessary, encodes the request into the call and appends it to the output. */
static NTSTATUS call_prepare(struct vail *vail, PendingCall *call, const CallRequest *request)
{
	bool has_fds = request->fd_count > 0;
	NTSTATUS status = ensure_connection(vail, true);

	if (status == STATUS_SUCCESS)
		status = request_encode(vail, request, &call->message);
	if (status != STATUS_SUCCESS)
		return status;
	/* Until vaild accepts the connection, the kernel lets no fds through to it. */
	if ((has_fds && vail->is_reconnecting) ||
	    (request->needs_answered_connection && !vail->has_answered))
		return refuse_disconnected(vail);
	if (vail->queued_bytes > QUEUED_BYTES_MAX)
		return refuse_full(vail);
	call->has_fds = has_fds;
	call->is_repeatable = method_is_repeatable(request->method);
	return vail->is_reconnecting ? STATUS_SUCCESS : call_write_with_fds(vail, call, request);
}

NTSTATUS call_submit(struct vail *vail, const CallRequest *request, const PendingCall *call)
{
	PendingCall *copy = malloc(sizeof(*copy));

	if (!copy)
		return error_set_no_memory(vail);
	*copy = *call;
	copy->message = BUFFER_INIT;
	copy->output_end = UINT64_MAX; /* not in the output yet */
	NTSTATUS status = call_prepare(vail, copy, request);
	if (status != STATUS_SUCCESS) {
		call_free(copy);
		resume_cancel_if_idle(vail);
		return status;
	}
	queue_append(vail, copy);
	connection_flush(vail);
	return STATUS_SUCCESS;
}

bool reply_to_caller(struct vail *vail, const PendingCall *call, Reply *reply)
{
	_cleanup_free_ char *text = NULL;

	if (reply->message)
		text = reply->parameters ? json_format(reply->parameters, false) : strdup("{}");
	if (reply->message && !text)
		reply->status = error_set_no_memory(vail);
	vail->reply_fds = fd_list_take(&reply->fds);
	bool go_on = call->reply(vail, reply->status, text, reply->continues, call->context);
	fd_list_close(&vail->reply_fds);
	return go_on;
}

NTSTATUS vail_submit_with_descriptors(struct vail *vail, const char *method, const char *parameters,
				      const int *descriptors, size_t descriptor_count, bool more,
				      VailReply reply, void *context)
{
	use_or_refuse(vail);
	CallRequest request = { .method = method,
				.parameters = parameters,
				.fds = descriptors,
				.fd_count = descriptor_count,
				.more = more };
	PendingCall call = {
		.more = more, .handler = reply_to_caller, .reply = reply, .context = context
	};

	if (!vail || !reply || (!descriptors && descriptor_count > 0))
		return STATUS_INVALID_PARAMETER;
	handle_begin_call(vail);
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
	use_or_refuse(vail);
	CallRequest request = { .method = method, .parameters = parameters, .oneway = true };

	if (!vail)
		return STATUS_INVALID_PARAMETER;
	handle_begin_call(vail);
	NTSTATUS status = ensure_connection(vail, false);
	if (status == STATUS_SUCCESS && vail->is_reconnecting)
		status = refuse_disconnected(vail);
	if (status != STATUS_SUCCESS)
		return status;
	connection_flush(vail);
	if (buffer_size(&vail->output) > ONEWAY_OUTPUT_MAX)
		return error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
				 "vaild at %s does not read its messages; the call was not "
				 "sent, try again later",
				 vail->path);
	status = request_encode(vail, &request, &vail->output);
	if (status == STATUS_SUCCESS)
		connection_flush(vail);
	return status;
}

int vail_take_descriptor(struct vail *vail, size_t index)
{
	use_or_return(vail, -1);
	if (!vail || index >= vail->reply_fds.count)
		return -1;
	return TAKE_FD(vail->reply_fds.list[index]);
}
