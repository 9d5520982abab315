/* SPDX-License-Identifier: MIT */
#include "record-file-read.h"

#include <errno.h>
#include <unistd.h>

#define READ_AT_ONCE (64u << 10)

int file_read_at(int file, off_t offset, size_t length, Buffer *ret)
{
	if (!buffer_reserve(ret, length + 1))
		return -ENOMEM;
	for (size_t done = 0; done < length;) {
		ssize_t size =
			pread(file, buffer_tail(ret) + done, length - done, offset + (off_t)done);
		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return size < 0 ? -errno : -EIO;
		done += (size_t)size;
	}
	ret->end += length;
	return 0;
}

int file_run_end(int file, FileRun *run, Buffer *ret)
{
	int error = file_read_at(file, run->offset, run->size, ret);

	*run = (FileRun){ 0 };
	return error;
}

int file_run_add(int file, FileRun *run, off_t offset, size_t size, Buffer *ret)
{
	bool is_next = offset == run->offset + (off_t)run->size;
	int error = is_next && run->size < READ_AT_ONCE ? 0 : file_run_end(file, run, ret);

	if (run->size == 0)
		run->offset = offset;
	run->size += size;
	return error;
}
