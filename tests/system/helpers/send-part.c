/* SPDX-License-Identifier: MIT */
/*
 * send-part SOCKET: opens a connection, reads commands from stdin, one a line, and prints one line
 * for each:
 *
 *   command    effect                                          printed
 *   send TEXT  sends TEXT without a terminator, and waits      "taken", or "closed" if the daemon
 *              until the daemon has read it                    has closed the connection
 *   state                                                      "open" or "closed"
 *   wait       waits until the daemon closes the connection    "closed"
 *   rest       reads until the daemon closes the connection    all replies
 *
 * A ~ in TEXT is sent as LF, and a ^ as NUL. Replies are printed in the same way.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "tests/support/helper.h"

/* Waits for the daemon to close the connection; -1 waits for ever. Returns false if it does not. */
static bool closes(int connection, int milliseconds)
{
	struct pollfd poll_for = { .fd = connection, .events = POLLRDHUP };

	return poll(&poll_for, 1, milliseconds) > 0;
}

static const char *send_part(int connection, char *text)
{
	size_t size = strlen(text);
	int unread = 0;

	for (char *at = text; at < text + size; at++)
		*at = *at == '~' ? '\n' : *at == '^' ? '\0' : *at;
	if (send(connection, text, size, MSG_NOSIGNAL) < 0)
		return "closed";
	while (ioctl(connection, SIOCOUTQ, &unread) == 0 && unread > 0)
		if (closes(connection, 1))
			return "closed";
	return "taken";
}

/* Prints all replies as one line. */
static void print_rest(int connection)
{
	char bytes[4096];
	ssize_t size;

	while ((size = recv(connection, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < size; i++)
			putchar(bytes[i] == '\n' ? '~' : bytes[i] == '\0' ? '^' : bytes[i]);
	putchar('\n');
}

int main(int argc, char **argv)
{
	char line[HELPER_LINE_SIZE];

	if (argc != 2)
		errx(2, "usage: send-part SOCKET");
	int connection = helper_connect(argv[1]);
	while (helper_read_line(line)) {
		if (strncmp(line, "send ", 5) == 0)
			puts(send_part(connection, line + 5));
		else if (strcmp(line, "state") == 0)
			puts(closes(connection, 0) ? "closed" : "open");
		else if (strcmp(line, "wait") == 0)
			puts(closes(connection, -1) ? "closed" : "open");
		else if (strcmp(line, "rest") == 0)
			print_rest(connection);
		else
			errx(2, "%s: unknown command", line);
		fflush(stdout);
	}
	return 0;
}
