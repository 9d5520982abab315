/* SPDX-License-Identifier: MIT */
#include "client/vail-view/channel-program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/common/program-options.h"
#include "client/common/run-program.h"
#include "client/common/user-message.h"
#include "client/vail-view/channel-arguments.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Buffer size for a number. */
#define NUMBER_SIZE 16

/* ---- The program's process ---- */

/* Becomes the program. Returns the exit status if that fails. */
static int become_program(int fd, char *const *arguments, const ChannelRequest *request,
			  const StartState *start)
{
	char number[NUMBER_SIZE];

	snprintf(number, sizeof(number), "%d", fd);
	signal(SIGPIPE, SIG_DFL);
	if (fcntl(fd, F_SETFD, 0) < 0 || setenv(CHANNEL_FD_VARIABLE, number, 1) < 0) {
		log_message("cannot pass the display channel on: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return program_exec(arguments, request->socket, start);
}

/* ---- vail-view itself ---- */

/*
 * Moves the channel to the lowest fd that was free when vail-view started, which is 3 if nothing
 * but the standard fds was open. Returns false after it has logged an error.
 */
static bool move_channel(PassedChannel *channel, int *lowest)
{
	if (dup3(channel->fd, *lowest, O_CLOEXEC) < 0) {
		log_message("cannot pass the display channel on: %s", strerror(errno));
		return false;
	}
	fd_close(&channel->fd);
	channel->fd = TAKE_FD(*lowest);
	return true;
}

/* Passes a signal on, or notices the end of the program. Returns true, with its status, if it
 * ended. */
static bool handle_signal(int signal_fd, pid_t program, int *ret_status)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		program_pass_signal(program, (int)info.ssi_signo, info.ssi_code);
	return waitpid(program, ret_status, WNOHANG) == program;
}

/* Waits for the end of the program. Returns its status as waitpid() does. */
static int wait_for_program(PassedChannel *channel, pid_t program, int signal_fd)
{
	int status = 0;

	while (true) {
		struct pollfd poll_fds[] = {
			{ .fd = signal_fd, .events = POLLIN },
			passed_channel_poll(channel),
		};

		if (poll(poll_fds, ARRAY_SIZE(poll_fds), -1) < 0)
			continue; /* interrupted */
		if (poll_fds[1].revents != 0)
			passed_channel_process(channel);
		if (poll_fds[0].revents != 0 && handle_signal(signal_fd, program, &status))
			return status;
	}
}

/* Runs the program with the channel. Returns the exit status. */
static int run(PassedChannel *channel, const ChannelRequest *request, char *const *arguments,
	       const StartState *start)
{
	_cleanup_close_ int signal_fd = -1;
	sigset_t signals, before;

	program_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, &before); /* program_exec() restores the mask */
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	pid_t program = signal_fd < 0 ? -1 : fork();
	if (program < 0) {
		log_message("cannot start a process: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (program == 0)
		_exit(become_program(channel->fd, arguments, request, start));
	passed_channel_release(channel);
	int status = wait_for_program(channel, program, signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL); /* vaild may take long */
	passed_channel_finish(channel);
	return program_end_alike(status);
}

int channel_program_run(const ChannelRequest *request, char *const *arguments,
			const StartState *start)
{
	_cleanup_close_ int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	PassedChannel channel;
	char **filled = NULL;
	int exit_status = EXIT_FAILED;

	if (passed_channel_open(&channel, request) && move_channel(&channel, &lowest)) {
		filled = channel_arguments_new(arguments, channel.fd);
		if (filled)
			exit_status = run(&channel, request, filled, start);
		else
			log_message("this process is out of memory");
	}
	channel_arguments_free(filled);
	passed_channel_close(&channel);
	return exit_status;
}
