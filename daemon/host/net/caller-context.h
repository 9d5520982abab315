/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_CALLER_CONTEXT_H
#define DAEMON_HOST_NET_CALLER_CONTEXT_H

#include "daemon/host/net/connection.h"

/*
 * Lets the examiner search the caller's process for a graphics context, for a request of this
 * connection. Returns LOOKUP_PENDING at first. The connection gets a turn when the search has
 * ended, and the next call returns the result: LOOKUP_FOUND with *ret_kind set, LOOKUP_ABSENT,
 * LOOKUP_GONE, LOOKUP_UNREADABLE or LOOKUP_EXHAUSTED. A search belongs to one request, because the
 * process can open a device at any time.
 *
 * The examiner has one search of each user at a time, and the others wait. A user can therefore not
 * fill the CPU with searches, whatever it connects and closes.
 */
Lookup connection_find_graphics_context(Connection *connection, GraphicsContextKind *ret_kind);

/* Ends the search, if any. Call when its request has been answered, or the connection closes. */
void connection_end_search(Connection *connection);

#endif
