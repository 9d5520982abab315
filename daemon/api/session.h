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
	bool truncated;           /* the kernel dropped control data: more descriptors than fit */
	bool closing_too_many;    /* the uid has too many closes of descriptors under way */
	unsigned int descriptors; /* none of which anybody asked for; closed already */
} Arrival;

/* Descriptors that go with a reply: with the first byte of it. */
typedef struct Offer {
	size_t begin; /* of the reply, in the output */
	size_t end;
	Descriptor items[OBJECT_DESCRIPTORS_MAX];
	size_t count;
	STAILQ_ENTRY(Offer) link;
} Offer;

typedef STAILQ_HEAD(OfferList, Offer) OfferList;

/*
 * Descriptors under way on a session; few ever have any.
 *
 * Of those that came, for who may send some, the first are of the message that has begun in an
 * earlier turn, and the others of this turn: they belong to the last message begun in it. Whatever
 * becomes of the message, they are closed with it: what is kept is the daemon's own opening.
 */
typedef struct Descriptors {
	size_t carried;
	size_t count;
	Descriptor items[LIMIT_MESSAGE_DESCRIPTORS];
	OfferList offers; /* that wait in the output */
} Descriptors;

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

/* A descriptor came with this turn's bytes. Takes it. False: there is no room, and the message that
 * misses it is to be refused as truncated. */
bool session_descriptor_arrived(Session *session, Descriptor descriptor);

/* So many bytes of output were sent; the first offer, if it began there, among them. */
void session_sent(Session *session, size_t size);

/* The offer that is in the output first; NULL: none is. */
Offer *session_offer(const Session *session);

/* Bytes were appended to session->input. */
void session_arrived(Session *session, const Arrival *arrival);

/* The peer will send no more. */
void session_end_of_input(Session *session);

/* Answers what is whole, appending replies to out, up to a bound. */
SessionState session_pump(Session *session, Buffer *out);

/* Whether the beginning of a message waits for its end. */
bool session_has_half_message(const Session *session);

#endif
