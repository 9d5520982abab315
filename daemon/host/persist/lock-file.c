/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/lock-file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "daemon/host/process/process-stat.h"
#include "proto/fd-util.h"

/* The process that holds the lock. */
typedef struct LockOwner {
	int pid;
	uint64_t start_time;
} LockOwner;

static bool read_process(int pid, LockOwner *ret)
{
	ret->pid = pid;
	return process_read_start_time("/proc", pid, &ret->start_time) == 0;
}

static bool peer_user_lives(int lock)
{
	char text[64] = "";
	LockOwner written, now;

	if (pread(lock, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%d %" SCNu64, &written.pid, &written.start_time) != 2)
		return true; /* it may be writing the file right now */
	return read_process(written.pid, &now) && now.start_time == written.start_time;
}

static int write_owner(int lock)
{
	LockOwner self;

	if (!read_process(getpid(), &self))
		return -ESRCH;
	if (ftruncate(lock, 0) < 0)
		return -errno;
	return dprintf(lock, "%d %" PRIu64 "\n", self.pid, self.start_time) < 0 ? -EIO : 0;
}

/* Tests whether the path still names the locked file. */
static bool is_at_path(int lock, const char *path)
{
	struct stat held, at_path;

	return fstat(lock, &held) == 0 && stat(path, &at_path) == 0 &&
	       held.st_ino == at_path.st_ino && held.st_dev == at_path.st_dev;
}

/* Tests whether the locked file has other names, where it may be a file of somebody else. */
static bool has_other_names(int lock)
{
	struct stat status;

	return fstat(lock, &status) < 0 || status.st_nlink > 1;
}

/* Returns an fd, -EAGAIN if the caller must retry, or another negative errno. */
static int try_to_take(const char *path)
{
	_cleanup_close_ int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock < 0)
		return -errno;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (peer_user_lives(lock))
			return -EADDRINUSE;
		/* If several daemons take over, the one whose file stays at the path wins. */
		unlink(path);
		return -EAGAIN;
	}
	if (!is_at_path(lock, path))
		return -EAGAIN;
	if (has_other_names(lock)) {
		unlink(path);
		return -EAGAIN;
	}
	int error = write_owner(lock);
	return error < 0 ? error : TAKE_FD(lock);
}

int lock_file_take(const char *path)
{
	char lock_path[PATH_MAX];
	int lock = -EAGAIN;
	int length = snprintf(lock_path, sizeof(lock_path), "%s.lock", path);

	if (length < 0 || (size_t)length >= sizeof(lock_path))
		return -ENAMETOOLONG;
	for (int attempt = 0; attempt < 8 && lock == -EAGAIN; attempt++)
		lock = try_to_take(lock_path);
	return lock == -EAGAIN ? -EADDRINUSE : lock;
}
