/* SPDX-License-Identifier: MIT */
/*
 * run-at-pid PID COMMAND...: runs the command as a child process with this pid, which must be free,
 * and exits with its exit status. Must be started by root of the pid namespace.
 */
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "tests/support/helper.h"

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: run-at-pid PID COMMAND...");
	pid_t pid = (pid_t)helper_number(argv[1]);
	struct clone_args arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};
	long child = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (child < 0)
		err(2, "clone3 with pid %d", pid);
	if (child == 0) {
		execvp(argv[2], argv + 2);
		err(2, "%s", argv[2]);
	}
	int status;
	if (waitpid((pid_t)child, &status, 0) < 0)
		err(2, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
