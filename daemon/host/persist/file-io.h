/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_FILE_IO_H
#define DAEMON_HOST_PERSIST_FILE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Opens a regular file below directory without following a symbolic link. A FIFO or a device does
 * not block. The access mode is O_RDONLY or O_RDWR. Returns the fd, -EINVAL if the file is not a
 * regular one, or another negative errno.
 */
int file_open_regular(int directory, const char *name, int access_mode, off_t *ret_size);

/* Writes all bytes at the offset. Returns false with errno set, perhaps after a partial write. */
bool file_write_at(int file, const char *bytes, size_t size, off_t offset);

/* Reads size bytes at the offset. Returns false with errno set; EIO if the file is too short. */
bool file_read_at(int file, char *bytes, size_t size, off_t offset);

/*
 * Preallocates space up to the offset wanted, without changing the size of the file, and updates
 * *allocated, the end of the space that the file has already. Returns false, with errno set, if
 * the file system is full. Pretends to succeed if the file system cannot preallocate.
 */
bool file_allocate(int file, off_t *allocated, off_t wanted);

#endif
