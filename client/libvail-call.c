/* SPDX-License-Identifier: MIT */
/*
 * The queue of calls. Everything that waits or calls back is here: a blocking call is one that is
 * submitted, and then pumped until its last reply has come.
 *
 * A handler may submit further calls, and so may add to the queue, or make a new connection after
 * one was lost; whoever has called a handler looks at the generation before it goes on.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libvail-internal.h"

static void queue_append(struct vail *vail, Call *call)
{
	*vail->end = call;
	vail->end = &call->next;
}

static Call *queue_take_all(struct vail *vail)
{
	Call *calls = vail->first;

	vail->first = NULL;
	vail->end = &vail->first;
	return calls;
}

static Call *queue_take_first(struct vail *vail)
{
	Call *call = vail->first;

	vail->first = call->next;
	if (!vail->first)
		vail->end = &vail->first;
	return call;
}

static bool call_handle(struct vail *vail, const Call *call, Reply *reply)
{
	bool nested = vail->in_reply;

	vail->in_reply = true;
	bool go_on = call->handler(vail, call, reply);
	vail->in_reply = nested;
	return go_on;
}

void calls_lose(struct vail *vail, NTSTATUS status)
{
	Call *call = queue_take_all(vail);

	connection_close(vail);
	while (call) {
		_cleanup_free_ Call *lost = call;
		Reply reply = { .status = status };

		call = call->next;
		call_handle(vail, lost, &reply);
	}
}

static NTSTATUS lose_disconnected(struct vail *vail)
{
	vail_error_set(vail, STATUS_CONNECTION_DISCONNECTED,
		       "vaild at %s closed the connection%s; see why with: journalctl -u vaild",
		       vail->path, vail->first ? " before it answered" : "");
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

/* Hands a message, which it takes, to the call that it answers. */
static NTSTATUS message_deliver(struct vail *vail, JsonValue *message)
{
	_cleanup_(reply_deinit) Reply reply = { .message = message };

	if (!vail->first)
		return lose_confused(vail, "an answer to nothing");
	NTSTATUS status = reply_decode(vail, &reply, vail->first->more);
	if (status != STATUS_SUCCESS) {
		calls_lose(vail, status);
		return status;
	}
	vail->replies++;
	if (reply.continues && call_handle(vail, vail->first, &reply))
		return STATUS_SUCCESS;

	_cleanup_free_ Call *call = queue_take_first(vail);
	if (reply.continues) {
		lose_disconnected(vail);
		vail_error_clear(vail); /* it is what the caller asked for */
	} else {
		call_handle(vail, call, &reply);
	}
	return STATUS_SUCCESS;
}

/* Takes the message of this length, behind which stands a NUL, out of the input. */
static NTSTATUS message_take(struct vail *vail, size_t length)
{
	const char *error;
	JsonValue *message = json_parse(vail->parser, buffer_head(&vail->input), length, &error);

	buffer_consume(&vail->input, length + 1);
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
	return lose_disconnected(vail);
}

/* Sends and receives what is possible without waiting. Returns why the connection was lost. */
static NTSTATUS vail_pump(struct vail *vail)
{
	uint64_t generation = vail->generation;
	NTSTATUS status = STATUS_SUCCESS;

	if (vail->descriptor < 0)
		return STATUS_SUCCESS;
	connection_flush(vail);
	while (status == STATUS_SUCCESS && vail->generation == generation) {
		switch (connection_receive(vail)) {
		case RECEIVED_BYTES:
			status = input_deliver(vail);
			break;
		case RECEIVED_NOTHING:
			return STATUS_SUCCESS;
		case RECEIVED_END:
			return input_finish(vail);
		case RECEIVED_NO_MEMORY:
			vail_error_no_memory(vail);
			calls_lose(vail, STATUS_NO_MEMORY);
			return STATUS_NO_MEMORY;
		}
	}
	return status;
}

