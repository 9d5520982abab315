/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_PEER_H
#define DAEMON_HOST_NET_PEER_H

#include "daemon/core/caller.h"
#include "daemon/host/process/process-table.h"
#include "daemon/host/process/subordinate-ids.h"

/* Not in Debian 12's headers. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* Reads the uid that made the connection. Needs no fd. Returns 0 or a negative errno. */
int peer_uid(int connection, uid_t *ret_uid);

/*
 * Identifies the process that made the connection, from the credentials that the kernel recorded
 * and from a pidfd. Finds the uid that pays for it, too. The owner of its user namespace pays,
 * unless this is root. The owner of a subordinate uid pays. Any other process pays itself.
 *
 * *ret_process is NULL if the peer is outside the daemon's pid namespace. Such a peer pays itself,
 * and none of its messages are acted on. own is the daemon's user namespace. The caller
 * deinitialises ret_caller->credentials.
 *
 * Returns 0; or, with nothing to free, -ESRCH if the process has exited or can no longer be told
 * from another one, or another negative errno if out of fds or memory.
 */
int peer_identify(int connection, ProcessTable *table, const UserNamespace *own,
		  SubordinateIds *subordinate_ids, Caller *ret_caller, HostProcess **ret_process);

/*
 * Reads the groups that peer_identify() has left unread. On failure they stay unread. Returns 0 or
 * a negative errno.
 */
int peer_read_groups(int connection, Caller *caller);

#endif
