/* SPDX-License-Identifier: MIT */
#include "daemon/api/session.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/api/envelope.h"
#include "daemon/api/reply.h"
#include "daemon/api/session-answer.h"
#include "daemon/api/session-call.h"
#include "daemon/api/session-fds.h"
#include "proto/macros.h"

void session_init(Session *session, Service *service, Caller *caller)
{
	*session = (Session){ .service = service, .caller = caller };
}

void session_deinit(Session *session)
{
	session_cancel_outgoing(session, 0);
	session_discard_fds(session, session_count_fds(session, true));
	session->stream = stream_free(session->stream);
	buffer_deinit(&session->input);
	free(session->reading);
	session->reading = NULL;
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
	return session->reading && frame_is_partial(&session->reading->frame);
}

bool session_awaits_nul(const Session *session)
{
	const SessionReading *reading = session->reading;
	bool may_follow = reading ? reading->frame.nul_may_follow && !reading->message.is_complete
				  : session->nul_may_follow;

	return session->stream && may_follow && !session->end_of_input;
}

void session_note_nul(Session *session)
{
	session->uses_nul = true;
	if (session->reading)
		session->reading->frame.uses_nul = true;
}

/* Returns the terminator of an error that no message has asked for. */
static char session_terminator(const Session *session)
{
	if (session->reading)
		return frame_terminator(&session->reading->frame);
	return session->uses_nul ? '\0' : '\n';
}

static void input_metadata_add(InputMetadata *metadata, const InputMetadata *more)
{
	metadata->foreign |= more->foreign;
	metadata->lost |= more->lost;
	metadata->too_many |= more->too_many;
	metadata->closing_too_many |= more->closing_too_many;
	metadata->had_fds |= more->had_fds;
}

/* Tests whether the input contains another message, or its beginning, after size bytes. */
static bool another_begins(const Session *session, size_t size)
{
	const char *data = buffer_head(&session->input);

	for (size_t i = size; i < buffer_size(&session->input); i++)
		if (!strchr(" \t\r\n", data[i])) /* also matches NUL, which ends the string */
			return true;
	return false;
}

/*
 * Returns the metadata of the message's bytes. Received fds belong to the last message begun in the
 * same receive.
 */
static InputMetadata message_metadata(Session *session, bool is_last)
{
	InputMetadata metadata = session->carried;
	InputMetadata last = session->metadata;

	session->carried = (InputMetadata){ 0 };
	if (!is_last)
		last.had_fds = false;
	input_metadata_add(&metadata, &last);
	return metadata;
}

/* Prepares for the next receive, when at most the beginning of a message is left. */
static void session_carry(Session *session)
{
	if (session_has_partial_message(session))
		input_metadata_add(&session->carried, &session->metadata);
	else
		session_discard_fds(session, session_count_fds(session, true));
	session_carry_fds(session);
	session->metadata = (InputMetadata){ 0 };
}

void session_write_last(const Session *session, const Failure *failure, Buffer *out)
{
	reply_failure_append(out, INTERFACE_VAILD, failure, session_terminator(session));
}

static void session_write_malformed(const Session *session, const char *error, Buffer *out)
{
	Failure failure;

	failure_set(&failure, STATUS_INVALID_PARAMETER, "malformed", "%s", error);
	session_write_last(session, &failure, out);
}

void session_write_timeout(const Session *session, Buffer *out)
{
	const char *error = session->reading ? session->reading->frame.error : NULL;
	Failure failure;

	if (error) {
		session_write_malformed(session, error, out);
		return;
	}
	failure_set(&failure, STATUS_INVALID_PARAMETER, "malformed",
		    "the message did not end within %d seconds; send all of it at once, and end it "
		    "with LF or NUL",
		    LIMIT_PARTIAL_MESSAGE_SECONDS);
	session_write_last(session, &failure, out);
}

/*
 * Handles the complete message and returns the session's state. If a reply is due but memory for it
 * is missing, breaks the session, because the caller would take the next reply for this one's.
 */
static SessionState session_handle(Session *session, Buffer *out)
{
	JsonText text = {
		.start = buffer_head(&session->input),
		.length = session->reading->message.length,
	};
	size_t begin = buffer_size(out);
	Envelope envelope = envelope_open(session->service->parser, text);
	bool is_handled = session_answer(session, &envelope, out);
	bool is_answered = buffer_size(out) > begin || session->stream;
	session->is_silent = envelope_wants_no_answer(&envelope);
	if (session->is_silent) {
		session_cancel_outgoing(session, begin);
		buffer_truncate(out, begin);
		is_answered = true;
	}
	envelope_close(&envelope);
	if (!is_handled)
		return session->is_repeated ? SESSION_PAUSED : SESSION_WAITS;
	return is_answered ? SESSION_READS : SESSION_BROKEN;
}

/* Notes the message that was found, with the fds and the metadata that belong to it. */
static void session_found(Session *session, const FrameMessage *found)
{
	bool is_last = (!session->metadata.had_fds && !session->fds) ||
		       !another_begins(session, found->size);

	session->message_count++;
	session->reading->message = (SessionMessage){
		.is_complete = true,
		.terminator = found->terminator,
		.length = found->length,
		.size = found->size,
		.fd_count = session_count_fds(session, is_last),
		.metadata = message_metadata(session, is_last),
	};
}

/*
 * Ends the last reply in NUL as well, because its request ended in LF NUL, of which the NUL has
 * arrived later. Returns false if out of memory.
 */
static bool session_add_nul(Session *session, Buffer *out)
{
	if (session->stream)
		session->stream->terminator = '\0';
	return session->is_silent || buffer_append(out, "", 1);
}

