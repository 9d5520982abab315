/* SPDX-License-Identifier: MIT */
#include "daemon/api/session.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/reply.h"
#include "daemon/api/session-call.h"
#include "daemon/api/session-fds.h"
#include "proto/macros.h"

/* Time after which a session lets other sessions run. */
#define TURN_MICROSECONDS 2000

void session_init(Session *session, Service *service, Caller *caller)
{
	*session = (Session){ .service = service, .caller = caller, .frame = FRAME_INIT };
}

void session_deinit(Session *session)
{
	session_cancel_outgoing(session, 0);
	session_discard_fds(session, session_count_fds(session, true));
	session->stream = stream_free(session->stream);
	buffer_deinit(&session->input);
}

void session_arrived(Session *session, const InputMetadata *metadata)
{
	session->metadata = *metadata;
}

void session_end_of_input(Session *session)
{
	session->end_of_input = true;
}

bool session_has_partial_message(const Session *session)
{
	return session->frame.state != FRAME_BETWEEN;
}

static void input_metadata_add(InputMetadata *metadata, const InputMetadata *more)
{
	metadata->foreign |= more->foreign;
	metadata->lost |= more->lost;
	metadata->too_many |= more->too_many;
	metadata->closing_too_many |= more->closing_too_many;
	metadata->fds += more->fds;
}

/* Tests whether the input contains another message, or its beginning, after this one. */
static bool another_begins(const Session *session, const FrameMessage *message)
{
	const char *data = buffer_head(&session->input);

	for (size_t i = message->size; i < buffer_size(&session->input); i++)
		if (!strchr(" \t\r\n", data[i])) /* also matches NUL, which ends the string */
			return true;
	return false;
}

/*
 * Returns the metadata of the message's bytes. The turn's fds belong to the last message begun in
 * it.
 */
static InputMetadata message_metadata(Session *session, bool is_last)
{
	InputMetadata metadata = session->carried;
	InputMetadata turn = session->metadata;

	session->carried = (InputMetadata){ 0 };
	if (!is_last)
		turn.fds = 0;
	input_metadata_add(&metadata, &turn);
	return metadata;
}

/* Ends the turn, when at most the beginning of a message is left of its bytes. */
static void session_carry(Session *session)
{
	if (session_has_partial_message(session))
		input_metadata_add(&session->carried, &session->metadata);
	else
		session_discard_fds(session, session_count_fds(session, true));
	session_carry_fds(session);
	session->metadata = (InputMetadata){ 0 };
}

static void refuse(const char *interface, const Failure *failure, char terminator, Buffer *out)
{
	Writer writer = WRITER_INIT(out);

	reply_failure_instead(&writer, buffer_size(out), interface, failure, terminator);
}

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
	if (takes_them && metadata->fds == 0)
		return STATUS_SUCCESS;
	if (metadata->lost || metadata->too_many || metadata->fds > 0 || fd_count > 0)
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

/* The known members of a message. Others are ignored. */
typedef struct Envelope {
	const JsonValue *method;
	const JsonValue *parameters;
	const JsonValue *more;
	const JsonValue *oneway;
} Envelope;

static Envelope envelope_open(const JsonValue *message)
{
	Envelope envelope = { 0 };
	JsonMembers members = json_members(message);

	while (json_members_next(&members)) {
		if (strcmp(members.name, "method") == 0)
			envelope.method = members.value;
		else if (strcmp(members.name, "parameters") == 0)
			envelope.parameters = members.value;
		else if (strcmp(members.name, "more") == 0)
			envelope.more = members.value;
		else if (strcmp(members.name, "oneway") == 0)
			envelope.oneway = members.value;
	}
	return envelope;
}

/* Reads a flag of the envelope, which is false if absent. */
static NTSTATUS read_flag(const JsonValue *value, const char *name, bool *ret, Failure *failure)
{
	*ret = false;
	if (value && !json_read_boolean(value, ret))
		return failure_parameter(failure, name, "is neither true nor false");
	return STATUS_SUCCESS;
}

