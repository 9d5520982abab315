/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/file-read.h"

#include <fcntl.h>

#include "proto/fd-util.h"

#define READ_SIZE 4096

int file_read_all(int fd, Buffer *ret)
{
	for (;;) {
		if (!buffer_reserve(ret, READ_SIZE))
			return -ENOMEM;
		size_t room = ret->capacity - ret->end - 1; /* leaves room for the NUL */
		ssize_t size = read(fd, buffer_tail(ret), room);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		ret->data[ret->end + (size_t)size] = '\0';
		if (size == 0)
			return 0;
		ret->end += (size_t)size;
	}
}

int proc_file_read(int directory, const char *path, Buffer *ret)
{
	_cleanup_close_ int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*ret = BUFFER_INIT;
	if (fd < 0)
		return -errno;
	int error = file_read_all(fd, ret);
	if (error < 0)
		buffer_deinit(ret);
	return error;
}
