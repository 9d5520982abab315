/* SPDX-License-Identifier: MIT */
/*
 * send-fds SOCKET COUNT linger|PATH: sends a request with COUNT fds, of lingering TCP sockets or of
 * the file PATH. Prints "sent" or the name of the error. Prints the reply when stdin has ended.
 *
 * The last close() of a lingering socket hangs, because it waits for data that the peer never
 * reads. This program closes its own fds of such sockets before it prints "sent", so that the last
 * close() is the receiver's.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/support/helper.h"

#define REQUEST "{\"method\":\"io.vaild.ListRegistrations\"}\n"

static void fill(int fd)
{
	static const char block[65536];

	while (send(fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	if (errno != EAGAIN)
		err(2, "filling a socket");
}

/* Returns one end of a TCP connection. *ret_peer is the other end, which is never read. */
static int connect_to_ourselves(int *ret_peer)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || fd < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(2, "cannot open a TCP connection to this process");
	*ret_peer = accept(listener, NULL, NULL);
	if (*ret_peer < 0)
		err(2, "accept");
	close(listener);
	return fd;
}

static int open_lingering(void)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 36000 };
	const int small = 4096; /* so that many such sockets need little memory */
	int peer, fd = connect_to_ourselves(&peer);

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		err(2, "SO_LINGER");
	fill(fd);
	return fd;
}

int main(int argc, char **argv)
{
	int fds[HELPER_FDS_MAX];

	if (argc != 4)
		errx(2, "usage: send-fds SOCKET COUNT linger|PATH");
	size_t count = helper_number(argv[2]);
	bool lingers = strcmp(argv[3], "linger") == 0;
	if (count == 0 || count > HELPER_FDS_MAX)
		errx(2, "COUNT can be 1 to %d, not %zu", HELPER_FDS_MAX, count);
	for (size_t i = 0; i < count; i++) {
		fds[i] = lingers ? open_lingering() : open(argv[3], O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			err(2, "%s", argv[3]);
	}
	int connection = helper_connect(argv[1]);
	bool sent = helper_send_fds(connection, REQUEST, fds, count);
	puts(sent ? "sent" : strerrorname_np(errno));
	if (!sent)
		return 0;
	/* Does not close files, because close() may hang here as it does in the daemon. */
	for (size_t i = 0; lingers && i < count; i++)
		close(fds[i]);
	fflush(stdout);
	helper_wait_for_end_of_input();
	helper_print_reply(connection);
	pause();
}