/*
 * Refuses malformed input once, and then waits for the end of its message, because closing before
 * that can keep the sender from reading the error. Returns the session's state.
 */
static SessionState session_refuse(Session *session, const char *error, Buffer *out)
{
	char terminator = session_terminator(session);

	if (!session->is_refused)
		session_write_malformed(session, error, out);
	else if (terminator != session->error_terminator && !buffer_append(out, "", 1))
		return SESSION_BROKEN;
	session->is_refused = true;
	session->error_terminator = terminator;
	return session_has_partial_message(session) ? SESSION_READS : SESSION_FINISHED;
}

/*
 * Finds the next message, unless it was found already. If the input has no complete one, returns
 * false and sets the session's state.
 */
static bool session_find(Session *session, Buffer *out, SessionState *ret_state)
{
	FrameMessage found;
	const char *error;

	if (session->reading->message.is_complete)
		return true;
	switch (frame_next(&session->reading->frame, &session->input, session->end_of_input, &found,
			   &error)) {
	case FRAME_INCOMPLETE:
		session_carry(session);
		*ret_state = session->end_of_input ? SESSION_FINISHED : SESSION_READS;
		return false;
	case FRAME_LATE_NUL:
		*ret_state = SESSION_BROKEN;
		return session_add_nul(session, out) && session_find(session, out, ret_state);
	case FRAME_MALFORMED:
		*ret_state = session_refuse(session, error, out);
		return false;
	case FRAME_MESSAGE:
		break;
	}
	session_found(session, &found);
	return true;
}

/* Forgets the message, which has been answered. */
static void session_consume(Session *session)
{
	session_discard_fds(session, session->reading->message.fd_count);
	buffer_consume(&session->input, session->reading->message.size);
	session->reading->message = (SessionMessage){ 0 };
}

/*
 * Handles the next message. Returns false, with the session's state, if there is no message, if it
 * has to wait, or if it was the last one.
 */
static bool session_step(Session *session, Buffer *out, SessionState *ret_state)
{
	if (!session_find(session, out, ret_state))
		return false;
	SessionState state =
		buffer_reserve(out, REPLY_ROOM) ? session_handle(session, out) : SESSION_BROKEN;
	if (state != SESSION_WAITS && state != SESSION_PAUSED)
		session_consume(session);
	if (state != SESSION_READS)
		*ret_state = state;
	return state == SESSION_READS;
}

static bool turn_has_ended(const Session *session)
{
	const Service *service = session->service;

	return service->turn_ends != 0 &&
	       service->host->now(service->host->self) >= service->turn_ends;
}

/*
 * Finds the message behind a watch, so that a partial one has its timeout. Errors in it are
 * reported when the watch has ended. Returns false if out of memory.
 */
static bool session_look_behind_watch(Session *session, Buffer *out)
{
	FrameMessage found;
	const char *error;

	if (session->reading->message.is_complete)
		return true;
	switch (frame_next(&session->reading->frame, &session->input, session->end_of_input, &found,
			   &error)) {
	case FRAME_MESSAGE:
		session_found(session, &found);
		return true;
	case FRAME_LATE_NUL:
		return session_add_nul(session, out) && session_look_behind_watch(session, out);
	default:
		return true;
	}
}

/* Continues the stream. Returns false, with the session's state, if it cannot continue now. */
static bool session_stream(Session *session, Buffer *out, SessionState *ret_state)
{
	switch (stream_next(session->stream, out)) {
	case STREAM_CONTINUES:
		return true;
	case STREAM_WAITS:
		*ret_state =
			session_look_behind_watch(session, out) ? SESSION_WATCHES : SESSION_BROKEN;
		return false;
	case STREAM_SEARCHES:
		*ret_state = SESSION_WAITS;
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

static bool reading_is_idle(const SessionReading *reading)
{
	return !frame_is_partial(&reading->frame) && !reading->message.is_complete &&
	       !reading->frame.error;
}

/* Answers messages until the turn ends, or nothing can be answered now. */
static void session_advance(Session *session, Buffer *out)
{
	bool goes_on = session->state != SESSION_FINISHED;

	while (goes_on) {
		session->state = SESSION_PAUSED;
		if (buffer_size(out) >= LIMIT_UNREAD_PAUSE)
			break;
		goes_on = session->stream ? session_stream(session, out, &session->state)
					  : session_step(session, out, &session->state);
		if (goes_on && turn_has_ended(session)) {
			session->state = SESSION_PAUSED;
			break;
		}
	}
}

/* Keeps the reading for the next turn unless it is idle. Returns false if out of memory. */
static bool session_keep_reading(Session *session, SessionReading *kept)
{
	const SessionReading *reading = session->reading;

	session->uses_nul = reading->frame.uses_nul;
	session->nul_may_follow = reading->frame.nul_may_follow;
	if (reading_is_idle(reading)) {
		free(kept);
		session->reading = NULL;
		return true;
	}
	if (!kept) {
		kept = malloc(sizeof(*kept));
		if (kept)
			*kept = *reading;
	}
	session->reading = kept;
	return kept != NULL;
}

SessionState session_pump(Session *session, Buffer *out)
{
	SessionReading *kept = session->reading;
	SessionReading in_turn = {
		.frame = {
			.uses_nul = session->uses_nul,
			.nul_may_follow = session->nul_may_follow,
		},
	};

	if (stream_is_dropped(session->stream)) {
		session->state = SESSION_BROKEN;
		return session->state;
	}
	/* Most turns leave nothing, so that they need no memory of the heap. */
	if (!kept)
		session->reading = &in_turn;
	session_advance(session, out);
	if (!session_keep_reading(session, kept))
		session->state = SESSION_BROKEN;
	return session->state;
}
