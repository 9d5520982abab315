/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_CALLER_CONTEXT_H
#define DAEMON_HOST_NET_CALLER_CONTEXT_H

#include "daemon/host/net/connection.h"

/*
 * Searches the caller's process for a graphics context, for a request of this connection. A short
 * search ends at once. A long one continues in further turns of the user: the function returns
 * LOOKUP_PENDING, and the connection gets a turn when the search has ended; the next call then
 * returns the result. A search belongs to one request, because the process can open a device at any
 * time. Returns the results of context_search_step(), or LOOKUP_PENDING.
 */
Lookup connection_find_graphics_context(Connection *connection, GraphicsContextKind *ret_kind);

/* Ends the search, if any. Call when its request has been answered, or the connection closes. */
void connection_end_search(Connection *connection);

#endif
