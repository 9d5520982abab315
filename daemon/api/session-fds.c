/* SPDX-License-Identifier: MIT */
#include "daemon/api/session-fds.h"

#include <stdlib.h>
#include <string.h>

#include "proto/macros.h"

/* Closes fds whose close may block. */
static void discard(const Host *host, const Caller *caller, const int *items, size_t count)
{
	const Payer payer = payer_of(caller);

	for (size_t i = 0; i < count; i++)
		host->discard_fd(host->self, items[i], &payer);
}

/* Closes the daemon's own fds that were not sent. */
static void release(const Host *host, const int *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		host->release_fd(host->self, items[i]);
}

/* --- received fds ---------------------------------------------------------------------------- */

static SessionFds *session_fds(Session *session)
{
	if (!session->fds) {
		session->fds = calloc(1, sizeof(*session->fds));
		if (session->fds)
			STAILQ_INIT(&session->fds->outgoing);
	}
	return session->fds;
}

static void free_fds_if_none(Session *session)
{
	const SessionFds *fds = session->fds;

	if (!fds || fds->count > 0 || !STAILQ_EMPTY(&fds->outgoing))
		return;
	free(session->fds);
	session->fds = NULL;
}

void session_fd_arrived(Session *session, int fd, InputMetadata *metadata)
{
	SessionFds *fds = session_fds(session);

	metadata->lost |= !fds;
	metadata->too_many |= fds && fds->count == ARRAY_SIZE(fds->items);
	if (!fds || fds->count == ARRAY_SIZE(fds->items))
		discard(session->service->host, session->caller, &fd, 1);
	else
		fds->items[fds->count++] = fd;
}

void session_discard_fds(Session *session, size_t count)
{
	SessionFds *fds = session->fds;

	if (!fds)
		return;
	discard(session->service->host, session->caller, fds->items, count);
	fds->count -= count;
	fds->carried = 0;
	memmove(fds->items, fds->items + count, fds->count * sizeof(fds->items[0]));
	free_fds_if_none(session);
}

size_t session_count_fds(const Session *session, bool is_last)
{
	const SessionFds *fds = session->fds;

	if (!fds)
		return 0;
	return is_last ? fds->count : fds->carried;
}

/* --- fds to send ----------------------------------------------------------------------------- */

OutgoingFds *session_outgoing_fds(const Session *session)
{
	return session->fds ? STAILQ_FIRST(&session->fds->outgoing) : NULL;
}

static void outgoing_fds_free(Session *session, OutgoingFds *outgoing)
{
	STAILQ_REMOVE(&session->fds->outgoing, outgoing, OutgoingFds, link);
	if (outgoing->are_sockets)
		discard(session->service->host, session->caller, outgoing->items, outgoing->count);
	else
		release(session->service->host, outgoing->items, outgoing->count);
	free(outgoing);
}

/* Ends a channel that its viewer cannot use. A stop of the daemon ends it at the next start. */
static void end_display(const Service *service, const Handle *display)
{
	Broker *broker = service->broker;
	DisplayChannel *channel =
		broker->is_stopping ? NULL : display_channel_find(broker, display);

	if (channel)
		display_channel_end(broker, channel, END_REQUESTED);
}

void session_sent(Session *session, size_t size)
{
	OutgoingFds *outgoing = session_outgoing_fds(session), *next;

	for (; outgoing; outgoing = next) {
		next = STAILQ_NEXT(outgoing, link);
		if (outgoing->begin < size) {
			outgoing_fds_free(session, outgoing);
			continue;
		}
		outgoing->begin -= size;
		outgoing->end -= size;
	}
	free_fds_if_none(session);
}

OutgoingFds *session_prepare_outgoing(Session *session)
{
	OutgoingFds *outgoing = session_fds(session) ? calloc(1, sizeof(*outgoing)) : NULL;

	if (!outgoing)
		free_fds_if_none(session);
	return outgoing;
}

void session_discard_outgoing(Session *session, OutgoingFds *outgoing)
{
	free(outgoing);
	free_fds_if_none(session);
}

void session_add_outgoing(Session *session, OutgoingFds *outgoing, Request *request, size_t begin,
			  size_t end)
{
	*outgoing = (OutgoingFds){
		.begin = begin,
		.end = end,
		.count = request->outgoing_count,
		.are_sockets = request->sends_socket,
		.are_of_viewer = request->sends_socket && request->names_display,
		.display = request->display,
	};
	memcpy(outgoing->items, request->outgoing_fds,
	       request->outgoing_count * sizeof(outgoing->items[0]));
	request->outgoing_count = 0;
	STAILQ_INSERT_TAIL(&session->fds->outgoing, outgoing, link);
}

void session_add_socket(Session *session, OutgoingFds *outgoing, int fd, size_t begin, size_t end)
{
	*outgoing = (OutgoingFds){
		.begin = begin,
		.end = end,
		.items = { fd },
		.count = 1,
		.are_sockets = true,
	};
	STAILQ_INSERT_TAIL(&session->fds->outgoing, outgoing, link);
}

void session_cancel_outgoing(Session *session, size_t begin)
{
	OutgoingFds *outgoing = session_outgoing_fds(session), *next;

	for (; outgoing; outgoing = next) {
		next = STAILQ_NEXT(outgoing, link);
		if (outgoing->begin < begin)
			continue;
		if (outgoing->are_of_viewer)
			end_display(session->service, &outgoing->display);
		outgoing_fds_free(session, outgoing);
	}
	free_fds_if_none(session);
}

void session_release_outgoing(Request *request)
{
	if (request->outgoing_count > 0 && request->sends_socket && request->names_display)
		end_display(request->service, &request->display);
	if (request->sends_socket)
		discard(request->service->host, request->caller, request->outgoing_fds,
			request->outgoing_count);
	else
		release(request->service->host, request->outgoing_fds, request->outgoing_count);
	request->outgoing_count = 0;
}

void session_carry_fds(Session *session)
{
	if (session->fds)
		session->fds->carried = session->fds->count;
}
