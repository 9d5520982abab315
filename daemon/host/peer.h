/* SPDX-License-Identifier: MIT */
#ifndef HOST_PEER_H
#define HOST_PEER_H

#include "caller.h"
#include "process-table.h"

/* Not in Debian 12's headers. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* The uid that made the connection; what is asked first, and needs no descriptor. 0 or -errno. */
int peer_uid(int connection, uid_t *ret_uid);

/*
 * Who made the connection, by the kernel's word alone: the credentials that it recorded then, the
 * process as a pidfd, and who answers for it. A peer outside our pid namespace, and one that is
 * gone by now, has no process. Returns 0, or a negative errno with nothing to deinit.
 */
int peer_identify(int connection, ProcessTable *table, const UserNamespace *own, Caller *ret_caller,
		  HostProcess **ret_process);

#endif
