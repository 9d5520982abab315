/* SPDX-License-Identifier: MIT */
#include "daemon/api/session-answer.h"

#include <string.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/reply.h"
#include "daemon/api/session-call.h"
#include "proto/macros.h"

static NTSTATUS check_fds(const Method *method, const InputMetadata *metadata, size_t fd_count,
			  Failure *failure)
{
	bool takes_them = method->flags & METHOD_TAKES_FDS;

	if (takes_them && metadata->too_many)
		return failure_parameter(failure, "parameters",
					 "came with more file descriptors than one message can "
					 "carry; send fewer");
	if (takes_them && metadata->lost)
		return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "exhausted",
				   "the daemon has no room left for the file descriptors of this "
				   "message; try again later");
	if (takes_them && !metadata->had_fds)
		return STATUS_SUCCESS;
	if (metadata->lost || metadata->too_many || metadata->had_fds || fd_count > 0)
		return failure_parameter(failure, "parameters",
					 "came with file descriptors, but this method takes none; "
					 "send none");
	return STATUS_SUCCESS;
}

/* Checks that the peer itself sent the message, and that the method takes its fds. */
static NTSTATUS check_metadata(Session *session, const Method *method,
			       const InputMetadata *metadata, size_t fd_count, Failure *failure)
{
	const Host *host = session->service->host;
	ProcessKey process = session->caller->process;

	if (metadata->foreign && session->caller->pid == 0)
		return failure_set(failure, STATUS_ACCESS_DENIED, "foreign",
				   "the calling process is outside the daemon's pid namespace, so "
				   "it cannot be identified; call from inside the namespace");
	if (metadata->foreign && !host->process_is_alive(host->self, process))
		return failure_set(
			failure, STATUS_PROCESS_IS_TERMINATING, "gone",
			"the process that made this connection has ended; connect again");
	if (metadata->foreign)
		return failure_set(failure, STATUS_ACCESS_DENIED, "foreign",
				   "another process than the one that made this connection sent "
				   "this message; make your own connection");
	if (metadata->closing_too_many)
		return failure_closes_under_way(failure);
	return check_fds(method, metadata, fd_count, failure);
}

/* Replies that the method's interface, the name up to its last dot, does not exist. */
static void refuse_interface(Writer *writer, const char *name, char terminator)
{
	_cleanup_free_ char *interface = strdup(name);

	if (interface)
		*strrchr(interface, '.') = '\0';
	reply_varlink_error(writer, "InterfaceNotFound",
			    "\"interface\":", interface ? interface : name, terminator);
}

/* Finds the method. Replies with an error and returns NULL if no method has the name. */
static const Method *find_method(const char *name, char terminator, Buffer *out)
{
	Writer writer = WRITER_INIT(out);
	size_t begin = buffer_size(out);
	const Method *method = NULL;

	switch (method_find(name, &method)) {
	case METHOD_FOUND:
		return method;
	case METHOD_UNKNOWN:
		reply_varlink_error(&writer, "MethodNotFound", "\"method\":", name, terminator);
		break;
	case METHOD_INTERFACE_UNKNOWN:
		refuse_interface(&writer, name, terminator);
		break;
	}
	if (writer.failed)
		buffer_truncate(out, begin);
	return NULL;
}

static void expect_more(char terminator, Buffer *out)
{
	Writer writer = WRITER_INIT(out);

	reply_varlink_error(&writer, "ExpectedMore", NULL, NULL, terminator);
}

/* Not every interface declares the error of an upgrade, so io.vaild has it. */
static const char *refusing_interface(const Method *method, NTSTATUS status)
{
	return status == STATUS_NOT_SUPPORTED ? INTERFACE_VAILD : method->interface;
}

bool session_answer(Session *session, Envelope *envelope, Buffer *out)
{
	const SessionMessage *message = &session->reading->message;
	Call call = { .terminator = message->terminator, .fd_count = message->fd_count };
	Failure failure = FAILURE_INIT;

	if (envelope_check(envelope, &failure) != STATUS_SUCCESS) {
		reply_failure_append(out, INTERFACE_VAILD, &failure, call.terminator);
		return true;
	}
	call.method = find_method(envelope->method, call.terminator, out);
	if (!call.method)
		return true;
	NTSTATUS status = check_metadata(session, call.method, &message->metadata,
					 message->fd_count, &failure);
	if (status != STATUS_SUCCESS)
		dispatch_audit_refusal(session->service, session->caller, call.method, &failure);
	else
		status = envelope_read(envelope, &call, &failure);
	if (status == STATUS_SUCCESS && call.method->flags & METHOD_STREAMS && !call.more)
		expect_more(call.terminator, out);
	else if (status == STATUS_SUCCESS)
		return session_call(session, &call, out);
	else
		reply_failure_append(out, refusing_interface(call.method, status), &failure,
				     call.terminator);
	return true;
}
