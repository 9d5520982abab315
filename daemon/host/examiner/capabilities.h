/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_EXAMINER_CAPABILITIES_H
#define DAEMON_HOST_EXAMINER_CAPABILITIES_H

#include <stdbool.h>

/*
 * Gives up every capability of this process except, if keeps_ptrace, a CAP_SYS_PTRACE that it has.
 * The process and its children can gain none afterwards. Returns 0 or a negative errno.
 */
int capabilities_give_up(bool keeps_ptrace);

#endif
