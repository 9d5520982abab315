/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/pid-namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "daemon/host/process/file-read.h"
#include "daemon/host/process/proc-credentials.h"
#include "proto/fd-util.h"

/* --- one process ----------------------------------------------------------------------------- */

/* Returns an O_PATH fd of the process's directory in /proc, or a negative errno. */
static int open_folder(const FsRoots *roots, const char *name)
{
	char path[280];

	snprintf(path, sizeof(path), "%s/%s", roots->proc, name);
	int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return folder < 0 ? -errno : folder;
}

static uint64_t read_inode(int folder)
{
	struct stat status;

	return fstatat(folder, "ns/pid", &status, 0) < 0 ? 0 : status.st_ino;
}

uint64_t pid_namespace_own(const FsRoots *roots)
{
	_cleanup_close_ int folder = open_folder(roots, "self");

	return folder < 0 ? 0 : read_inode(folder);
}

bool pid_namespace_contains(uint64_t inode, int folder)
{
	return inode != 0 && read_inode(folder) == inode;
}

/* Reads all pids of a process, as proc_status_parse_pids(). Returns 0 or a negative errno. */
static int read_pids(int folder, pid_t pids[static PID_LEVELS_MAX + 1], size_t *ret_count)
{
	Buffer file;
	int error = proc_file_read(folder, "status", &file);

	if (error == 0)
		error = proc_status_parse_pids(file.data, pids, PID_LEVELS_MAX + 1, ret_count);
	buffer_deinit(&file);
	return error;
}

/* Fills in the inodes, from the process's own namespace outwards. Returns 0 or a negative errno. */
static int read_inodes(int folder, PidLevel *levels, size_t count)
{
	_cleanup_close_ int current = openat(folder, "ns/pid", O_RDONLY | O_CLOEXEC);

	for (size_t i = count; i-- > 0;) {
		struct stat status;

		if (current < 0 || fstat(current, &status) < 0)
			return -errno;
		levels[i].inode = status.st_ino;
		int parent = i > 0 ? ioctl(current, NS_GET_PARENT) : -1;
		fd_close(&current);
		current = parent;
	}
	return 0;
}

int pid_namespace_read_levels(int folder, PidLevel levels[static PID_LEVELS_MAX],
			      uint32_t *ret_count)
{
	pid_t pids[PID_LEVELS_MAX + 1];
	size_t count = 0;
	int error = read_pids(folder, pids, &count);

	if (error < 0)
		return error;
	size_t inner = count > 0 ? count - 1 : 0;
	for (size_t i = 0; i < inner; i++)
		levels[i] = (PidLevel){ .pid = pids[i + 1] };
	error = read_inodes(folder, levels, inner);
	if (error == 0)
		*ret_count = (uint32_t)inner;
	return error;
}

/* --- the search ------------------------------------------------------------------------------ */

/* The kernel's answer. Returns LOOKUP_UNREADABLE if it has none. */
static Lookup ask_kernel(int folder, pid_t inner_pid, pid_t *ret)
{
	_cleanup_close_ int namespace = openat(folder, "ns/pid", O_RDONLY | O_CLOEXEC);

	if (namespace < 0)
		return errno_is_exhaustion(errno) ? LOOKUP_EXHAUSTED : LOOKUP_UNREADABLE;
	int pid = ioctl(namespace, NS_GET_PID_FROM_PIDNS, inner_pid);
	if (pid <= 0)
		return pid < 0 && errno != ESRCH ? LOOKUP_UNREADABLE : LOOKUP_ABSENT;
	*ret = pid;
	return LOOKUP_FOUND;
}

/*
 * Tests whether a process has the pid at this level. Reads its namespaces only if the pid is right,
 * because there may be very many processes.
 */
static Lookup has_inner_pid(int folder, size_t level, const PidLevel *wanted)
{
	PidLevel levels[PID_LEVELS_MAX];
	pid_t pids[PID_LEVELS_MAX + 1];
	uint32_t inner = 0;
	size_t count = 0;
	int error = read_pids(folder, pids, &count);

	if (error == 0 && (count <= level + 1 || pids[level + 1] != wanted->pid))
		return LOOKUP_ABSENT;
	if (error == 0)
		error = pid_namespace_read_levels(folder, levels, &inner);
	if (error < 0)
		return errno_is_exhaustion(-error) ? LOOKUP_EXHAUSTED : LOOKUP_ABSENT;
	return inner > level && levels[level].inode == wanted->inode ? LOOKUP_FOUND : LOOKUP_ABSENT;
}

static Lookup search_all(const FsRoots *roots, DIR *processes, size_t level, const PidLevel *wanted,
			 pid_t *ret)
{
	const struct dirent *entry;
	Lookup lookup = LOOKUP_ABSENT;

	while (lookup == LOOKUP_ABSENT && (entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		_cleanup_close_ int folder = pid > 0 ? open_folder(roots, entry->d_name) : -ENOENT;

		if (folder >= 0)
			lookup = has_inner_pid(folder, level, wanted);
		else if (errno_is_exhaustion(-folder))
			lookup = LOOKUP_EXHAUSTED;
		*ret = pid;
	}
	return lookup;
}

/* Searches /proc for a process in the namespace of the process that has the folder. */
static Lookup search_proc(const FsRoots *roots, int folder, pid_t inner_pid, pid_t *ret)
{
	PidLevel levels[PID_LEVELS_MAX];
	uint32_t count;
	int error = pid_namespace_read_levels(folder, levels, &count);

	if (error == 0 && count == 0)
		return LOOKUP_ABSENT; /* another process has the pid by now */
	DIR *processes = error == 0 ? opendir(roots->proc) : NULL;
	if (!processes)
		return errno_is_exhaustion(error < 0 ? -error : errno) ? LOOKUP_EXHAUSTED
								       : LOOKUP_UNREADABLE;
	levels[count - 1].pid = inner_pid;
	Lookup lookup = search_all(roots, processes, count - 1, &levels[count - 1], ret);
	closedir(processes);
	return lookup;
}

Lookup pid_namespace_find(const FsRoots *roots, pid_t pid, pid_t inner_pid, bool by_ioctl,
			  pid_t *ret)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)pid);
	_cleanup_close_ int folder = open_folder(roots, name);
	if (folder < 0)
		return errno_is_exhaustion(-folder) ? LOOKUP_EXHAUSTED : LOOKUP_UNREADABLE;
	Lookup lookup = by_ioctl ? ask_kernel(folder, inner_pid, ret) : LOOKUP_UNREADABLE;
	return lookup == LOOKUP_UNREADABLE ? search_proc(roots, folder, inner_pid, ret) : lookup;
}
