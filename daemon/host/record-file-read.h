/* SPDX-License-Identifier: MIT */
#ifndef HOST_RECORD_FILE_READ_H
#define HOST_RECORD_FILE_READ_H

#include <sys/types.h>

#include "buffer.h"

/* For the record file alone: reading lines that are known to be there. */

/* Appends a part of the file, with room for a NUL behind it. Returns 0 or a negative errno. */
int file_read_at(int file, off_t offset, size_t length, Buffer *ret);

/* Parts that stand one behind the other, and are read together. All zero: none yet. */
typedef struct FileRun {
	off_t offset;
	size_t size;
} FileRun;

/* Appends the parts in the order in which they are added; the last of them with file_run_end(). */
int file_run_add(int file, FileRun *run, off_t offset, size_t size, Buffer *ret);
int file_run_end(int file, FileRun *run, Buffer *ret);

#endif
