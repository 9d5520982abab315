/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_PROCESS_STAT_H
#define DAEMON_HOST_PROCESS_PROCESS_STAT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Reads the start time of the process that has this pid now, in clock ticks since boot. A pid can
 * be reused, but pid and start time together identify one process. Returns 0 or a negative errno:
 * -ENOENT or -ESRCH if there is no such process or it is a zombie.
 */
int process_read_start_time(const char *proc, pid_t pid, uint64_t *ret);

#endif
