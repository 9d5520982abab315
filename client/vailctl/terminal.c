/* SPDX-License-Identifier: MIT */
#include "client/vailctl/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool environment_has(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

static bool wants_colours(void)
{
	const char *type = getenv("TERM");

	return type && strcmp(type, "dumb") != 0 && !environment_has("NO_COLOR");
}

/* Runs the pager in the child process. By default, less exits if the text fits on one screen. */
static _Noreturn void run_pager(const char *pager, int input, const StartState *start)
{
	start_state_restore(start);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(input, STDIN_FILENO);
	setenv("LESS", "FRSXMK", false);
	setenv("LESSCHARSET", "UTF-8", false);
	if (pager)
		execl("/bin/sh", "sh", "-c", pager, NULL);
	else
		execlp("less", "less", NULL);
	/* There is no less: copy the text unpaged. */
	execlp("cat", "cat", NULL);
	_exit(EXIT_FAILURE);
}

static void open_pager(Terminal *terminal, const char *pager, const StartState *start)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0)
		run_pager(pager, ends[0], start);
	int output = pid > 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
	if (output >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0) {
		signal(SIGPIPE, SIG_IGN); /* the user may quit the pager early */
		terminal->output = output;
		terminal->pager = pid;
	}
	close(ends[0]);
	close(ends[1]);
}

void terminal_open(Terminal *terminal, bool use_pager, const StartState *start)
{
	const char *pager = getenv("PAGER");

	terminal->is_terminal = isatty(STDOUT_FILENO);
	if (!terminal->is_terminal)
		return;
	terminal->has_colours = wants_colours();
	if (use_pager && (!pager || (*pager && strcmp(pager, "cat") != 0)))
		open_pager(terminal, pager, start);
}

void terminal_close(Terminal *terminal)
{
	if (terminal->pager <= 0)
		return;
	fflush(stdout);
	clearerr(stdout); /* the pager may have been quit early */
	dup2(terminal->output, STDOUT_FILENO);
	close(terminal->output);
	waitpid(terminal->pager, NULL, 0);
	terminal->pager = 0;
}

size_t terminal_width(const Terminal *terminal, size_t minimum)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = { 0 };
	size_t width = columns ? strtoul(columns, NULL, 10) : 0;

	if (width == 0 && terminal->is_terminal &&
	    ioctl(terminal->pager > 0 ? terminal->output : STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width == 0)
		width = 80;
	return width > minimum ? width : minimum;
}
