/* SPDX-License-Identifier: MIT */
/*
 * count-answers SOCKET: sends one request after another until stdin ends. Every second one has its
 * own connection; the others share one. Each request calls another method that does not exist,
 * and the reply repeats the method's name. Prints
 *
 *   started                                      when the first request was answered
 *   refused N interrupted N twice N              at the end: how many connects failed, how many
 *                                                connections ended before the reply, and how many
 *                                                replies were not those that were expected
 */
#include "tests/support/helper.h"

typedef struct Counts {
	unsigned long asked, answered, refused, interrupted, twice;
} Counts;

typedef struct Connection {
	int fd; /* -1 if it is not open */
	FILE *replies;
} Connection;

static void connection_close(Connection *connection)
{
	if (connection->fd < 0)
		return;
	fclose(connection->replies);
	connection->fd = -1;
}

static bool connection_open(Connection *connection, const char *path, Counts *counts)
{
	connection->fd = helper_try_connect(path);
	if (connection->fd < 0) {
		warn("connect");
		counts->refused++;
		return false;
	}
	connection->replies = fdopen(connection->fd, "r");
	if (!connection->replies)
		err(2, "fdopen");
	return true;
}

/* Reads one reply and expects it to repeat the name. Returns false if the connection has ended. */
static bool read_reply(Connection *connection, const char *name, Counts *counts)
{
	char line[1024];

	if (!fgets(line, sizeof(line), connection->replies))
		return false;
	if (!strstr(line, name)) {
		warnx("expected a reply to %s, got %s", name, line);
		counts->twice++;
	}
	return true;
}

static void ask(Connection *connection, bool is_last, Counts *counts)
{
	char name[64], request[128];

	snprintf(name, sizeof(name), "Nothing%luEnd", counts->asked++);
	int length = snprintf(request, sizeof(request), "{\"method\":\"io.vaild.%s\"}\n", name);
	send(connection->fd, request, (size_t)length, MSG_NOSIGNAL);
	if (is_last)
		shutdown(connection->fd, SHUT_WR);
	if (!read_reply(connection, name, counts)) {
		counts->interrupted++;
		connection_close(connection);
		return;
	}
	if (counts->answered++ == 0) {
		puts("started");
		fflush(stdout);
	}
	/* The connection must end after the only reply. */
	if (is_last && read_reply(connection, "the end", counts))
		counts->twice++;
}

static bool input_has_ended(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&input, 1, 0) > 0;
}

int main(int argc, char **argv)
{
	Connection lasting = { .fd = -1 }, brief = { .fd = -1 };
	Counts counts = { 0 };

	if (argc != 2)
		errx(2, "usage: count-answers SOCKET");
	while (!input_has_ended()) {
		if (connection_open(&brief, argv[1], &counts))
			ask(&brief, true, &counts);
		connection_close(&brief);
		if (lasting.fd >= 0 || connection_open(&lasting, argv[1], &counts))
			ask(&lasting, false, &counts);
	}
	printf("refused %lu interrupted %lu twice %lu\n", counts.refused, counts.interrupted,
	       counts.twice);
	return 0;
}
