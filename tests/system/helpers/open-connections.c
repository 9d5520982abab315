/* SPDX-License-Identifier: MIT */
/*
 * open-connections SOCKET COUNT: opens COUNT connections, one after another, and sends a request on
 * each. Prints
 *
 *   served N refused N closed N   how many requests succeeded, were refused, or got no reply
 *   REPLY|none                    the first refusal
 *   left N                        after the end of stdin: how many of the connections that were
 *                                 served still are
 */
#include <sys/resource.h>

#include "tests/support/helper.h"

#define REQUEST "{\"method\":\"io.vaild.ListRegistrations\"}\n"

typedef enum Outcome { SERVED, REFUSED, CLOSED } Outcome;

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Reads one line. Returns its length, or 0 if the connection is closed before it is complete. */
static size_t read_line(int connection, char *line, size_t size)
{
	size_t length = 0;

	while (length < size - 1) {
		if (recv(connection, line + length, 1, 0) != 1)
			return 0;
		if (line[length++] == '\n')
			break;
	}
	line[length] = '\0';
	return length;
}

static Outcome ask(int connection, char *line, size_t size)
{
	/* The daemon may refuse and close a connection before it reads a request. */
	send(connection, REQUEST, strlen(REQUEST), MSG_NOSIGNAL);
	if (read_line(connection, line, size) == 0)
		return CLOSED;
	return strstr(line, "STATUS_SUCCESS") ? SERVED : REFUSED;
}

int main(int argc, char **argv)
{
	size_t outcomes[3] = { 0 }, left = 0;
	char line[1024], refusal[1024] = "";

	if (argc != 3)
		errx(2, "usage: open-connections SOCKET COUNT");
	size_t count = helper_number(argv[2]);
	int *served = calloc(count + 1, sizeof(*served));
	if (!served)
		err(2, "calloc");
	raise_limit();
	for (size_t i = 0; i < count; i++) {
		int connection = helper_connect(argv[1]);
		Outcome outcome = ask(connection, line, sizeof(line));

		if (outcome == SERVED)
			served[outcomes[SERVED]] = connection;
		else if (outcome == REFUSED && refusal[0] == '\0')
			memcpy(refusal, line, sizeof(line));
		outcomes[outcome]++;
	}
	printf("served %zu refused %zu closed %zu\n", outcomes[SERVED], outcomes[REFUSED],
	       outcomes[CLOSED]);
	printf("%s", refusal[0] ? refusal : "none\n");
	fflush(stdout);
	helper_wait_for_end_of_input();
	for (size_t i = 0; i < outcomes[SERVED]; i++)
		left += ask(served[i], line, sizeof(line)) == SERVED;
	printf("left %zu\n", left);
	free(served);
	return 0;
}
