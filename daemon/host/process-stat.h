/* SPDX-License-Identifier: MIT */
#ifndef HOST_PROCESS_STAT_H
#define HOST_PROCESS_STAT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * When the process that has this number now was started, in clock ticks since boot: a number alone
 * may be another's by now, with its start time it is not. Returns 0 or a negative errno: -ENOENT or
 * -ESRCH where there is none, or a zombie.
 */
int process_read_start_time(const char *proc, pid_t pid, uint64_t *ret);

#endif
