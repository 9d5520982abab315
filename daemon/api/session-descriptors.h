/* SPDX-License-Identifier: MIT */
#ifndef API_SESSION_DESCRIPTORS_H
#define API_SESSION_DESCRIPTORS_H

#include "session.h"

/* The descriptors of a session: those that come stay with their message, those that go with their
 * reply. */

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
struct Descriptors {
	size_t carried;
	size_t count;
	Descriptor items[LIMIT_MESSAGE_DESCRIPTORS];
	OfferList offers; /* that wait in the output */
};

/* --- for who sends and receives -------------------------------------------------------------- */

/* A descriptor came with this turn's bytes. Takes it. Where there is no room for it, *arrival says
 * so from then on, and the message that misses it is refused. */
void session_descriptor_arrived(Session *session, Descriptor descriptor, Arrival *arrival);

/* So many bytes of output were sent; the first offer, if it began there, among them. */
void session_sent(Session *session, size_t size);

/* The offer that is in the output first; NULL: none is. */
Offer *session_offer(const Session *session);

/* --- for the session ------------------------------------------------------------------------- */

/* How many are a message's: those that were carried, and, if it is the last one begun in the turn,
 * the others. They stand first. */
size_t session_count_descriptors(const Session *session, bool is_last);

/* Closes the first so many, whose message was answered. */
void session_drop_descriptors(Session *session, size_t count);

/* The turn is over, and a message has begun: what is left is its. */
void session_carry_descriptors(Session *session);

/* Room for what a reply is going to offer. NULL: there is no memory. */
Offer *session_prepare_offer(Session *session);

/* The request offers nothing; offer may be NULL. */
void session_discard_offer(Session *session, Offer *offer);

/* Takes what the request offers into the output, with the reply that stands there from begin to
 * end. */
void session_add_offer(Session *session, Offer *offer, Request *request, size_t begin, size_t end);

/* Closes what the request offers, and was not taken. */
void session_release_offered(Request *request);

/* The output from there on was taken back. */
void session_take_back_offers(Session *session, size_t begin);

#endif
