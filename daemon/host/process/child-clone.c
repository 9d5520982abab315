/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/child-clone.h"

#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

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

_Noreturn void child_exit(void)
{
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}
