/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_FD_CLOSER_H
#define DAEMON_HOST_NET_FD_CLOSER_H

#include <event2/event_struct.h>

#include "daemon/host/net/peer-user.h"

/*
 * Closes fds received from clients. The last close() of such an fd can block for ever and ignore
 * even SIGKILL, for example if a FUSE server never answers FLUSH or a socket lingers. Closing a
 * connection that has fds queued can block as well. These closes therefore run in a child process
 * that shares the daemon's fd table and memory: only the child blocks.
 *
 * In its next turn, one child closes all fds of a user that are waiting then. A user has at most
 * LIMIT_CLOSES_UNDER_WAY children at a time; further fds wait until one of them exits.
 */
struct FdCloser {
	Turns *turns;
	struct event retry_event;
	struct event child_event;
	TAILQ_HEAD(, PeerUser) retries; /* users for whom no child could be started */
	TAILQ_HEAD(, ClosingChild) under_way;
	void (*closed)(
		void *context); /* called after each finished child, because fds are free again */
	void *context;
};

void fd_closer_init(FdCloser *closer, struct event_base *base, Turns *turns,
		    void (*closed)(void *context), void *context);
void fd_closer_deinit(FdCloser *closer);

/*
 * Takes ownership of the fd and closes it later. If out of memory, the fd leaks: leaking an fd is
 * better than blocking in close().
 */
void fd_closer_close(FdCloser *closer, PeerUser *user, int fd);

/*
 * The same for a socket that was shut down. Reads what is left on it before, so that fds which were
 * sent on it are closed by the child process too, whoever has the socket open besides the daemon.
 */
void fd_closer_drain(FdCloser *closer, PeerUser *user, int fd);

/*
 * Returns true if the user has the maximum of running children. No more fds are then accepted from
 * this user.
 */
bool fd_closer_is_full(const PeerUser *user);

/*
 * Returns true if, in addition, the newest of these children was started LIMIT_CLOSE_MILLISECONDS
 * ago, and each of them is closing. A user who merely closes many fds must not be refused, also on
 * a machine so busy that a child waits for the CPU that long.
 */
bool fd_closer_is_stuck(const FdCloser *closer, const PeerUser *user);

#endif
