/* SPDX-License-Identifier: MIT */
/* Blocking calls: submits a call and pumps the handle until its last reply has arrived. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "client/libvail/clock.h"
#include "client/libvail/internal.h"

/* The number of attempts at a call with fds if the connection is lost before it was sent. */
#define TRIES_MAX 5

/* The last reply of a blocking call. */
typedef struct Answer {
	bool done;
	NTSTATUS status;
	JsonValue *message;
	JsonValue *parameters; /* borrowed from message */
	FdList fds;
	ErrorDetails error; /* saved, because replies to other calls may overwrite the handle's */
	VailReply reply;    /* the user's callback for a call that streams */
	void *context;
} Answer;

static void answer_deinit(Answer *answer)
{
	json_free(answer->message);
	fd_list_close(&answer->fds);
	error_details_deinit(&answer->error);
}

static bool answer_take(struct vail *vail, const PendingCall *call, Reply *reply)
{
	Answer *answer = call->context;

	answer->done = true;
	answer->status = reply->status;
	answer->message = TAKE_POINTER(reply->message);
	answer->parameters = reply->parameters;
	answer->fds = fd_list_take(&reply->fds);
	answer->error = vail->error;
	vail->error = (ErrorDetails){ 0 };
	return true;
}

static bool answer_take_stream(struct vail *vail, const PendingCall *call, Reply *reply)
{
	Answer *answer = call->context;
	PendingCall user_call = { .reply = answer->reply, .context = answer->context };
	bool go_on = reply_to_caller(vail, &user_call, reply);

	if (reply->continues && go_on)
		return true;
	if (reply->continues)
		*answer = (Answer){ .done = true, .status = STATUS_SUCCESS };
	else
		answer_take(vail, call, reply);
	return go_on;
}

static void fail_timed_out(struct vail *vail)
{
	if (vail->is_reconnecting)
		error_set(vail, STATUS_IO_TIMEOUT,
			  "vaild at %s has stopped and did not come back within %d "
			  "ms; start it with: systemctl start vaild, or by hand with: "
			  "vaild",
			  vail->path, vail->timeout);
	else
		error_set(vail, STATUS_IO_TIMEOUT,
			  "vaild at %s did not answer within %d ms; see its log with: "
			  "journalctl -u vaild, or on the stderr of a vaild started by hand",
			  vail->path, vail->timeout);
	calls_fail_all(vail, STATUS_IO_TIMEOUT);
}

/* Returns the milliseconds until the deadline, for poll(); -1 if there is no timeout. */
static int time_left(const struct vail *vail, int64_t deadline)
{
	int64_t left = deadline - monotonic_milliseconds();

	if (vail->timeout < 0)
		return -1;
	return left > 0 ? (int)left : 0;
}

/* A wait for the next reply, and what of it was reported. */
typedef struct Wait {
	int64_t since;
	uint64_t replies; /* received before it */
	WaitReason reported;
} Wait;

static Wait wait_begin(const struct vail *vail)
{
	return (Wait){ .since = monotonic_milliseconds(), .replies = vail->reply_count };
}

static WaitReason wait_reason(const struct vail *vail)
{
	return vail->is_reconnecting ? WAIT_RETURN : WAIT_REPLY;
}

/* Tests whether the wait may be reported, now or later. */
static bool wait_has_report(const struct vail *vail, const Wait *wait)
{
	return vail->waiting && wait->reported != wait_reason(vail);
}

/* Returns the milliseconds until the timeout or the report, for poll(). */
static int wait_time(const struct vail *vail, const Wait *wait)
{
	int left = time_left(vail, wait->since + vail->timeout);
	int64_t report = wait->since + vail->waiting_delay - monotonic_milliseconds();

	if (!wait_has_report(vail, wait) || (left >= 0 && report >= left))
		return left;
	return report > 0 ? (int)report : 0;
}

/* Reports the wait if it has taken long enough, or fails all calls if it has taken too long. */
static void wait_expire(struct vail *vail, Wait *wait)
{
	bool is_long = monotonic_milliseconds() - wait->since >= vail->waiting_delay;

	if (is_long && wait_has_report(vail, wait)) {
		wait->reported = wait_reason(vail);
		waiting_report(vail, wait->reported);
	} else if (time_left(vail, wait->since + vail->timeout) == 0) {
		fail_timed_out(vail);
	}
}

