/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_SESSION_H
#define DAEMON_API_SESSION_H

#include "daemon/api/stream.h"
#include "daemon/core/failure.h"
#include "proto/framing.h"

/*
 * A connection without its socket: turns input bytes into output bytes. These functions do all the
 * work from the first byte of a request to the last byte of its reply. They use only memory and the
 * service's host, so that the fuzzer can drive them.
 *
 * The input holds the bytes of one receive, after the beginning of an unfinished message. The
 * connection reads more only when all complete messages have been answered. That bounds memory, and
 * one flag per receive is enough to remember whether its bytes came from the peer itself.
 */

/* Metadata of the bytes of one receive. */
typedef struct InputMetadata {
	bool foreign;          /* another process than the peer sent some of them */
	bool lost;             /* fds were lost, because fds or memory ran out */
	bool too_many;         /* more fds than one message can have; the rest was closed */
	bool closing_too_many; /* the uid has too many pending closes of fds */
	bool had_fds;          /* unexpected fds, already closed */
} InputMetadata;

typedef struct SessionFds SessionFds;

typedef enum __attribute__((packed)) SessionState {
	SESSION_READS,   /* everything is answered; append more input */
	SESSION_WATCHES, /* a watch has no event; pump again after Service.watch_ready() */
	SESSION_WAITS,   /* the host is busy with a request or list; pump again when it has finished
			  */
	SESSION_PAUSED,  /* the output is full, or others get their turn; pump again later */
	SESSION_FINISHED, /* send the output, then close the connection */
	SESSION_BROKEN,   /* close the connection now, without sending the output */
} SessionState;

/* The first message in the input, once it is complete. */
typedef struct SessionMessage {
	bool is_complete;
	char terminator;
	size_t length; /* of its JSON value */
	size_t size;   /* of all its bytes */
	size_t fd_count;
	InputMetadata metadata;
	uint64_t awaited_ends; /* see request_await_ends() */
	uint64_t awaited_look; /* see request_await_look() */
} SessionMessage;

/* The state of a session that an idle one does not have. */
typedef struct SessionReading {
	Frame frame;
	SessionMessage message; /* not answered yet */
} SessionReading;

struct Session {
	Service *service;
	Caller *caller;
	SessionReading
		*reading; /* between turns NULL, unless a message is there in part or waits */
	Buffer input;
	SessionFds *fds; /* NULL if the session has no fds */

	Stream *stream;         /* current one, or NULL; later requests wait for its end */
	InputMetadata metadata; /* metadata of the bytes received last */
	InputMetadata carried;  /* metadata of the first message's earlier bytes */
	uint32_t message_count; /* complete messages so far */
	bool is_silent;         /* the last message wanted no reply */
	bool is_repeated;       /* the message is handled again in the next turn */
	char error_terminator;  /* of the error about malformed input */
	bool is_refused;        /* that error was written; the rest of its message is discarded */
	bool uses_nul;          /* as in Frame */
	bool nul_may_follow;    /* as in Frame; valid while reading is NULL */
	SessionState state;     /* SESSION_FINISHED is final */
	bool end_of_input;
};

/* service and caller must outlive the session. The connection appends to session->input. */
void session_init(Session *session, Service *service, Caller *caller);
void session_deinit(Session *session);

/* Call after appending received bytes to session->input, with their metadata. */
void session_arrived(Session *session, const InputMetadata *metadata);

/* Call when the peer has closed its sending side. */
void session_end_of_input(Session *session);

/*
 * Answers complete messages, appending the replies to out until it holds LIMIT_UNREAD_PAUSE. Makes
 * at least one step, and pauses after the first one that ends at or after service->turn_ends.
 */
SessionState session_pump(Session *session, Buffer *out);

/*
 * Tests whether the first message that is not answered is incomplete. Messages behind a watch count
 * as well.
 */
bool session_has_partial_message(const Session *session);

/*
 * Tests whether to receive while a watch waits, because the watch's request ended in LF, and the
 * NUL that belongs to some requests may come later.
 */
bool session_awaits_nul(const Session *session);

/*
 * Tests whether the session waits with a watch or a list. Both have only readers: if the peer has
 * gone, nobody misses the rest. Other requests take effect although their caller has gone.
 */
static inline bool session_waits_to_send(const Session *session)
{
	return session->state == SESSION_WATCHES ||
	       (session->state == SESSION_WAITS && session->stream);
}

/* Notes that the peer ends messages in NUL, although no such message was read yet. */
void session_note_nul(Session *session);

/* Tests whether the session only discards the rest of a malformed message before it finishes. */
static inline bool session_lingers(const Session *session)
{
	return session->is_refused && session->state == SESSION_READS;
}

/*
 * Writes an error as the last reply of a connection. Writes nothing if out of memory. A partial
 * message that has taken too long gets the second one.
 */
void session_write_last(const Session *session, const Failure *failure, Buffer *out);
void session_write_timeout(const Session *session, Buffer *out);

#endif
