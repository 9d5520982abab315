/* SPDX-License-Identifier: MIT */
/*
 * half-messages SOCKET COUNT: opens COUNT connections and sends 60 000 bytes of a message on each,
 * without its end. Waits until the daemon has read them or has closed the connection, and prints
 * "taken N dropped N". Keeps the connections until the end of stdin.
 */
#include <linux/sockios.h>

#include "tests/support/helper.h"

#define SIZE 60000

static bool is_closed(int connection)
{
	struct pollfd poll_for = { .fd = connection, .events = POLLRDHUP };

	return poll(&poll_for, 1, 0) > 0;
}

/* Waits until nothing is left to be read. */
static void wait_until_read(int connection)
{
	struct pollfd poll_for = { .fd = connection, .events = POLLRDHUP };
	int unread = 0;

	while (ioctl(connection, SIOCOUTQ, &unread) == 0 && unread > 0 &&
	       poll(&poll_for, 1, 1) == 0)
		;
}

int main(int argc, char **argv)
{
	static char text[SIZE] = "{\"method\":\"";
	size_t dropped = 0;
	char line[HELPER_LINE_SIZE];

	if (argc != 3)
		errx(2, "usage: half-messages SOCKET COUNT");
	size_t count = helper_number(argv[2]);
	int *connections = calloc(count + 1, sizeof(*connections));
	if (!connections)
		err(2, "calloc");
	memset(text + strlen(text), 'x', SIZE - strlen(text));
	for (size_t i = 0; i < count; i++) {
		connections[i] = helper_connect(argv[1]);
		send(connections[i], text, SIZE, MSG_NOSIGNAL);
		wait_until_read(connections[i]);
	}
	for (size_t i = 0; i < count; i++)
		dropped += is_closed(connections[i]);
	printf("taken %zu dropped %zu\n", count - dropped, dropped);
	fflush(stdout);
	while (helper_read_line(line))
		;
	free(connections);
	return 0;
}
