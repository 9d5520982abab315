/* SPDX-License-Identifier: MIT */
#include "client/libvail/fault-safe-copy.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* The largest piece copied at once, in bytes, which bounds the scratch file. */
#define SCRATCH_SIZE ((size_t)256 << 10)

int fault_safe_copy_open(void)
{
	int scratch = memfd_create("vail-fault-safe-copy", MFD_CLOEXEC);

	return scratch < 0 ? -errno : scratch;
}

int fault_safe_copy(int scratch, const void *from, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		size_t left = size - done;
		ssize_t written = pwrite(scratch, (const char *)from + done,
					 left < SCRATCH_SIZE ? left : SCRATCH_SIZE, 0);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0 && pread(scratch, (char *)to + done, (size_t)written, 0) != written)
			return -EIO;
		if (written > 0)
			done += (size_t)written;
	}
	return 0;
}
