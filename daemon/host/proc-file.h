/* SPDX-License-Identifier: MIT */
#ifndef HOST_PROC_FILE_H
#define HOST_PROC_FILE_H

#include "buffer.h"

/*
 * Reads all that is left of an open file behind what *ret holds, with a NUL behind it. Returns 0 or
 * a negative errno. The caller deinits *ret in each case.
 */
int file_read_all(int descriptor, Buffer *ret);

/*
 * Reads a whole file of /proc or /sys below directory into *ret, with a NUL behind it. It is read
 * to its end, however long: /proc/PID/status of a process with many groups has 460 KB. Returns 0,
 * or a negative errno with *ret empty. The caller deinits *ret.
 */
int proc_file_read(int directory, const char *path, Buffer *ret);

#endif
