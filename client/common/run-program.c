/* SPDX-License-Identifier: MIT */
#include "client/common/run-program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "proto/macros.h"

/* ---- The program's process ---- */

/*
 * Lets the program use the same socket of vaild. Makes a relative path absolute, because the
 * program may change its folder, unless it would be too long for a socket.
 */
static void hand_over_socket(const char *path)
{
	_cleanup_free_ char *folder = *path == '/' ? NULL : get_current_dir_name();
	char absolute[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (folder &&
	    (size_t)snprintf(absolute, sizeof(absolute), "%s/%s", folder, path) < sizeof(absolute))
		path = absolute;
	setenv("VAILD_SOCKET", path, 1);
}

int program_exec(char *const *arguments, const char *socket, const StartState *start)
{
	fflush(stdout);
	if (socket)
		hand_over_socket(socket);
	start_state_restore(start);
	execvp(arguments[0], arguments);
	int error = errno;
	log_message("cannot run %s: %s", arguments[0], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/* ---- The process that waits for it ---- */

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

void program_signals(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(ret_signals, passed_on[i]);
}

void program_pass_signal(pid_t program, int number, int code)
{
	/* The kernel sends the signals of a terminal to the program as well. */
	if (number != SIGCHLD && code != SI_KERNEL)
		kill(program, number);
}

int program_end_alike(int status)
{
	const struct rlimit no_core = { 0, 0 };
	int number = WTERMSIG(status);
	sigset_t only;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core); /* the program has dumped its own core */
	signal(number, SIG_DFL);
	sigemptyset(&only);
	sigaddset(&only, number);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	raise(number);
	return 128 + number;
}