/* Waits for the answer. It also arrives if the connection is lost. */
static void answer_wait(struct vail *vail, const Answer *answer)
{
	Wait wait = wait_begin(vail);

	while (!answer->done) {
		struct pollfd watch = { .fd = vail_descriptor(vail), .events = vail_events(vail) };
		int ready = poll(&watch, 1, wait_time(vail, &wait));

		if (ready > 0) {
			handle_pump(vail);
		} else if (ready == 0) {
			wait_expire(vail, &wait);
		} else if (errno != EINTR) {
			error_set_no_memory(vail);
			calls_fail_all(vail, STATUS_NO_MEMORY);
		}
		if (vail->reply_count != wait.replies) {
			wait = wait_begin(vail);
			wait.reported = WAIT_REPLY; /* a stream may be silent once it has begun */
		}
	}
}

/*
 * Submits the call and waits for the answer. Moves the answer's error details and fds into the
 * handle. Returns the answer's status.
 */
static NTSTATUS answer_get(struct vail *vail, const CallRequest *request, Answer *answer)
{
	PendingCall call = { .more = request->more,
			     .handler = request->more ? answer_take_stream : answer_take,
			     .context = answer };

	if (vail->in_callback)
		return error_set(vail, STATUS_INVALID_DEVICE_STATE,
				 "a blocking call cannot be made from a callback; return "
				 "from the callback first, or submit the call");
	handle_begin_call(vail);
	NTSTATUS status = call_submit(vail, request, &call);
	if (status != STATUS_SUCCESS)
		return status;
	answer_wait(vail, answer);
	handle_begin_call(vail);
	vail->error = answer->error;
	answer->error = (ErrorDetails){ 0 };
	vail->reply_fds = fd_list_take(&answer->fds);
	return answer->status;
}

/*
 * Ensures that vaild has replied on this connection, which proves that it has accepted it. Until
 * then the kernel refuses fds, because vaild has not identified the caller yet.
 */
static NTSTATUS ensure_answered_connection(struct vail *vail)
{
	_cleanup_(answer_deinit) Answer answer = { 0 };
	CallRequest request = { .method = "org.varlink.service.GetInfo" };

	if (vail->has_answered && vail->fd >= 0 && vail->owner_pid == getpid() &&
	    !connection_is_stale(vail))
		return STATUS_SUCCESS;
	return answer_get(vail, &request, &answer);
}

/* Retries a call with fds here, because a pending call keeps no fds for resending. */
static NTSTATUS answer_get_with_fds(struct vail *vail, const CallRequest *request, Answer *answer)
{
	CallRequest checked = *request;
	NTSTATUS status;
	int tries = 0;

	checked.needs_answered_connection = true;
	do {
		answer_deinit(answer);
		*answer = (Answer){ 0 };
		status = ensure_answered_connection(vail);
		if (status != STATUS_SUCCESS)
			return status;
		status = answer_get(vail, &checked, answer);
	} while (status == STATUS_CONNECTION_REFUSED && vail->resumes && ++tries < TRIES_MAX);
	return status;
}

NTSTATUS call_blocking(struct vail *vail, const CallRequest *request, JsonValue **ret_message,
		       JsonValue **ret_parameters)
{
	_cleanup_(answer_deinit) Answer answer = { 0 };

	if (!vail)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = request->fd_count > 0 ? answer_get_with_fds(vail, request, &answer)
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
	use_or_refuse(vail);
	_cleanup_(free_message) JsonValue *message = NULL;
	CallRequest request = { .method = method,
				.parameters = parameters,
				.fds = descriptors,
				.fd_count = descriptor_count };
	JsonValue *reply;

	if (!descriptors && descriptor_count > 0)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = call_blocking(vail, &request, &message, &reply);
	if (status != STATUS_SUCCESS || !ret_parameters)
		return status;
	char *text = reply ? json_format(reply, false) : strdup("{}");
	if (!text)
		return error_set_no_memory(vail);
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
	use_or_refuse(vail);
	_cleanup_(answer_deinit) Answer answer = { .reply = reply, .context = context };
	CallRequest request = { .method = method, .parameters = parameters, .more = true };

	if (!vail || !reply)
		return STATUS_INVALID_PARAMETER;
	return answer_get(vail, &request, &answer);
}
