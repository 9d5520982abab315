/* SPDX-License-Identifier: MIT */
#include "socket-lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "own-descriptor.h"
#include "proc-file.h"

/* The field of /proc/PID/stat, counted behind the name, in which the start time stands. */
#define START_TIME_FIELD 20

/* Who holds the lock: a number alone may be another's by now, with its start time it is not. */
typedef struct LockOwner {
	int pid;
	unsigned long long start_time;
} LockOwner;

/* The process of that number, if it lives; a zombie does not. */
static bool read_process(int pid, LockOwner *ret)
{
	char path[64], state = 'Z';
	Buffer file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (proc_file_read(AT_FDCWD, path, &file) < 0)
		return false;
	/* The name stands in brackets and may hold anything, brackets and blanks too. */
	const char *field = strrchr(file.data, ')');
	bool found = field && sscanf(field, ") %c", &state) == 1;
	for (int i = 0; found && i < START_TIME_FIELD; i++) {
		field = strchr(field + 1, ' ');
		found = field != NULL;
	}
	found = found && sscanf(field, "%llu", &ret->start_time) == 1;
	ret->pid = pid;
	buffer_deinit(&file);
	return found && state != 'Z' && state != 'X';
}

static bool owner_lives(int lock)
{
	char text[64] = "";
	LockOwner written, now;

	if (pread(lock, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%d %llu", &written.pid, &written.start_time) != 2)
		return true; /* it is being written at this moment */
	return read_process(written.pid, &now) && now.start_time == written.start_time;
}

static int write_owner(int lock)
{
	LockOwner self;

	if (!read_process(getpid(), &self))
		return -ESRCH;
	if (ftruncate(lock, 0) < 0)
		return -errno;
	return dprintf(lock, "%d %llu\n", self.pid, self.start_time) < 0 ? -EIO : 0;
}

/* Whether the file that is locked is still the one that the path names. */
static bool is_at_path(int lock, const char *path)
{
	struct stat held, named;

	return fstat(lock, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

/* Returns a descriptor, -EAGAIN to try again, or another negative errno. */
static int try_to_take(const char *path)
{
	_cleanup_close_ int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock < 0)
		return -errno;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (owner_lives(lock))
			return -EADDRINUSE;
		/* Of several that take over, the one whose file stays at the path has it. */
		unlink(path);
		return -EAGAIN;
	}
	if (!is_at_path(lock, path))
		return -EAGAIN;
	int error = write_owner(lock);
	return error < 0 ? error : TAKE_DESCRIPTOR(lock);
}

int socket_lock_take(const char *socket_path)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 8];
	int lock = -EAGAIN;

	snprintf(path, sizeof(path), "%s.lock", socket_path);
	for (int attempt = 0; attempt < 8 && lock == -EAGAIN; attempt++)
		lock = try_to_take(path);
	return lock == -EAGAIN ? -EADDRINUSE : lock;
}
