/* SPDX-License-Identifier: MIT */
#include "record-file-write.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* So much at once, that not each line asks for room. */
#define ALLOCATED_AT_ONCE (64 << 10)

bool file_write_at(int file, const Buffer *text, off_t offset)
{
	size_t written = 0;

	while (written < buffer_size(text)) {
		ssize_t size = pwrite(file, buffer_head(text) + written,
				      buffer_size(text) - written, offset + (off_t)written);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return false;
		written += (size_t)size;
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
	return allocate_up_to(file, allocated, wanted + ALLOCATED_AT_ONCE) ||
	       allocate_up_to(file, allocated, wanted);
}
