/* SPDX-License-Identifier: MIT */
#include "daemon/child/socket-drain.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/child/child-clone.h"
#include "daemon/core/limit.h"
#include "proto/macros.h"

/* More bytes than can wait in a Unix socket, whatever its peer's send buffer is. */
#define WAITING_MAX (1 << 20)

/*
 * Room for what the kernel puts before the fds of a message: credentials, a pidfd, a time, and a
 * security label. The peer can ask for them if it has the same socket open. Without this room, the
 * kernel would close the last fds itself while they are received, and that can block.
 */
#define OTHER_CONTROL_MAX 8192

/* The fds of a message, and the pidfd of its sender. */
#define RECEIVED_FDS_MAX (LIMIT_MESSAGE_FDS + 1)

/* Counts the unread bytes in the socket. */
static int count_waiting(int fd)
{
	int waiting;

	return ioctl(fd, SIOCINQ, &waiting) < 0 ? 0 : waiting;
}

static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* Treats a byte that was sent out of band as any other, because it can come with fds as well. */
static void read_out_of_band_inline(int fd)
{
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

/* Receives fds of at most one message. Returns false if nothing is left in the socket. */
static bool receive_some(int fd)
{
	char data[4096];
	union {
		char bytes[CMSG_SPACE(LIMIT_MESSAGE_FDS * sizeof(int)) + OTHER_CONTROL_MAX];
		struct cmsghdr align;
	} control;
	struct iovec bytes = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	return recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0;
}

static void close_others(int fd)
{
	if (fd > 0)
		close_range(0, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0u, 0);
}

/*
 * Starts a child with an fd table of its own. Returns here when the child has begun to exit, which
 * is before the kernel closes its fds. Returns 0 in the child, and a negative number on failure.
 */
static pid_t clone_until_exit(void)
{
	return child_clone(CLONE_VFORK);
}

/*
 * Receives everything. When the fd table is nearly full, another child continues, while this one
 * has the received fds open.
 */
static void receive_in_child(int fd, size_t messages_max)
{
	size_t received = 0;

	close_others(fd);
	while (receive_some(fd))
		if (++received == messages_max) {
			if (clone_until_exit() != 0)
				return;
			close_others(fd);
			received = 0;
		}
}

/* Returns how many messages with fds a process can receive beside the socket itself. */
static size_t count_receivable(int fd)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= (rlim_t)fd)
		return 1;
	size_t messages = (size_t)((limit.rlim_cur - 1) / RECEIVED_FDS_MAX);
	return messages > 0 ? messages : 1;
}

/*
 * Starts a child that starts the one which receives, and exits as soon as that has received
 * everything. So the daemon need not wait until the fds are closed.
 */
static bool empty(int fd)
{
	size_t messages_max = count_receivable(fd);
	pid_t pid = child_clone(CLONE_FILES);

	if (pid == 0) {
		if (clone_until_exit() == 0)
			receive_in_child(fd, messages_max);
		child_exit();
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return count_waiting(fd) == 0;
}

bool socket_end(int fd)
{
	if (!is_socket(fd))
		return true;
	shutdown(fd, SHUT_RDWR);
	read_out_of_band_inline(fd);
	return count_waiting(fd) == 0 || empty(fd);
}

bool socket_has_fds(int fd)
{
	_cleanup_free_ char *data = NULL;

	if (count_waiting(fd) == 0)
		return false;
	data = malloc(WAITING_MAX);
	if (!data)
		return true;
	struct iovec bytes = { .iov_base = data, .iov_len = WAITING_MAX };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	read_out_of_band_inline(fd);
	/* Without a buffer for fds, the kernel reports that it left some out. */
	return recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) > 0 &&
	       (message.msg_flags & MSG_CTRUNC);
}
