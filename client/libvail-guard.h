/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_GUARD_H
#define LIBVAIL_GUARD_H

#include <stddef.h>

/*
 * Reads memory that somebody else may take away meanwhile. Where this process would get SIGBUS the
 * kernel gets EFAULT: so it is the kernel that reads, by writing the memory to a scratch file, from
 * which it is then taken.
 */

/* Makes a scratch file. Returns its descriptor, or a negative errno. */
int guard_open(void);

/* Copies. Returns 0, -EFAULT where the memory is not there (any more), or another negative errno.
 */
int guard_copy(int scratch, const void *from, void *to, size_t size);

#endif
