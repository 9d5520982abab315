/* SPDX-License-Identifier: MIT */
/*
 * json-suite SOCKET lf|nul: sends each text of tests/support/json-cases.c in each place of a
 * message, on a connection of its own, and a valid request behind it. Prints a line for each wrong
 * reply, and at the end "N messages, N wrong".
 */
#include "tests/support/helper.h"
#include "tests/support/json-cases.h"

#define REPLIES_SIZE 8192

/* Sends everything and ends the input. */
static void send_all(int connection, const Buffer *input)
{
	size_t sent = 0;

	while (sent < buffer_size(input)) {
		ssize_t size = send(connection, buffer_head(input) + sent,
				    buffer_size(input) - sent, MSG_NOSIGNAL);

		if (size < 0)
			err(1, "cannot send a whole message");
		sent += (size_t)size;
	}
	shutdown(connection, SHUT_WR);
}

/* Receives until the daemon closes the connection. Returns the number of bytes. */
static size_t receive_all(int connection, char replies[static REPLIES_SIZE])
{
	size_t size = 0;
	ssize_t received;

	while ((received = recv(connection, replies + size, REPLIES_SIZE - size, 0)) > 0)
		size += (size_t)received;
	if (received < 0)
		err(1, "cannot receive all replies");
	return size;
}

/* Returns true if the replies are right. */
static bool try(const char *path, const JsonCase *json_case, JsonPlace place, char terminator)
{
	static char replies[REPLIES_SIZE];
	Buffer input = BUFFER_INIT;
	int connection = helper_connect(path);

	json_case_write(json_case, place, terminator, &input);
	send_all(connection, &input);
	size_t size = receive_all(connection, replies);
	const char *flaw = json_case_flaw(json_case, place, terminator, replies, size);
	if (flaw)
		printf("%.60s in place %d: %s: %.*s\n", json_case->text, (int)place, flaw,
		       (int)size, replies);
	close(connection);
	buffer_deinit(&input);
	return !flaw;
}

int main(int argc, char **argv)
{
	size_t count = 0, wrong = 0;

	if (argc != 3)
		errx(2, "usage: json-suite SOCKET lf|nul");
	for (JsonPlace place = 0; place < JSON_PLACE_MAX; place++)
		for (size_t i = 0; i < json_case_count; i++, count++)
			wrong += !try(argv[1], &json_cases[i], place,
				      strcmp(argv[2], "nul") == 0 ? '\0' : '\n');
	printf("%zu messages, %zu wrong\n", count, wrong);
	return 0;
}