NTSTATUS vail_process(struct vail *vail)
{
	if (!vail)
		return STATUS_INVALID_PARAMETER;
	if (vail->in_reply)
		return vail_error_set(vail, STATUS_INVALID_DEVICE_STATE,
				      "a reply is being handled; return from it first");
	vail_error_clear(vail);
	return vail_pump(vail);
}

short vail_events(const struct vail *vail)
{
	if (!vail || vail->descriptor < 0)
		return 0;
	return buffer_size(&vail->output) > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* ---- Calls ---- */

/* Makes sure of a connection of this very process that vaild has not closed. */
static NTSTATUS ensure_connection(struct vail *vail)
{
	bool is_parents = vail->descriptor >= 0 && vail->owner != getpid();

	if (vail->closing)
		return vail_error_set(vail, STATUS_CONNECTION_DISCONNECTED,
				      "the handle is being closed; open another");
	if (is_parents && vail->in_reply)
		return vail_error_set(vail, STATUS_INVALID_DEVICE_STATE,
				      "this process was forked by a reply; return from it first");
	if (is_parents)
		lose_disconnected(vail); /* the replies on it are the parent's */
	if (vail->descriptor >= 0 && !vail->first && connection_is_stale(vail))
		connection_close(vail);
	return vail->descriptor >= 0 ? STATUS_SUCCESS : connection_open(vail);
}

/* Queues a copy of the call, and sends what can be sent. */
static NTSTATUS call_submit(struct vail *vail, const char *method, const char *parameters,
			    const Call *call)
{
	_cleanup_free_ Call *copy = malloc(sizeof(*copy));

	if (!copy)
		return vail_error_no_memory(vail);
	NTSTATUS status = ensure_connection(vail);
	if (status == STATUS_SUCCESS)
		status = request_encode(vail, method, parameters, call->more, &vail->output);
	if (status != STATUS_SUCCESS)
		return status;
	*copy = *call;
	queue_append(vail, TAKE_POINTER(copy));
	connection_flush(vail);
	return STATUS_SUCCESS;
}

/* The handler of what the library's users submit. */
static bool reply_to_caller(struct vail *vail, const Call *call, Reply *reply)
{
	_cleanup_free_ char *text = NULL;

	if (reply->message)
		text = reply->parameters ? json_format(reply->parameters, false) : strdup("{}");
	if (reply->message && !text)
		reply->status = vail_error_no_memory(vail);
	return call->reply(vail, reply->status, text, reply->continues, call->context);
}

NTSTATUS vail_submit(struct vail *vail, const char *method, const char *parameters, bool more,
		     VailReply reply, void *context)
{
	Call call = {
		.more = more, .handler = reply_to_caller, .reply = reply, .context = context
	};

	if (!vail || !reply)
		return STATUS_INVALID_PARAMETER;
	if (!vail->in_reply)
		vail_error_clear(vail);
	return call_submit(vail, method, parameters, &call);
}

/* ---- Waiting ---- */

/* What a blocking call waits for. */
typedef struct Answer {
	bool done;
	NTSTATUS status;
	JsonValue *message;
	JsonValue *parameters; /* inside the message */
	ErrorDetails error;    /* kept: replies to other calls may come in the same turn */
	VailReply reply;       /* with more */
	void *context;
} Answer;

static void answer_deinit(Answer *answer)
{
	json_free(answer->message);
	error_details_deinit(&answer->error);
}

static bool answer_take(struct vail *vail, const Call *call, Reply *reply)
{
	Answer *answer = call->context;

	answer->done = true;
	answer->status = reply->status;
	answer->message = TAKE_POINTER(reply->message);
	answer->parameters = reply->parameters;
	answer->error = vail->error;
	vail->error = (ErrorDetails){ 0 };
	return true;
}

static bool answer_take_more(struct vail *vail, const Call *call, Reply *reply)
{
	Answer *answer = call->context;
	Call callers = { .reply = answer->reply, .context = answer->context };
	bool go_on = reply_to_caller(vail, &callers, reply);

	if (reply->continues && go_on)
		return true;
	if (reply->continues)
		*answer = (Answer){ .done = true, .status = STATUS_SUCCESS };
	else
		answer_take(vail, call, reply);
	return go_on;
}

static int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void lose_timed_out(struct vail *vail)
{
	vail_error_set(vail, STATUS_IO_TIMEOUT,
		       "vaild at %s did not answer within %d ms; see its log with: "
		       "journalctl -u vaild",
		       vail->path, vail->timeout);
	calls_lose(vail, STATUS_IO_TIMEOUT);
}

/* Milliseconds for poll() until the deadline; negative for ever. */
static int time_left(const struct vail *vail, int64_t deadline)
{
	int64_t left = deadline - now_milliseconds();

	if (vail->timeout < 0)
		return -1;
	return left > 0 ? (int)left : 0;
}

/* Waits until the answer is there. Losing the connection is an answer, too. */
static void answer_wait(struct vail *vail, const Answer *answer)
{
	int64_t deadline = now_milliseconds() + vail->timeout;
	uint64_t replies = vail->replies;

	while (!answer->done) {
		struct pollfd watch = { .fd = vail->descriptor, .events = vail_events(vail) };
		int ready = poll(&watch, 1, time_left(vail, deadline));

		if (ready > 0) {
			vail_pump(vail);
		} else if (ready == 0) {
			lose_timed_out(vail);
		} else if (errno != EINTR) {
			vail_error_no_memory(vail);
			calls_lose(vail, STATUS_NO_MEMORY);
		}
		if (vail->replies != replies)
			deadline = now_milliseconds() + vail->timeout;
		replies = vail->replies;
	}
}

/* Submits the call, waits for its answer, and makes the answer's error details the handle's. */
static NTSTATUS answer_get(struct vail *vail, const char *method, const char *parameters, bool more,
			   Answer *answer)
{
	Call call = { .more = more,
		      .handler = more ? answer_take_more : answer_take,
		      .context = answer };

	if (vail->in_reply)
		return vail_error_set(vail, STATUS_INVALID_DEVICE_STATE,
				      "a reply is being handled; return from it first, or submit "
				      "the call");
	vail_error_clear(vail);
	NTSTATUS status = call_submit(vail, method, parameters, &call);
	if (status != STATUS_SUCCESS)
		return status;
	answer_wait(vail, answer);
	vail_error_clear(vail);
	vail->error = answer->error;
	answer->error = (ErrorDetails){ 0 };
	return answer->status;
}

NTSTATUS vail_call_value(struct vail *vail, const char *method, const char *parameters,
			 JsonValue **ret_message, JsonValue **ret_parameters)
{
	_cleanup_(answer_deinit) Answer answer = { 0 };

	if (!vail)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = answer_get(vail, method, parameters, false, &answer);
	if (status != STATUS_SUCCESS)
		return status;
	*ret_message = TAKE_POINTER(answer.message);
	*ret_parameters = answer.parameters;
	return STATUS_SUCCESS;
}

static void free_message(JsonValue **message)
{
	json_free(*message);
}

NTSTATUS vail_call(struct vail *vail, const char *method, const char *parameters,
		   char **ret_parameters)
{
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply;
	NTSTATUS status = vail_call_value(vail, method, parameters, &message, &reply);

	if (status != STATUS_SUCCESS || !ret_parameters)
		return status;
	char *text = reply ? json_format(reply, false) : strdup("{}");
	if (!text)
		return vail_error_no_memory(vail);
	*ret_parameters = text;
	return STATUS_SUCCESS;
}

NTSTATUS vail_call_more(struct vail *vail, const char *method, const char *parameters,
			VailReply reply, void *context)
{
	_cleanup_(answer_deinit) Answer answer = { .reply = reply, .context = context };

	if (!vail || !reply)
		return STATUS_INVALID_PARAMETER;
	return answer_get(vail, method, parameters, true, &answer);
}
