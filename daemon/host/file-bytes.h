/* SPDX-License-Identifier: MIT */
#ifndef HOST_FILE_BYTES_H
#define HOST_FILE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Opens a regular file below directory without following a symbolic link. A FIFO or a device does
 * not block. The access mode is O_RDONLY or O_RDWR. Returns the fd, -EINVAL if the file is not a
 * regular one, or another negative errno.
 */
int file_open_regular(int directory, const char *name, int access_mode, off_t *ret_size);

/* Writes all of it there. False with errno: some of it may stand there. */
bool file_write_at(int file, const char *bytes, size_t size, off_t offset);

/* Reads so much from there. False with errno, EIO where the file ends before. */
bool file_read_at(int file, char *bytes, size_t size, off_t offset);

/*
 * Makes sure that the file system has room for so many bytes of the file, of which *allocated are
 * its own already; its size stays. False with errno: it has not. Where the file system cannot do
 * that, there is room until it turns out otherwise.
 */
bool file_allocate(int file, off_t *allocated, off_t wanted);

#endif
