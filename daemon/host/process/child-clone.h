/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_CHILD_CLONE_H
#define DAEMON_HOST_PROCESS_CHILD_CLONE_H

#include <sys/types.h>

/*
 * Starts a child process that has every signal blocked, with these flags of clone(2) in addition to
 * SIGCHLD. The child has a copy of the memory, but only the thread that called: it may make system
 * calls, and ends with child_exit(). Needs no fd, so this works even when fds have run out. Returns
 * as fork().
 */
pid_t child_clone(unsigned long flags);

/* Ends a child process, without the work that exit() does for the parent. */
_Noreturn void child_exit(void);

#endif
