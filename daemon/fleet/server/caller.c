/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/server/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/macros.h"

#define GROUPS_MAX 65536

/* The kernel shows this for a group without a number in this user namespace. */
#define OVERFLOW_GROUP 65534

/*
 * Tests whether a group can have rights. Root's has members that are not meant, and every group
 * that has no number in this user namespace appears as the overflow group.
 */
static bool is_usable(gid_t group)
{
	return group != (gid_t)-1 && group != 0 && group != OVERFLOW_GROUP;
}

/* Tests whether the peer had the group when it connected. */
static bool is_member(int socket, gid_t primary, gid_t group)
{
	socklen_t size = 0;
	bool is_found = primary == group;

	if (!is_usable(group))
		return false;
	if (is_found)
		return true;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE ||
	    size > GROUPS_MAX * sizeof(gid_t))
		return false;
	_cleanup_free_ gid_t *groups = malloc(size);
	if (!groups || getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		is_found |= groups[i] == group;
	return is_found;
}

bool fleet_caller_identify(int socket, gid_t operators, gid_t observers, pid_t *ret_pid,
			   FleetCaller *ret_caller)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	*ret_pid = peer.pid;
	*ret_caller = (FleetCaller){
		.uid = peer.uid,
		.is_operator = peer.uid == 0 || is_member(socket, peer.gid, operators),
		.is_observer = is_member(socket, peer.gid, observers),
	};
	return true;
}
