/* SPDX-License-Identifier: MIT */
#include "client/vailctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "client/common/program-options.h"
#include "client/common/user-message.h"

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

/* Returns what the environment or the terminal says about a dimension; 0 if neither does. */
static size_t dimension(const char *variable, bool is_terminal, bool of_rows)
{
	const char *value = getenv(variable);
	struct winsize size = { 0 };
	unsigned long number = 0;

	if (value && number_parse(value, UINT16_MAX, &number))
		return number;
	if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		return of_rows ? size.ws_row : size.ws_col;
	return 0;
}

/* Returns the bytes of the escape sequence of a colour at the start of the text, or 0. */
static size_t colour_size(const char *text, size_t size)
{
	size_t at = strlen("\033[");

	if (size < at || memcmp(text, "\033[", at) != 0)
		return 0;
	while (at < size && text[at] != 'm')
		at++;
	return at < size ? at + 1 : 0;
}

/* Returns the bytes of the first character, and its width. Bytes without a meaning have width 1. */
static size_t character_size(const char *text, size_t size, size_t *ret_width)
{
	mbstate_t state = { 0 };
	wchar_t character;
	size_t bytes = mbrtowc(&character, text, size, &state);

	*ret_width = 1;
	if (bytes == 0 || bytes == (size_t)-1 || bytes == (size_t)-2)
		return 1;
	int width = wcwidth(character);
	if (width >= 0)
		*ret_width = (size_t)width;
	return bytes;
}

size_t terminal_rows_of(const char *text, size_t size, size_t columns)
{
	size_t rows = 0, column = 0, step, width;
	bool begins = true;

	for (size_t at = 0; at < size; at += step) {
		rows += begins;
		begins = false;
		step = colour_size(text + at, size - at);
		if (step > 0)
			continue;
		step = character_size(text + at, size - at, &width);
		if (text[at] == '\n') {
			begins = true;
			column = 0;
		} else if (column + width > columns) {
			rows++;
			column = width;
		} else {
			column += width;
		}
	}
	return rows;
}

/* A table with a single row, its legend and a line about columns that are left out. */
#define ROWS_UNPAGED 3

/* One row of the terminal is for the prompt of the shell. */
static bool fits(const Terminal *terminal)
{
	size_t rows = dimension("LINES", terminal->is_terminal, true);

	if (rows == 0)
		rows = 24;
	size_t needed =
		terminal_rows_of(terminal->text, terminal->text_size, terminal_width(terminal, 1));
	return needed <= ROWS_UNPAGED || needed < rows;
}

/* Returns the bytes that were written, which are fewer if the reader has closed the pipe. */
static size_t write_text(int pipe, const char *text, size_t size)
{
	size_t done = 0;
	ssize_t written;

	while (done < size &&
	       ((written = write(pipe, text + done, size - done)) > 0 || errno == EINTR))
		if (written > 0)
			done += (size_t)written;
	return done;
}

/* Opens the pipe for reading. The caller closes the fd, which is -1 without /proc. */
static int open_reader(int pipe)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* size: the bytes that were written to the pipe. */
static bool has_read_nothing(int reader, size_t size)
{
	int unread = 0;

	return ioctl(reader, FIONREAD, &unread) == 0 && (size_t)unread == size;
}

/* Tests whether the shell could not run the pager. */
static bool is_not_run(int exit_status)
{
	return exit_status == 126 || exit_status == 127;
}

/*
 * Writes the text to the pager, which the user may quit early, and waits for its exit. Returns
 * false if it cannot have shown the text, because it could not run or failed and read nothing.
 */
static bool feed_pager(const Terminal *terminal, pid_t pager, int pipe)
{
	int status = 0;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* the pager handles it */
	size_t written = write_text(pipe, terminal->text, terminal->text_size);
	int reader = open_reader(pipe);
	close(pipe); /* the pager waits for the end of the text */
	waitpid(pager, &status, 0);
	bool has_failed = WIFEXITED(status) && WEXITSTATUS(status) != 0;
	bool is_lost = has_failed &&
		       (is_not_run(WEXITSTATUS(status)) || has_read_nothing(reader, written));
	if (reader >= 0)
		close(reader);
	return !is_lost;
}

/* Shows the text in the pager. Returns false if that was not possible. */
static bool page(const Terminal *terminal)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid_t pager = fork();
	if (pager == 0)
		run_pager(terminal->pager, ends[0], terminal->start);
	close(ends[0]);
	if (pager > 0)
		return feed_pager(terminal, pager, ends[1]);
	close(ends[1]);
	return false;
}

void terminal_open(Terminal *terminal, bool use_pager, const StartState *start)
{
	const char *pager = getenv("PAGER");

	*terminal = (Terminal){ .pager = pager, .start = start };
	terminal->is_terminal = isatty(STDOUT_FILENO);
	if (!terminal->is_terminal)
		return;
	terminal->has_colours = wants_colours();
	if (!use_pager || (pager && (!*pager || strcmp(pager, "cat") == 0)))
		return;
	FILE *held = open_memstream(&terminal->text, &terminal->text_size);
	if (!held)
		return;
	terminal->output = stdout;
	stdout = held;
}

void terminal_close(Terminal *terminal)
{
	if (!terminal->output)
		return;
	bool is_complete = fflush(stdout) == 0 && !ferror(stdout);
	fclose(stdout);
	stdout = terminal->output;
	terminal->output = NULL;
	if (!is_complete)
		log_message("this process is out of memory (STATUS_NO_MEMORY)");
	if (fits(terminal) || !page(terminal))
		fwrite(terminal->text, 1, terminal->text_size, stdout);
	free(terminal->text);
	terminal->text = NULL;
}

size_t terminal_width(const Terminal *terminal, size_t minimum)
{
	size_t width = dimension("COLUMNS", terminal->is_terminal, false);

	if (width == 0)
		width = 80;
	return width > minimum ? width : minimum;
}

size_t terminal_table_width(const Terminal *terminal)
{
	return terminal->is_terminal ? terminal_width(terminal, 1) : 0;
}

bool terminal_is_set_width(void)
{
	return dimension("COLUMNS", false, false) > 0;
}
