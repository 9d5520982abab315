/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_SERVER_CALLER_H
#define DAEMON_FLEET_SERVER_CALLER_H

#include "daemon/fleet/server/answer.h"

/*
 * Reads who the peer of a connection was when it connected. operators, observers: as in
 * FleetServerSettings. Returns false if the kernel does not tell.
 */
bool fleet_caller_identify(int socket, gid_t operators, gid_t observers, pid_t *ret_pid,
			   FleetCaller *ret_caller);

#endif
