/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_CALLER_SEARCH_H
#define DAEMON_HOST_NET_CALLER_SEARCH_H

#include "daemon/host/net/connection.h"

/*
 * Searches that a connection's request needs, and that take longer than a turn. The functions
 * return LOOKUP_PENDING at first. The connection gets a turn when the search has ended, and the
 * next call returns the result. A search belongs to one request, because its result can change at
 * any time.
 *
 * The examiner has one search of each user at a time, and the others wait. A user can therefore not
 * fill the CPU with searches, whatever it connects and closes.
 */

/*
 * Lets the examiner search the caller's process for a graphics context. The result is LOOKUP_FOUND
 * with *ret_kind set, LOOKUP_ABSENT, LOOKUP_GONE, LOOKUP_UNREADABLE or LOOKUP_EXHAUSTED.
 */
Lookup connection_find_graphics_context(Connection *connection, GraphicsContextKind *ret_kind);

/*
 * Lets the examiner find the GPU devices and functions that the process has open. The result is
 * LOOKUP_FOUND with *ret set, LOOKUP_ABSENT, LOOKUP_GONE, LOOKUP_UNREADABLE or LOOKUP_EXHAUSTED. A
 * request may ask about several processes, one after another, and each call looks again. uid is
 * that of the process, which pays for closing the files that the examiner has fetched: a user who
 * makes that hang must not stop the searches of the caller.
 */
Lookup connection_find_held_gpus(Connection *connection, HostProcess *process, uid_t uid,
				 HeldGpus *ret);

/*
 * Lets the examiner find the process that has this pid in the caller's pid namespace, which is not
 * the daemon's. The result is LOOKUP_FOUND with a process that is known to have the pid there,
 * LOOKUP_ABSENT, LOOKUP_GONE or LOOKUP_EXHAUSTED. A request may find several processes, one after
 * another. They stay known until its end.
 */
Lookup connection_find_process(Connection *connection, pid_t pid, HostProcess **ret_process);

/* Ends the searches of a connection with waits. Call when the request was answered, or the
 * connection closes. */
void connection_end_search(Connection *connection);

#endif