static NTSTATUS read_envelope(const Envelope *envelope, Call *call, Failure *failure)
{
	bool oneway;
	NTSTATUS status = read_flag(envelope->oneway, "oneway", &oneway, failure);

	if (status == STATUS_SUCCESS)
		status = read_flag(envelope->more, "more", &call->more, failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (call->more && oneway)
		return failure_parameter(failure, "more",
					 "and oneway exclude each other; send one of them");
	call->parameters = envelope->parameters;
	if (call->parameters && json_type_of(call->parameters) != JSON_OBJECT)
		return failure_parameter(failure, "parameters", "is not an object");
	return STATUS_SUCCESS;
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
static const Method *find_method(const Envelope *envelope, char terminator, Buffer *out)
{
	Writer writer = WRITER_INIT(out);
	size_t begin = buffer_size(out);
	const char *name = json_string(envelope->method);
	const Method *method = NULL;
	Failure failure;

	if (!name) {
		failure_parameter(&failure, "method",
				  "is missing; send one JSON object with a string \"method\"");
		refuse(INTERFACE_VAILD, &failure, terminator, out);
		return NULL;
	}
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

static void session_answer(Session *session, const Envelope *envelope,
			   const InputMetadata *metadata, size_t fd_count, char terminator,
			   Buffer *out)
{
	Call call = { .terminator = terminator, .fd_count = fd_count };
	Failure failure = FAILURE_INIT;

	call.method = find_method(envelope, terminator, out);
	if (!call.method)
		return;
	NTSTATUS status = check_metadata(session, call.method, metadata, fd_count, &failure);
	if (status != STATUS_SUCCESS)
		dispatch_audit_refusal(session->service, session->caller, call.method, &failure);
	else
		status = read_envelope(envelope, &call, &failure);
	if (status == STATUS_SUCCESS && call.method->flags & METHOD_STREAMS && !call.more)
		expect_more(terminator, out);
	else if (status == STATUS_SUCCESS)
		session_call(session, &call, out);
	else
		refuse(call.method->interface, &failure, terminator, out);
}

/* Tests whether to suppress the reply. A message with both oneway and more gets an error reply. */
static bool wants_no_answer(const Envelope *envelope)
{
	bool oneway = false, more = false;

	json_read_boolean(envelope->oneway, &oneway);
	json_read_boolean(envelope->more, &more);
	return oneway && !more;
}

static void refuse_malformed(const char *error, char terminator, Buffer *out)
{
	Failure failure;

	failure_set(&failure, STATUS_INVALID_PARAMETER, "malformed", "%s", error);
	refuse(INTERFACE_VAILD, &failure, terminator, out);
}

/*
 * Handles one message and returns the session's state. If a reply is due but memory for it is
 * missing, breaks the session, because the caller would take the next reply for this one's.
 */
static SessionState session_handle(Session *session, const FrameMessage *message, Buffer *out)
{
	const char *error;
	size_t begin = buffer_size(out);
	bool is_last =
		(session->metadata.fds == 0 && !session->fds) || !another_begins(session, message);
	size_t fd_count = session_count_fds(session, is_last);
	InputMetadata metadata = message_metadata(session, is_last);
	JsonValue *value =
		json_parse(session->service->parser, message->text, message->length, &error);

	if (error) {
		refuse_malformed("the message is not JSON; send one JSON object, then LF or NUL",
				 message->terminator, out);
		session_discard_fds(session, fd_count);
		return SESSION_FINISHED;
	}
	Envelope envelope = envelope_open(value);
	session_answer(session, &envelope, &metadata, fd_count, message->terminator, out);
	bool is_answered = buffer_size(out) > begin || session->stream;
	if (wants_no_answer(&envelope)) {
		session_cancel_outgoing(session, begin);
		buffer_truncate(out, begin);
		is_answered = true;
	}
	session_discard_fds(session, fd_count);
	json_free(value);
	return is_answered ? SESSION_READS : SESSION_BROKEN;
}

/*
 * Handles the next message. Returns false, with the session's state, if there is no message or if
 * it was the last one.
 */
static bool session_step(Session *session, Buffer *out, SessionState *ret_state)
{
	FrameMessage message;
	const char *error;

	switch (frame_next(&session->frame, &session->input, session->end_of_input, &message,
			   &error)) {
	case FRAME_INCOMPLETE:
		session_carry(session);
		*ret_state = session->end_of_input ? SESSION_FINISHED : SESSION_READS;
		return false;
	case FRAME_MALFORMED:
		refuse_malformed(error, '\n', out);
		*ret_state = SESSION_FINISHED;
		return false;
	case FRAME_MESSAGE:
		break;
	}
	session->message_count++;
	SessionState state = buffer_reserve(out, REPLY_ROOM)
				     ? session_handle(session, &message, out)
				     : SESSION_BROKEN;
	buffer_consume(&session->input, message.size);
	if (state != SESSION_READS)
		*ret_state = state;
	return state == SESSION_READS;
}

/* Tests whether the session has used up its share of the turn. A single request is not timed. */
static bool turn_is_over(Session *session, unsigned int steps, uint64_t *begin)
{
	const Host *host = session->service->host;

	if (steps == 2)
		*begin = host->now(host->self);
	return steps > 2 && host->now(host->self) - *begin >= TURN_MICROSECONDS;
}

/* Continues the stream. Returns false, with the session's state, if it cannot continue now. */
static bool session_stream(Session *session, Buffer *out, SessionState *ret_state)
{
	switch (stream_next(session->stream, out)) {
	case STREAM_CONTINUES:
		return true;
	case STREAM_WAITS:
		*ret_state = SESSION_WATCHES;
		return false;
	case STREAM_ENDS:
		session->stream = stream_free(session->stream);
		return true;
	case STREAM_BREAKS:
		break;
	}
	*ret_state = SESSION_BROKEN;
	return false;
}

SessionState session_pump(Session *session, Buffer *out)
{
	uint64_t begin = 0;
	unsigned int steps = 0;
	bool goes_on = session->state != SESSION_FINISHED;

	if (stream_is_dropped(session->stream)) {
		session->state = SESSION_BROKEN;
		return session->state;
	}
	while (goes_on) {
		session->state = SESSION_PAUSED;
		if (buffer_size(out) >= LIMIT_UNREAD_PAUSE ||
		    turn_is_over(session, ++steps, &begin))
			break;
		goes_on = session->stream ? session_stream(session, out, &session->state)
					  : session_step(session, out, &session->state);
	}
	return session->state;
}
