/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/file-io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/fd-util.h"

/* Preallocate in large steps, so that few appends need a system call for it. */
#define ALLOCATION_STEP (64 << 10)

int file_open_regular(int directory, const char *name, int access_mode, off_t *ret_size)
{
	_cleanup_close_ int file = openat(
		directory, name, access_mode | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat status;

	if (file < 0 || fstat(file, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	*ret_size = status.st_size;
	return TAKE_FD(file);
}

bool file_write_at(int file, const char *bytes, size_t size, off_t offset)
{
	size_t written = 0;

	while (written < size) {
		ssize_t count =
			pwrite(file, bytes + written, size - written, offset + (off_t)written);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return false;
		written += (size_t)count;
	}
	return true;
}

bool file_read_at(int file, char *bytes, size_t size, off_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = pread(file, bytes + done, size - done, offset + (off_t)done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count == 0)
			errno = EIO;
		if (count <= 0)
			return false;
		done += (size_t)count;
	}
	return true;
}

static bool allocate_up_to(int file, off_t *allocated, off_t end)
{
	int result;

	do
		result = fallocate(file, FALLOC_FL_KEEP_SIZE, *allocated, end - *allocated);
	while (result < 0 && errno == EINTR);
	if (result < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
		return false;
	*allocated = end;
	return true;
}

bool file_allocate(int file, off_t *allocated, off_t wanted)
{
	if (wanted <= *allocated)
		return true;
	return allocate_up_to(file, allocated, wanted + ALLOCATION_STEP) ||
	       allocate_up_to(file, allocated, wanted);
}
