/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_FILE_READ_H
#define DAEMON_HOST_PROCESS_FILE_READ_H

#include "proto/buffer.h"

/*
 * Reads an open file to its end, appending to *ret, and adds a NUL after the data. Returns 0 or a
 * negative errno. The caller deinitialises *ret in both cases.
 */
int file_read_all(int fd, Buffer *ret);

/*
 * Reads a whole file of /proc or /sys, relative to directory, into *ret, and adds a NUL after the
 * data. There is no size limit: /proc/PID/status of a process with many groups has 460 KB. The
 * caller deinitialises *ret. Returns 0, or a negative errno with *ret empty.
 */
int proc_file_read(int directory, const char *path, Buffer *ret);

#endif
