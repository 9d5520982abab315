/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/common/prepared-server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include "tests/support/helper.h"

#define BYTES_MAX 65536
#define FDS_MAX   8

static int listener = -1;
static char path[160];

const char *prepared_server_path(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (listener >= 0)
		return path;
	snprintf(path, sizeof(path), "%s/socket", fuzz_folder());
	fuzz_must(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fuzz_must(listener >= 0 &&
		  bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		  listen(listener, 128) == 0);
	return path;
}

static int accept_next(void)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int prepared_server_accept(Input bytes, const int *fds, size_t count)
{
	int connection = accept_next();
	size_t size = bytes.size < BYTES_MAX ? bytes.size : BYTES_MAX;

	if (connection < 0)
		return -1;
	fuzz_must(count <= FDS_MAX);
	/* The client may have closed the connection already. */
	if (size > 0 && helper_sendmsg(connection, (const char *)bytes.data, size, fds, count,
				       MSG_NOSIGNAL) != (ssize_t)size)
		fuzz_must(errno == EPIPE);
	shutdown(connection, SHUT_WR);
	return connection;
}

bool prepared_server_answer(Input bytes, const int *fds, size_t count)
{
	_cleanup_close_ int connection = prepared_server_accept(bytes, fds, count);

	return connection >= 0;
}

void prepared_server_wait(void)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };

	poll(&poll_fd, 1, -1);
}

void prepared_server_refuse(void)
{
	int connection;

	while ((connection = accept_next()) >= 0)
		close(connection);
}

struct vail *prepared_server_connect(Input replies, const int *fds, size_t count)
{
	char *text = input_text(replies);
	struct vail *vail = NULL;

	for (size_t i = 0; i < replies.size; i++)
		if (text[i] == '\n')
			text[i] = '\0';
	fuzz_must(vail_open(prepared_server_path(), &vail) == STATUS_SUCCESS);
	vail_set_timeout(vail, 0);
	fuzz_must(
		prepared_server_answer((Input){ (const uint8_t *)text, replies.size }, fds, count));
	free(text);
	return vail;
}
