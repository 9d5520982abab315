/* SPDX-License-Identifier: MIT */
#include "daemon/api/session-fds.h"

#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

/* Closes received fds. */
static void discard(const Session *session, const Descriptor *items, size_t count)
{
	const Host *host = session->service->host;

	for (size_t i = 0; i < count; i++)
		host->discard_descriptor(host->self, items[i], session->caller->account);
}

/* Closes the daemon's own fds that were not sent. */
static void release(const Host *host, const Descriptor *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		host->release_descriptor(host->self, items[i]);
}

/* --- received fds ---------------------------------------------------------------------------- */

static Descriptors *session_descriptors(Session *session)
{
	if (!session->descriptors) {
		session->descriptors = calloc(1, sizeof(*session->descriptors));
		if (session->descriptors)
			STAILQ_INIT(&session->descriptors->offers);
	}
	return session->descriptors;
}

static void free_descriptors_if_none(Session *session)
{
	const Descriptors *descriptors = session->descriptors;

	if (!descriptors || descriptors->count > 0 || !STAILQ_EMPTY(&descriptors->offers))
		return;
	free(session->descriptors);
	session->descriptors = NULL;
}

void session_descriptor_arrived(Session *session, Descriptor descriptor, Arrival *arrival)
{
	Descriptors *descriptors = session_descriptors(session);

	arrival->lost |= !descriptors;
	arrival->too_many |= descriptors && descriptors->count == ARRAY_SIZE(descriptors->items);
	if (!descriptors || descriptors->count == ARRAY_SIZE(descriptors->items))
		discard(session, &descriptor, 1);
	else
		descriptors->items[descriptors->count++] = descriptor;
}

void session_drop_descriptors(Session *session, size_t count)
{
	Descriptors *descriptors = session->descriptors;

	if (!descriptors)
		return;
	discard(session, descriptors->items, count);
	descriptors->count -= count;
	descriptors->carried = 0;
	memmove(descriptors->items, descriptors->items + count,
		descriptors->count * sizeof(descriptors->items[0]));
	free_descriptors_if_none(session);
}

size_t session_count_descriptors(const Session *session, bool is_last)
{
	const Descriptors *descriptors = session->descriptors;

	if (!descriptors)
		return 0;
	return is_last ? descriptors->count : descriptors->carried;
}

/* --- fds to send ----------------------------------------------------------------------------- */

Offer *session_offer(const Session *session)
{
	return session->descriptors ? STAILQ_FIRST(&session->descriptors->offers) : NULL;
}

static void offer_free(Session *session, Offer *offer)
{
	STAILQ_REMOVE(&session->descriptors->offers, offer, Offer, link);
	release(session->service->host, offer->items, offer->count);
	free(offer);
}

void session_sent(Session *session, size_t size)
{
	Offer *offer = session_offer(session), *next;

	for (; offer; offer = next) {
		next = STAILQ_NEXT(offer, link);
		if (offer->begin < size) {
			offer_free(session, offer);
			continue;
		}
		offer->begin -= size;
		offer->end -= size;
	}
	free_descriptors_if_none(session);
}

Offer *session_prepare_offer(Session *session)
{
	Offer *offer = session_descriptors(session) ? calloc(1, sizeof(*offer)) : NULL;

	if (!offer)
		free_descriptors_if_none(session);
	return offer;
}

void session_discard_offer(Session *session, Offer *offer)
{
	free(offer);
	free_descriptors_if_none(session);
}

void session_add_offer(Session *session, Offer *offer, Request *request, size_t begin, size_t end)
{
	*offer = (Offer){ .begin = begin, .end = end, .count = request->offered_count };
	memcpy(offer->items, request->offered, request->offered_count * sizeof(offer->items[0]));
	request->offered_count = 0;
	STAILQ_INSERT_TAIL(&session->descriptors->offers, offer, link);
}

void session_take_back_offers(Session *session, size_t begin)
{
	Offer *offer = session_offer(session), *next;

	for (; offer; offer = next) {
		next = STAILQ_NEXT(offer, link);
		if (offer->begin >= begin)
			offer_free(session, offer);
	}
	free_descriptors_if_none(session);
}

void session_release_offered(Request *request)
{
	release(request->service->host, request->offered, request->offered_count);
	request->offered_count = 0;
}

void session_carry_descriptors(Session *session)
{
	if (session->descriptors)
		session->descriptors->carried = session->descriptors->count;
}
