/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_CHILD_H
#define TESTS_SUPPORT_CHILD_H

#include <sys/types.h>

/* Starts a child process that only waits. It is killed when the test ends. */
pid_t start_child(void);

/* Kills the child and waits for it. */
void end_child(pid_t child);

#endif
