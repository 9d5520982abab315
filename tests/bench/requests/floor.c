/* SPDX-License-Identifier: MIT */
/* The floor: a server that reads and replies without any work, to measure the cost of a socket. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/requests/bench.h"
#include "tests/support/measure.h"

#define EVENTS_AT_ONCE 64
#define INPUT_SIZE     65536

static int listen_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 256) < 0)
		bench_fail("%s: %s", path, strerror(errno));
	return listener;
}

/* Replies to all requests of one read() with one write. */
static void serve(int connection, size_t request_size, const char *replies, size_t reply_size)
{
	static char input[INPUT_SIZE];
	ssize_t size = read(connection, input, sizeof(input));

	if (size <= 0) {
		close(connection);
		return;
	}
	bench_send(connection, replies, (size_t)size / request_size * reply_size);
}

static _Noreturn void run(int listener, size_t request_size, size_t reply_size)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
	size_t replies_size = (INPUT_SIZE / request_size + 1) * reply_size;
	char *replies = malloc(replies_size);
	int poll = epoll_create1(EPOLL_CLOEXEC);

	memset(replies, 'x', replies_size);
	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int ready = epoll_wait(poll, events, EVENTS_AT_ONCE, -1);

		for (int i = 0; i < ready; i++) {
			if (events[i].data.fd != listener) {
				serve(events[i].data.fd, request_size, replies, reply_size);
				continue;
			}
			event.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
		}
	}
}

Floor floor_start(const char *path, size_t request_size, size_t reply_size)
{
	Floor floor = { 0 };
	int listener = listen_on(path);

	snprintf(floor.path, sizeof(floor.path), "%s", path);
	floor.pid = fork();
	if (floor.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(listener, request_size, reply_size);
	}
	close(listener);
	return floor;
}

void floor_stop(Floor *floor)
{
	kill(floor->pid, SIGKILL);
	waitpid(floor->pid, NULL, 0);
	unlink(floor->path);
}
