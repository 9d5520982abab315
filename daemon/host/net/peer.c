/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "daemon/host/process/process-pids.h"
#include "proto/fd-util.h"

/*
 * The kernel takes 50 ns to return a group, and a process in a user namespace can give itself 65536
 * of them. More than this many are read only when everything else matches.
 */
#define GROUPS_AT_ACCEPT 1024

/* Returns the number of the peer's supplementary groups, or a negative errno. */
static int count_groups(int connection)
{
	socklen_t size = 0;

	/* With an empty buffer the kernel returns the size it needs. */
	if (getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0)
		return 0;
	return errno == ERANGE ? (int)(size / sizeof(gid_t)) : -errno;
}

/*
 * Reads that many groups, as the socket recorded them when the connection was made. They stay
 * allocated as long as the connection, so the array is exact: the groups, and room for the primary
 * one.
 */
static int read_groups(int connection, size_t count, gid_t primary, Groups *ret)
{
	socklen_t size = (socklen_t)(count * sizeof(gid_t));
	_cleanup_free_ gid_t *ids = malloc(size + sizeof(gid_t));

	if (!ids)
		return -ENOMEM;
	if (count > 0 && getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, ids, &size) < 0)
		return -errno;
	*ret = groups_take(TAKE_POINTER(ids), count, primary);
	return 0;
}

int peer_read_groups(int connection, Caller *caller)
{
	Groups groups;
	int error =
		read_groups(connection, caller->unread_groups, caller->credentials.gid, &groups);

	if (error < 0)
		return error;
	groups_deinit(&caller->credentials.groups);
	caller->credentials.groups = groups;
	caller->unread_groups = 0;
	return 0;
}

/* Reads the groups unless there are very many. */
static int read_few_groups(int connection, Caller *caller)
{
	int count = count_groups(connection);

	if (count < 0)
		return count;
	if (count > GROUPS_AT_ACCEPT)
		caller->unread_groups = (uint32_t)count;
	return read_groups(connection, caller->unread_groups > 0 ? 0 : (size_t)count,
			   caller->credentials.gid, &caller->credentials.groups);
}

/*
 * Reads the label that the LSM recorded for the connection. Leaves *ret alone if the LSM records
 * none: then only the label in /proc is compared.
 */
static int read_label(int connection, char **ret)
{
	socklen_t size = 64;

	for (;;) {
		_cleanup_free_ char *label = calloc(1, size + 1);
		socklen_t room = size;

		if (!label)
			return -ENOMEM;
		if (getsockopt(connection, SOL_SOCKET, SO_PEERSEC, label, &size) == 0) {
			label[size] = '\0';
			label[strcspn(label, "\n")] = '\0';
			*ret = TAKE_POINTER(label);
			return 0;
		}
		if (errno == ENOPROTOOPT)
			return 0;
		if (errno != ERANGE || size <= room)
			return -errno;
	}
}

int peer_uid(int connection, uid_t *ret_uid)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	*ret_uid = credentials.uid;
	return 0;
}

static int read_credentials(int connection, Caller *caller)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	caller->pid = credentials.pid;
	caller->credentials.uid = credentials.uid;
	caller->credentials.gid = credentials.gid;
	int error = read_few_groups(connection, caller);
	return error < 0 ? error : read_label(connection, &caller->credentials.label);
}

/*
 * Opens a pidfd of the peer: the socket's own if the kernel provides it, otherwise by its pid,
 * which another process may have by now. Returns a negative errno if that fails.
 */
