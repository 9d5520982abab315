/* SPDX-License-Identifier: MIT */
/* Colours and pager, as systemd's tools have them. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vailctl.h"

static bool environment_has(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

static bool wants_colours(void)
{
	const char *terminal = getenv("TERM");

	return terminal && strcmp(terminal, "dumb") != 0 && !environment_has("NO_COLOR");
}

/* In the child: becomes the pager. Quits by itself when one screen holds all of it. */
static void become_pager(const char *pager, int input)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(input, STDIN_FILENO);
	setenv("LESS", "FRSXMK", false);
	setenv("LESSCHARSET", "UTF-8", false);
	if (pager)
		execl("/bin/sh", "sh", "-c", pager, NULL);
	else
		execlp("less", "less", NULL);
	/* There is none: show it as it is. */
	execlp("cat", "cat", NULL);
	_exit(EXIT_NOT_FOUND);
}

static void open_pager(Tool *tool, const char *pager)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0)
		become_pager(pager, ends[0]);
	int output = pid > 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
	if (output >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0) {
		signal(SIGPIPE, SIG_IGN); /* who has seen enough quits the pager */
		tool->output = output;
		tool->pager = pid;
	}
	close(ends[0]);
	close(ends[1]);
}

void terminal_open(Tool *tool, bool paged)
{
	const char *pager = getenv("PAGER");

	tool->has_terminal = isatty(STDOUT_FILENO);
	if (!tool->has_terminal)
		return;
	tool->has_colours = wants_colours();
	if (paged && !options_have(&tool->options, OPTION_NO_PAGER) &&
	    (!pager || (*pager && strcmp(pager, "cat") != 0)))
		open_pager(tool, pager);
}

void terminal_close(Tool *tool)
{
	if (tool->pager <= 0)
		return;
	fflush(stdout);
	clearerr(stdout); /* it was the pager that did not want more */
	dup2(tool->output, STDOUT_FILENO);
	close(tool->output);
	waitpid(tool->pager, NULL, 0);
	tool->pager = 0;
}

size_t terminal_width(const Tool *tool, size_t minimum)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = { 0 };
	size_t width = columns ? strtoul(columns, NULL, 10) : 0;

	if (width == 0 && tool->has_terminal &&
	    ioctl(tool->pager > 0 ? tool->output : STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width == 0)
		width = 80;
	return width > minimum ? width : minimum;
}
