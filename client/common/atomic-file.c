/* SPDX-License-Identifier: MIT */
#include "client/common/atomic-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "proto/fd-util.h"

/* The fds that a shell can name, as in "3>file". */
#define INHERITED_FD_MAX 9

/* Time between attempts to open a FIFO without a reader, in milliseconds. */
#define READER_INTERVAL 20

/* ---- The existing file ---- */

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Returns the fd that this process has inherited for writing the file, or -1. The file is then
 * written there, because a new opening would ignore the position of, for example, stdout.
 */
static int find_inherited(const struct stat *of)
{
	struct stat status;

	for (int fd = STDOUT_FILENO; fd <= INHERITED_FD_MAX; fd++)
		if (fstat(fd, &status) == 0 && is_same_file(&status, of) &&
		    (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
			return fd;
	return -1;
}

/* Opens a FIFO for writing, and waits for its reader. Returns the fd or a negative errno. */
static int wait_for_reader(const char *path, int flags)
{
	const struct timespec interval = { .tv_nsec = READER_INTERVAL * 1000000 };
	int64_t end = milliseconds() + ATOMIC_FILE_READER_TIMEOUT;
	int fd;

	while ((fd = open(path, flags)) < 0 && errno == ENXIO && milliseconds() < end)
		nanosleep(&interval, NULL);
	return fd < 0 ? -errno : fd;
}

/*
 * Opens the existing file for writing. This follows links as far as the kernel permits, and finds
 * out whether this process may write the file. Creates the file if a link names it. Returns the fd
 * or a negative errno.
 */
static int open_existing(const char *path, bool *ret_created)
{
	/* O_NONBLOCK, because opening a FIFO would wait for its reader for ever. */
	const int flags = O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	struct stat status;
	int fd = open(path, flags), error = errno;

	if (fd < 0 && error == ENXIO && stat(path, &status) == 0 && S_ISFIFO(status.st_mode)) {
		fd = wait_for_reader(path, flags);
	} else if (fd < 0 && error == ENOENT && lstat(path, &status) == 0) {
		fd = open(path, flags | O_CREAT, 0666); /* a link to a missing file */
		error = errno;
		*ret_created = fd >= 0;
	}
	if (fd < 0)
		return fd == -1 ? -error : fd;
	return fcntl(fd, F_SETFL, 0) < 0 ? (close(fd), -EIO) : fd;
}

/* ---- The new content ---- */

/* Makes file->out of the fd, and takes the fd. Returns 0 or a negative errno. */
static int set_out(AtomicFile *file, int fd)
{
	if (fd < 0)
		return -errno;
	file->out = fdopen(fd, "w");
	if (file->out)
		return 0;
	int error = errno;
	close(fd);
	return -error;
}

/* Creates a temporary file in the folder of file->path. Returns 0 or a negative errno. */
static int create_temporary(AtomicFile *file, mode_t mode)
{
	const char *slash = strrchr(file->path, '/');
	int folder = slash ? (int)(slash - file->path) + 1 : 0;
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -EIO;
	if (asprintf(&file->new_path, "%.*s.vail-%016llx", folder, file->path,
		     (unsigned long long)number) < 0) {
		file->new_path = NULL;
		return -ENOMEM;
	}
	/* open() applies the umask or the folder's default ACL, as for any new file. */
	int fd = open(file->new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);
	int error = set_out(file, fd);
	if (error < 0) {
		if (fd >= 0)
			unlink(file->new_path);
		free(TAKE_POINTER(file->new_path));
	}
	return error;
}

static void discard_temporary(AtomicFile *file)
{
	if (file->out)
		fclose(TAKE_POINTER(file->out));
	if (file->new_path)
		unlink(file->new_path);
	free(TAKE_POINTER(file->new_path));
}

/* Tests whether the file has an ACL, of which the mode shows only a part. */
static bool has_acl(int fd)
{
	return fgetxattr(fd, "system.posix_acl_access", NULL, 0) >= 0;
}

/* Stores the file's path without links in file->path. Returns false if it has none. */
static bool find_path(AtomicFile *file, const struct stat *status)
{
	char link[32], path[PATH_MAX];
	struct stat found;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->existing);
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return false;
	path[length] = '\0';
	if (lstat(path, &found) < 0 || !is_same_file(&found, status))
		return false; /* the file was removed, or is mounted elsewhere */
	file->path = strdup(path);
	return file->path;
}

/* Creates a temporary file with the owner and the mode of the existing one, if possible. */
static bool begin_replacement(AtomicFile *file, const struct stat *status)
{
	struct stat created;

	if (status->st_nlink != 1 || has_acl(file->existing) || !find_path(file, status) ||
	    create_temporary(file, status->st_mode & 0777) < 0)
		return false;
	int fd = fileno(file->out);
	if (fstat(fd, &created) == 0 &&
	    ((created.st_uid == status->st_uid && created.st_gid == status->st_gid) ||
	     fchown(fd, status->st_uid, status->st_gid) == 0) &&
	    fchmod(fd, status->st_mode & 0777) == 0)
		return true;
	discard_temporary(file);
	return false;
}

/* Chooses between replacing the existing file, overwriting it, and writing it through. */
static int begin_existing(AtomicFile *file)
{
	struct stat status;

	if (fstat(file->existing, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return set_out(file, TAKE_FD(file->existing));
	if (begin_replacement(file, &status))
		return 0;
	/* A file in memory has the complete content before the old one is touched. */
	return set_out(file, memfd_create("vail-file", MFD_CLOEXEC));
}

int atomic_file_create(AtomicFile *file, const char *path)
{
	struct stat status;
	int inherited = STDOUT_FILENO;

	*file = ATOMIC_FILE_INIT;
	if (strcmp(path, "-") != 0)
		inherited = stat(path, &status) == 0 ? find_inherited(&status) : -1;
	if (inherited >= 0) {
		fflush(stdout);
		return set_out(file, fcntl(inherited, F_DUPFD_CLOEXEC, 0));
	}
	int fd = open_existing(path, &file->created);
	if (fd >= 0) {
		file->existing = fd;
		return begin_existing(file);
	}
	if (fd != -ENOENT || lstat(path, &status) == 0)
		return fd;
	file->path = strdup(path);
	return file->path ? create_temporary(file, 0666) : -ENOMEM;
}

/* ---- The end ---- */

/*
 * Copies the content of out to the existing file. Reserves the space first, so that a full disk
 * leaves the old content. Returns 0 or a negative errno.
 */
static int overwrite(const AtomicFile *file)
{
	struct stat status;
	off_t position = 0;

	if (fstat(fileno(file->out), &status) < 0)
		return -errno;
	if (status.st_size > 0 &&
	    fallocate(file->existing, FALLOC_FL_KEEP_SIZE, 0, status.st_size) < 0 &&
	    (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
		return -errno;
	while (position < status.st_size) {
		ssize_t count = sendfile(file->existing, fileno(file->out), &position,
					 (size_t)(status.st_size - position));

		if (count <= 0 && errno != EINTR)
			return count < 0 ? -errno : -EIO;
	}
	if (ftruncate(file->existing, status.st_size) < 0 || fsync(file->existing) < 0)
		return -errno;
	return 0;
}

/* Tests whether the errno of rename() means that the file can still be overwritten in place. */
static bool is_protected(int error)
{
	return error == EACCES || error == EPERM || error == EBUSY || error == EXDEV;
}

/* Replaces or overwrites the old content. Returns 0 or a negative errno. */
static int replace(AtomicFile *file)
{
	if (file->new_path) {
		if (fsync(fileno(file->out)) < 0)
			return -errno;
		if (rename(file->new_path, file->path) == 0) {
			free(TAKE_POINTER(file->new_path));
			return 0;
		}
		if (file->existing < 0 || !is_protected(errno))
			return -errno;
	}
	return file->existing >= 0 ? overwrite(file) : 0;
}

int atomic_file_commit(AtomicFile *file)
{
	if (fflush(file->out) != 0)
		return -errno;
	int error = replace(file);
	if (error < 0)
		return error;
	file->created = false;
	return fclose(TAKE_POINTER(file->out)) == 0 ? 0 : -errno;
}

void atomic_file_deinit(AtomicFile *file)
{
	discard_temporary(file);
	if (file->created && file->path)
		unlink(file->path);
	fd_close(&file->existing);
	free(TAKE_POINTER(file->path));
}
