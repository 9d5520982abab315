/* SPDX-License-Identifier: MIT */
/*
 * never-reads SOCKET COUNT: opens COUNT connections, sends requests with long replies on each as
 * long as the daemon reads them, and never reads a reply. Prints "taken" when the daemon has
 * stopped reading, and at the end of stdin "dropped N", the number of connections that the daemon
 * closed.
 *
 * The daemon has stopped reading if all sockets stay full for TURNS iterations of its event loop.
 * An iteration ends when the daemon has replied to a request on another connection or has closed
 * that connection.
 */
#include "tests/support/helper.h"

#define REQUEST                                                        \
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\"," \
	"\"parameters\":{\"interface\":\"io.vaild.Machine\"}}\n"
#define TOGETHER 256
#define TURNS    10
#define QUESTION "{\"method\":\"org.varlink.service.GetInfo\"}\n"

typedef struct Stream {
	int connection;
	size_t offset; /* position in the text, which is sent repeatedly */
} Stream;

/* Sends until the socket is full. Returns false if it was full already. */
static bool push(Stream *stream, const char *text, size_t length)
{
	bool any = false;
	ssize_t sent;

	while ((sent = send(stream->connection, text + stream->offset, length - stream->offset,
			    MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
		stream->offset = (stream->offset + (size_t)sent) % length;
		any = true;
	}
	return any;
}

/* Waits for an iteration of the daemon's event loop. */
static void wait_for_turn(const char *path)
{
	int connection = helper_try_connect(path);
	char byte;

	if (connection < 0)
		err(1, "%s", path);
	if (send(connection, QUESTION, strlen(QUESTION), MSG_NOSIGNAL) > 0)
		recv(connection, &byte, 1, 0);
	close(connection);
}

static void push_all(const char *path, Stream *streams, size_t count)
{
	static char text[TOGETHER * sizeof(REQUEST)];
	size_t length = strlen(REQUEST);
	int quiet = 0;

	for (size_t i = 0; i < TOGETHER; i++)
		memcpy(text + i * length, REQUEST, length);
	while (quiet < TURNS) {
		bool any = false;

		for (size_t i = 0; i < count; i++)
			any |= push(&streams[i], text, TOGETHER * length);
		quiet = any ? 0 : quiet + 1;
		if (!any)
			wait_for_turn(path);
	}
}

int main(int argc, char **argv)
{
	size_t dropped = 0;

	if (argc != 3)
		errx(2, "usage: never-reads SOCKET COUNT");
	size_t count = helper_number(argv[2]);
	Stream *streams = calloc(count + 1, sizeof(*streams));
	if (!streams)
		err(2, "calloc");
	for (size_t i = 0; i < count; i++)
		streams[i].connection = helper_connect(argv[1]);
	push_all(argv[1], streams, count);
	puts("taken");
	fflush(stdout);
	helper_wait_for_end_of_input();
	for (size_t i = 0; i < count; i++) {
		struct pollfd poll_for = { .fd = streams[i].connection, .events = 0 };
		dropped += poll(&poll_for, 1, 0) > 0 && poll_for.revents & (POLLHUP | POLLERR);
	}
	printf("dropped %zu\n", dropped);
	free(streams);
	return 0;
}