static int open_pidfd(int connection, pid_t pid, bool *ret_is_by_pid)
{
	int pidfd;
	socklen_t size = sizeof(pidfd);

	*ret_is_by_pid = false;
	if (getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	if (errno != ENOPROTOOPT)
		return -errno;
	*ret_is_by_pid = true;
	pidfd = pidfd_open(pid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

/*
 * Tests whether a process that was found by its pid may be the peer. It is another one if it has
 * other ids. Returns 0, -ESRCH if it is another one, or another negative errno.
 */
static int check_ids(HostProcess *process, const Caller *caller)
{
	Credentials now;

	switch (host_process_read_credentials(process, &now)) {
	case LOOKUP_EXHAUSTED:
		return -ENOMEM;
	case LOOKUP_FOUND:
		break;
	default:
		return -ESRCH;
	}
	bool is_same = now.uids[ID_EFFECTIVE] == caller->credentials.uid &&
		       now.gids[ID_EFFECTIVE] == caller->credentials.gid;
	credentials_deinit(&now);
	return is_same ? 0 : -ESRCH;
}

/*
 * Tests whether a peer outside the daemon's pid namespace lives, if the kernel tells it. Takes
 * ownership of the pidfd, which may be negative. Returns 0 or -ESRCH.
 */
static int check_outside(int pidfd, bool is_by_pid)
{
	bool has_exited = !is_by_pid && (pidfd < 0 || fd_poll(pidfd, POLLIN) != 0);

	fd_close(&pidfd);
	return has_exited ? -ESRCH : 0;
}

/*
 * Finds the peer's process, which is NULL if it is outside the daemon's pid namespace. Returns 0,
 * -ESRCH if the process has exited, or another negative errno if out of fds or memory.
 */
static int find_process(int connection, ProcessTable *table, const Caller *caller,
			HostProcess **ret_process)
{
	bool is_by_pid;
	int pidfd = open_pidfd(connection, caller->pid, &is_by_pid);

	*ret_process = NULL;
	if (errno_is_exhaustion(-pidfd))
		return pidfd;
	if (caller->pid <= 0)
		return check_outside(pidfd, is_by_pid);
	if (pidfd < 0)
		return -ESRCH;
	switch (process_table_add(table, caller->pid, pidfd, ret_process)) {
	case LOOKUP_EXHAUSTED:
		return -ENOMEM;
	case LOOKUP_FOUND:
		return is_by_pid ? check_ids(*ret_process, caller) : 0;
	default:
		return -ESRCH;
	}
}

/*
 * Finds the uid that pays for a process in a user namespace below the daemon's. uid is that of the
 * process. Returns 0 or a negative errno.
 */
static int find_owner(const WhoAnswer *who, SubordinateIds *subordinate_ids, uid_t uid,
		      uid_t *ret_owner)
{
	if (who->owner_error != 0)
		return -who->owner_error;
	/* Root makes namespaces for others, such as containers and services, and pays for none. */
	*ret_owner = who->owner == 0 ? uid : subordinate_ids_owner(subordinate_ids, who->owner);
	return 0;
}

/*
 * Finds the uid that pays for a live peer, and its pid namespace. If the peer may not be examined,
 * it is not an operator and pays itself. Returns 0, -ESRCH if the peer has exited meanwhile or the
 * examiner has failed, or another negative errno if out of fds or memory.
 */
static int find_account(HostProcess *process, const UserNamespace *own,
			SubordinateIds *subordinate_ids, Caller *caller)
{
	WhoAnswer who;
	uid_t owner = caller->account;
	bool in_own = false;

	int error = host_process_ask_who(process, &who);
	if (error < 0)
		return error == -EPIPE ? -ESRCH : error;
	error = -who.error;
	const UserNamespace found = { .device = who.namespace_device,
				      .inode = who.namespace_inode };
	if (error == 0)
		in_own = user_namespaces_equal(&found, own);
	if (error == 0 && !in_own)
		error = find_owner(&who, subordinate_ids, caller->credentials.uid, &owner);
	if (errno_is_exhaustion(-error))
		return error;
	/* Another process may have had the pid while it was read. */
	if (!host_process_is_alive(process))
		return -ESRCH;
	int pids_error = host_process_learn_pids(process, &who);
	if (pids_error < 0)
		return pids_error == -EPIPE ? -ESRCH : pids_error;
	caller->pid_namespace = host_process_pid_namespace(process);
	caller->in_initial_user_namespace = in_own;
	caller->has_user_namespace = who.error == 0;
	caller->user_namespace = found;
	if (error == 0)
		caller->account = owner;
	return 0;
}

int peer_identify(int connection, ProcessTable *table, const UserNamespace *own,
		  SubordinateIds *subordinate_ids, Caller *ret_caller, HostProcess **ret_process)
{
	Caller caller = { .process = PROCESS_KEY_NONE };
	HostProcess *process = NULL;
	int error = read_credentials(connection, &caller);

	caller.account = subordinate_ids_owner(subordinate_ids, caller.credentials.uid);
	if (error == 0)
		error = find_process(connection, table, &caller, &process);
	if (error == 0 && process) {
		caller.process = process->key;
		error = find_account(process, own, subordinate_ids, &caller);
	}
	/* Here only root gives out groups, and an operator may have many. */
	if (error == 0 && caller.unread_groups > 0 && caller.in_initial_user_namespace)
		error = peer_read_groups(connection, &caller);
	if (error < 0) {
		connection_credentials_deinit(&caller.credentials);
		return error;
	}
	*ret_caller = caller;
	*ret_process = process;
	return 0;
}
