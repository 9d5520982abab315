/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_SESSION_H
#define DAEMON_API_SESSION_H

#include "daemon/api/stream.h"
#include "proto/framing.h"

/*
 * A connection without its socket: turns input bytes into output bytes. These functions do all the
 * work from the first byte of a request to the last byte of its reply. They use only memory and the
 * service's host, so that the fuzzer can drive them.
 *
 * The input holds at most one turn's bytes, after the beginning of an unfinished message. The
 * connection reads more only when all complete messages have been answered. That bounds memory, and
 * one flag per turn is enough to remember whether its bytes came from the peer itself.
 */

/* Metadata of the bytes that one turn received. */
typedef struct InputMetadata {
	bool foreign;          /* another process than the peer sent some of them */
	bool lost;             /* fds were lost, because fds or memory ran out */
	bool too_many;         /* more fds than one message can have; the rest was closed */
	bool closing_too_many; /* the uid has too many pending closes of fds */
	unsigned int fds;      /* unexpected fds, already closed */
} InputMetadata;

typedef struct SessionFds SessionFds;

typedef enum __attribute__((packed)) SessionState {
	SESSION_READS,    /* everything is answered; append more input */
	SESSION_WATCHES,  /* a watch has no event; pump again after Service.watch_ready() */
	SESSION_PAUSED,   /* the output is full, or others get their turn; pump again later */
	SESSION_FINISHED, /* send the output, then close the connection */
	SESSION_BROKEN,   /* close the connection now, without sending the output */
} SessionState;

struct Session {
	Service *service;
	Caller *caller;
	Frame frame;
	Buffer input;
	InputMetadata metadata; /* metadata of this turn's bytes */
	InputMetadata carried;  /* metadata of the first message's bytes from earlier turns */

	SessionFds *fds; /* NULL if the session has no fds */

	Stream *stream;         /* current one, or NULL; later requests wait for its end */
	uint32_t message_count; /* complete messages so far */
	SessionState state;     /* SESSION_FINISHED is final */
	bool end_of_input;
};

/* service and caller must outlive the session. The connection appends to session->input. */
void session_init(Session *session, Service *service, Caller *caller);
void session_deinit(Session *session);

/* Call after appending a turn's bytes to session->input, with their metadata. */
void session_arrived(Session *session, const InputMetadata *metadata);

/* Call when the peer has closed its sending side. */
void session_end_of_input(Session *session);

/* Answers complete messages, appending the replies to out until it holds LIMIT_UNREAD_PAUSE. */
SessionState session_pump(Session *session, Buffer *out);

/* Tests whether the input ends in a partial message. */
bool session_has_partial_message(const Session *session);

#endif
