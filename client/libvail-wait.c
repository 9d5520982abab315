/* SPDX-License-Identifier: MIT */
/* Everything that waits for replies: a blocking call is one that is submitted, and then pumped
 * until its last reply has come. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libvail-internal.h"

/* How often a call that takes descriptors along is begun, when vaild has gone before it was sent.
 */
#define TRIES_MAX 5

/* What a blocking call waits for. */
typedef struct Answer {
	bool done;
	NTSTATUS status;
	JsonValue *message;
	JsonValue *parameters; /* inside the message */
	Descriptors descriptors;
	ErrorDetails error; /* kept: replies to other calls may come in the same turn */
	VailReply reply;    /* with more */
	void *context;
} Answer;

static void answer_deinit(Answer *answer)
{
	json_free(answer->message);
	descriptors_close(&answer->descriptors);
	error_details_deinit(&answer->error);
}

static bool answer_take(struct vail *vail, const Call *call, Reply *reply)
{
	Answer *answer = call->context;

	answer->done = true;
	answer->status = reply->status;
	answer->message = TAKE_POINTER(reply->message);
	answer->parameters = reply->parameters;
	answer->descriptors = descriptors_take(&reply->descriptors);
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
	if (vail->is_waiting)
		vail_error_set(vail, STATUS_IO_TIMEOUT,
			       "vaild at %s has gone, and has not come back within %d ms; start it "
			       "with: systemctl start vaild",
			       vail->path, vail->timeout);
	else
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
		struct pollfd watch = { .fd = vail_descriptor(vail), .events = vail_events(vail) };
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

/* Submits the call, waits for its answer, and makes the answer's error details and descriptors the
 * handle's. */
static NTSTATUS answer_get(struct vail *vail, const Request *request, Answer *answer)
{
	Call call = { .more = request->more,
		      .handler = request->more ? answer_take_more : answer_take,
		      .context = answer };

	if (vail->in_reply)
		return vail_error_set(vail, STATUS_INVALID_DEVICE_STATE,
				      "a reply is being handled; return from it first, or submit "
				      "the call");
	vail_begin(vail);
	NTSTATUS status = call_submit(vail, request, &call);
	if (status != STATUS_SUCCESS)
		return status;
	answer_wait(vail, answer);
	vail_begin(vail);
	vail->error = answer->error;
	answer->error = (ErrorDetails){ 0 };
	vail->descriptors = descriptors_take(&answer->descriptors);
	return answer->status;
}

/*
 * vaild lets descriptors through once it knows who is calling, which is when it has accepted the
 * connection: an answer to something else says so. Before that the kernel would refuse them.
 */
static NTSTATUS become_known(struct vail *vail)
{
	_cleanup_(answer_deinit) Answer answer = { 0 };
	Request request = { .method = "org.varlink.service.GetInfo" };

	if (vail->is_known && vail->descriptor >= 0 && vail->owner == getpid() &&
	    !connection_is_stale(vail))
		return STATUS_SUCCESS;
	return answer_get(vail, &request, &answer);
}

/* Of descriptors libvail keeps no copies to ask again with; but they are the caller's still. */
static NTSTATUS answer_get_with_descriptors(struct vail *vail, const Request *request,
					    Answer *answer)
{
	Request known = *request;
	NTSTATUS status;
	int tries = 0;

	known.to_known = true;
	do {
		answer_deinit(answer);
		*answer = (Answer){ 0 };
		status = become_known(vail);
		if (status != STATUS_SUCCESS)
			return status;
		status = answer_get(vail, &known, answer);
	} while (status == STATUS_CONNECTION_REFUSED && vail->resumes && ++tries < TRIES_MAX);
	return status;
}

NTSTATUS vail_call_value(struct vail *vail, const Request *request, JsonValue **ret_message,
			 JsonValue **ret_parameters)
{
	_cleanup_(answer_deinit) Answer answer = { 0 };

	if (!vail)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = request->descriptor_count > 0
				  ? answer_get_with_descriptors(vail, request, &answer)
				  : answer_get(vail, request, &answer);
	if (status != STATUS_SUCCESS)
		return status;
	*ret_message = TAKE_POINTER(answer.message);
	*ret_parameters = answer.parameters;
	return STATUS_SUCCESS;
}

NTSTATUS vail_call_with_descriptors(struct vail *vail, const char *method, const char *parameters,
				    const int *descriptors, size_t descriptor_count,
				    char **ret_parameters)
{
	_cleanup_(free_message) JsonValue *message = NULL;
	Request request = { .method = method,
			    .parameters = parameters,
			    .descriptors = descriptors,
			    .descriptor_count = descriptor_count };
	JsonValue *reply;

	if (!descriptors && descriptor_count > 0)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = vail_call_value(vail, &request, &message, &reply);
	if (status != STATUS_SUCCESS || !ret_parameters)
		return status;
	char *text = reply ? json_format(reply, false) : strdup("{}");
	if (!text)
		return vail_error_no_memory(vail);
	*ret_parameters = text;
	return STATUS_SUCCESS;
}

NTSTATUS vail_call(struct vail *vail, const char *method, const char *parameters,
		   char **ret_parameters)
{
	return vail_call_with_descriptors(vail, method, parameters, NULL, 0, ret_parameters);
}

NTSTATUS vail_call_more(struct vail *vail, const char *method, const char *parameters,
			VailReply reply, void *context)
{
	_cleanup_(answer_deinit) Answer answer = { .reply = reply, .context = context };
	Request request = { .method = method, .parameters = parameters, .more = true };

	if (!vail || !reply)
		return STATUS_INVALID_PARAMETER;
	return answer_get(vail, &request, &answer);
}
