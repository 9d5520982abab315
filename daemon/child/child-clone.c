/* SPDX-License-Identifier: MIT */
#include "daemon/child/child-clone.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "daemon/child/raw-call.h"

pid_t child_clone(unsigned long flags)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return (pid_t)pid;
}

pid_t child_start(ChildStack *stack, int (*run)(void *context), void *context)
{
	/* Without raw calls, the child's errno would be the parent's. */
	const int memory = RAW_CALLS_SPARE_ERRNO ? CLONE_VM : 0;
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = clone(run, stack + 1, memory | CLONE_FILES | SIGCHLD, context);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

_Noreturn void child_exit(void)
{
	raw_call(SYS_exit_group, 0, 0, 0);
	__builtin_unreachable();
}
