/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "daemon/host/process/user-namespace.h"
#include "proto/fd-util.h"

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
 * Reads the groups that the socket recorded when the connection was made. They stay allocated as
 * long as the connection, so the array is exact: the groups, and room for the primary one.
 */
static int read_groups(int connection, gid_t primary, Groups *ret)
{
	int count = count_groups(connection);

	if (count < 0)
		return count;
	socklen_t size = (socklen_t)((size_t)count * sizeof(gid_t));
	_cleanup_free_ gid_t *ids = malloc(size + sizeof(gid_t));
	if (!ids)
		return -ENOMEM;
	if (count > 0 && getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, ids, &size) < 0)
		return -errno;
	*ret = groups_take(TAKE_POINTER(ids), (size_t)count, primary);
	return 0;
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
	int error = read_groups(connection, credentials.gid, &caller->credentials.groups);
	return error < 0 ? error : read_label(connection, &caller->credentials.label);
}

/* Opens a pidfd of the peer: the socket's own if the kernel provides it, otherwise by pid. */
static int open_pidfd(int connection, pid_t pid)
{
	int pidfd;
	socklen_t size = sizeof(pidfd);

	if (getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	if (errno != ENOPROTOOPT)
		return -errno;
	pidfd = pidfd_open(pid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

static int find_process(int connection, ProcessTable *table, pid_t pid, HostProcess **ret_process)
{
	*ret_process = NULL;
	if (pid <= 0)
		return 0;
	int pidfd = open_pidfd(connection, pid);
	if (pidfd < 0)
		return errno_is_exhaustion(-pidfd) ? pidfd : 0;
	switch (process_table_add(table, pid, pidfd, ret_process)) {
	case LOOKUP_EXHAUSTED:
		return -ENOMEM;
	case LOOKUP_FOUND:
		return 0;
	default:
		*ret_process = NULL;
		return 0;
	}
}

/*
 * Finds the uid that pays for the connection. If the peer has exited or may not be examined, it is
 * not an operator and pays itself. Returns a negative errno if out of fds or memory.
 */
static int find_account(const HostProcess *process, const UserNamespace *own, Caller *caller)
{
	_cleanup_close_ int folder = process ? host_process_open_folder(process) : -ESRCH;
	struct stat status;
	uid_t user;

	caller->account = caller->credentials.uid;
	if (folder < 0)
		return errno_is_exhaustion(-folder) ? folder : 0;
	if (fstatat(folder, "ns/user", &status, 0) < 0)
		return errno_is_exhaustion(errno) ? -errno : 0;
	bool in_own = status.st_dev == own->device && status.st_ino == own->inode;
	int error = in_own ? -ENOENT : user_namespace_owner(folder, own, &user);
	if (errno_is_exhaustion(-error))
		return error;
	if (!host_process_is_alive(process))
		return 0; /* the pid may have been reused while reading */
	caller->in_initial_user_namespace = in_own;
	if (error == 0)
		caller->account = user;
	return 0;
}

int peer_identify(int connection, ProcessTable *table, const UserNamespace *own, Caller *ret_caller,
		  HostProcess **ret_process)
{
	Caller caller = { .process = PROCESS_KEY_NONE };
	int error = read_credentials(connection, &caller);

	if (error == 0)
		error = find_process(connection, table, caller.pid, ret_process);
	if (error < 0) {
		connection_credentials_deinit(&caller.credentials);
		return error;
	}
	if (*ret_process)
		caller.process = (*ret_process)->key;
	error = find_account(*ret_process, own, &caller);
	if (error < 0) {
		connection_credentials_deinit(&caller.credentials);
		return error;
	}
	*ret_caller = caller;
	return 0;
}
