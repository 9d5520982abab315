/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/notify-socket.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/fd-util.h"

/*
 * The memory of a short message in the kernel. It is 768 bytes on current kernels; with more, the
 * socket is writable earlier and blocks earlier.
 */
#define MESSAGE_MEMORY 768

/*
 * The kernel calls a socket writable while its unread messages use a quarter of the send buffer at
 * most.
 */
#define SEND_BUFFER (4 * NOTIFY_BURST * MESSAGE_MEMORY)

/* Stores the address of $NOTIFY_SOCKET. Returns its size, or 0 if it is not that of a socket. */
static socklen_t read_address(struct sockaddr_un *ret)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t length = name ? strlen(name) : 0;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length < 2 || length >= sizeof(ret->sun_path) || (name[0] != '/' && name[0] != '@'))
		return 0;
	memcpy(ret->sun_path, name, length);
	if (name[0] == '@') /* an abstract name begins with a NUL */
		ret->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

int notify_socket_open(void)
{
	/* The kernel doubles the number for its own use of the memory. */
	const int half = SEND_BUFFER / 2;
	struct sockaddr_un address;
	socklen_t size = read_address(&address);

	if (size == 0)
		return -EDESTADDRREQ;
	_cleanup_close_ int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify < 0 || setsockopt(notify, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half)) < 0 ||
	    connect(notify, (struct sockaddr *)&address, size) < 0)
		return -errno;
	return TAKE_FD(notify);
}

static void add_fd(struct msghdr *message, int fd)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

int notify_socket_send(int notify, const char *text, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec data = { .iov_base = (char *)text, .iov_len = strlen(text) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	ssize_t size;

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		add_fd(&message, fd);
	}
	do
		size = sendmsg(notify, &message, MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	return size < 0 ? -errno : 0;
}
