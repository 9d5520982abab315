/* SPDX-License-Identifier: MIT */
#ifndef API_SESSION_H
#define API_SESSION_H

#include "frame.h"
#include "stream.h"

/*
 * One connection without its socket: bytes in, bytes out. The whole of the daemon from the first
 * byte of a request to the last of its reply stands behind these functions, which touch nothing
 * but memory and the service's host: they are what the fuzzer drives.
 *
 * The input holds at most one turn's bytes and the beginning of a message before them: more is read
 * only when everything whole has been answered. That keeps memory bounded, and makes it enough to
 * remember of each turn's bytes whether they came from the peer itself.
 */

/* What came with a turn's bytes. */
typedef struct Arrival {
	bool foreign;             /* some other process than the peer sent them */
	bool lost;                /* descriptors among them, for want of descriptors or memory */
	bool too_many;            /* descriptors for one message; what was too many is closed */
	bool closing_too_many;    /* the uid has too many closes of descriptors under way */
	unsigned int descriptors; /* none of which anybody asked for; closed already */
} Arrival;

typedef struct Descriptors Descriptors;

typedef enum __attribute__((packed)) SessionState {
	SESSION_READS,    /* all is answered: give it more input */
	SESSION_WATCHES,  /* a watch has nothing to tell: call again when the service says so */
	SESSION_PAUSED,   /* enough output waits: call again when it was taken */
	SESSION_FINISHED, /* send what is there, then close */
	SESSION_BROKEN,   /* close now: what waits is not being read */
} SessionState;

struct Session {
	Service *service;
	Caller *caller;
	Frame frame;
	Buffer input;
	Arrival arrival; /* of the bytes of this turn */
	Arrival carried; /* of the part of the first message that came before this turn */

	Descriptors *descriptors; /* NULL: none are under way */

	Stream *stream;         /* that is under way, or NULL; requests behind it wait */
	uint32_t message_count; /* whole messages so far */
	SessionState state;     /* once finished it stays so */
	bool end_of_input;
};

/* service and caller must outlive the session; the input buffer comes from whoever reads. */
void session_init(Session *session, Service *service, Caller *caller);
void session_deinit(Session *session);

/* Bytes were appended to session->input. */
void session_arrived(Session *session, const Arrival *arrival);

/* The peer will send no more. */
void session_end_of_input(Session *session);

/* Answers what is whole, appending replies to out, up to a bound. */
SessionState session_pump(Session *session, Buffer *out);

/* Whether the beginning of a message waits for its end. */
bool session_has_half_message(const Session *session);

#endif
