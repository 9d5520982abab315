/* SPDX-License-Identifier: MIT */
/*
 * never-reads SOCKET COUNT: on COUNT connections asks for long answers, one request behind the
 * other, as long as the daemon takes requests, and reads none. Prints "taken" when the daemon takes
 * no more, and at the end of stdin how many connections it closed: "dropped N".
 *
 * The daemon takes no more if there is no room on any connection although its event loop has turned
 * often. It has turned when it has answered one request more, or closed that connection.
 */
#include "tool.h"

#define REQUEST                                                        \
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\"," \
	"\"parameters\":{\"interface\":\"io.vaild.Machine\"}}\n"
#define TOGETHER 256
#define TURNS    10
#define QUESTION "{\"method\":\"org.varlink.service.GetInfo\"}\n"

typedef struct Stream {
	int connection;
	size_t offset; /* in the text that is sent over and over */
} Stream;

/* Writes until there is no room. Returns whether anything went. */
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

static void wait_for_a_turn(const char *path)
{
	int connection = tool_try_connect(path);
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
			wait_for_a_turn(path);
	}
}

int main(int argc, char **argv)
{
	size_t dropped = 0;

	if (argc != 3)
		errx(2, "usage: never-reads SOCKET COUNT");
	size_t count = tool_number(argv[2]);
	Stream *streams = calloc(count + 1, sizeof(*streams));
	if (!streams)
		err(2, "calloc");
	for (size_t i = 0; i < count; i++)
		streams[i].connection = tool_connect(argv[1]);
	push_all(argv[1], streams, count);
	puts("taken");
	fflush(stdout);
	tool_wait_for_end_of_input();
	for (size_t i = 0; i < count; i++) {
		struct pollfd poll_for = { .fd = streams[i].connection, .events = 0 };
		dropped += poll(&poll_for, 1, 0) > 0 && poll_for.revents & (POLLHUP | POLLERR);
	}
	printf("dropped %zu\n", dropped);
	free(streams);
	return 0;
}
