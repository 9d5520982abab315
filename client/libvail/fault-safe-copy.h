/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_FAULT_SAFE_COPY_H
#define CLIENT_LIBVAIL_FAULT_SAFE_COPY_H

#include <stddef.h>

/*
 * Copies mapped memory that another process may truncate or free at any time. A direct access could
 * raise SIGBUS. Instead the kernel writes the memory to a scratch file, which fails with EFAULT,
 * and the copy is read back from there.
 */

/* Creates a scratch file. Returns its fd, which the caller closes, or a negative errno. */
int fault_safe_copy_open(void);

/*
 * Copies size bytes through the scratch file. Returns 0, -EFAULT if part of the memory does not
 * exist, or another negative errno. After a failure the contents of to are undefined.
 */
int fault_safe_copy(int scratch, const void *from, void *to, size_t size);

#endif
