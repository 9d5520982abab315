/* SPDX-License-Identifier: MIT */
/*
 * run-at-pid PID COMMAND...: runs the command as a child process with this pid, which must be free,
 * and exits with its exit status. Must be started by root of the pid namespace.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "tests/support/helper.h"

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: run-at-pid PID COMMAND...");
	pid_t pid = (pid_t)helper_number(argv[1]);
	pid_t child = helper_fork_at(pid);

	if (child == 0) {
		execvp(argv[2], argv + 2);
		err(2, "%s", argv[2]);
	}
	int status;
	if (waitpid((pid_t)child, &status, 0) < 0)
		err(2, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
