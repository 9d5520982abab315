/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CHILD_CHILD_CLONE_H
#define DAEMON_CHILD_CHILD_CLONE_H

#include <sys/types.h>

/*
 * Starts a child process that has every signal blocked, with these flags of clone(2) in addition to
 * SIGCHLD. The child has a copy of the memory, but only the thread that called: it may make system
 * calls, and ends with child_exit(). Needs no fd, so this works even when fds have run out. Returns
 * as fork().
 */
pid_t child_clone(unsigned long flags);

/* The memory that a child uses as its stack. The child catches no signals, so it needs little. */
typedef struct ChildStack {
	_Alignas(16) unsigned char bytes[16 << 10];
} ChildStack;

/*
 * Starts a child process that runs the function, exits when it returns, and has every signal
 * blocked. It shares the fd table. It shares the memory, too, because a copy of the page tables
 * takes long, and even errno. So the function may only make raw calls (raw-call.h), and use memory
 * that the parent leaves alone until the child has exited. The same holds for the stack. Mark the
 * function as CHILD_FUNCTION.
 *
 * If the host runs out of memory and the kernel kills the child, it kills the parent, too. Children
 * do not make that more likely, because the kernel chooses by the size of the memory, which both
 * share. A restart loses nothing.
 *
 * Returns the pid, or a negative number if out of memory or processes.
 */
pid_t child_start(ChildStack *stack, int (*run)(void *context), void *context);

/* A function of such a child. AddressSanitizer would look for the stack of the parent. */
#define CHILD_FUNCTION __attribute__((no_sanitize("address")))

/* Ends a child process, without the work that exit() does for the parent. */
_Noreturn void child_exit(void);

#endif
