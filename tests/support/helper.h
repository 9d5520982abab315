/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_HELPER_H
#define TESTS_SUPPORT_HELPER_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/dma-buf.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Functions that the helper programs of the tests share. If something fails, they print an error
 * and exit, unless they say that they return the error. Exit status 2 is a failure of the test
 * itself, 1 a failure of the daemon.
 */

#define HELPER_FDS_MAX   253
#define HELPER_LINE_SIZE 256

/*
 * The time after which a wait for the daemon is a hang, in seconds. No machine
 * is that slow. Waits for an answer have no such limit, because tests/check ends a test that hangs.
 */
#define HELPER_HANG_SECONDS 900

static inline struct sockaddr_un helper_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		errx(2, "%s is too long for a socket address", path);
	memcpy(address.sun_path, path, strlen(path));
	return address;
}

/* Connects to the daemon. Returns the connection, or -1 with errno if connect() fails. */
static inline int helper_try_connect(const char *path)
{
	struct sockaddr_un address = helper_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		err(2, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Forks a child with this pid, which must be free. Returns 0 in the child, as fork() does. */
static inline pid_t helper_fork_at(pid_t pid)
{
	struct clone_args arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};
	long child = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (child < 0)
		err(2, "clone3 with pid %d", pid);
	return (pid_t)child;
}

static inline int helper_connect(const char *path)
{
	int fd = helper_try_connect(path);

	if (fd < 0)
		err(2, "connect %s", path);
	return fd;
}

static inline void helper_send(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		if (sent < 0)
			err(1, "send");
		text += sent;
		length -= (size_t)sent;
	}
}

/* Calls sendmsg() with the bytes and count fds, and returns its result. */
static inline ssize_t helper_sendmsg(int connection, const char *text, size_t length,
				     const int *fds, size_t count, int flags)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * HELPER_FDS_MAX)];
	} control;
	struct iovec vector = { .iov_base = (char *)text, .iov_len = length };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = count > 0 ? &control : NULL,
		.msg_controllen = count > 0 ? CMSG_SPACE(sizeof(int) * count) : 0,
	};

	memset(&control, 0, sizeof(control));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
	if (count > 0)
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
	return sendmsg(connection, &message, flags | MSG_NOSIGNAL);
}

/* Sends the text with count fds. Returns false with errno if it fails. */
static inline bool helper_send_fds(int connection, const char *text, const int *fds, size_t count)
{
	return helper_sendmsg(connection, text, strlen(text), fds, count, 0) >= 0;
}

/*
 * Moves the fds of a received message to fds, which has room for max. Closes those for which there
 * is no room. Returns how many arrived.
 */
static inline size_t helper_take_fds(struct msghdr *message, int *fds, size_t max)
{
	size_t arrived = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++, arrived++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			if (arrived < max)
				fds[arrived] = fd;
			else
				close(fd);
		}
	}
	return arrived;
}

/*
 * Calls recvmsg() with the flags and returns its result. Stores the fds of the message in fds,
 * which has room for max, and their number in *ret_count. The caller closes them. Returns -1 with
 * EMSGSIZE and stores no fd if more than max arrive or the process cannot hold them all.
 */
static inline ssize_t helper_recvmsg(int connection, void *data, size_t size, int flags, int *fds,
				     size_t max, size_t *ret_count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * HELPER_FDS_MAX)];
	} control;
	struct iovec vector = { .iov_base = data, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t received = recvmsg(connection, &message, flags);

	*ret_count = 0;
	if (received < 0)
		return received;
	size_t arrived = helper_take_fds(&message, fds, max);
	if (arrived <= max && !(message.msg_flags & MSG_CTRUNC)) {
		*ret_count = arrived;
		return received;
	}
	for (size_t i = 0; i < arrived && i < max; i++)
		close(fds[i]);
	errno = EMSGSIZE;
	return -1;
}

/* The same for a message with at most one fd. *ret_fd is -1 if the message has none. */
static inline ssize_t helper_recvmsg_one(int connection, void *data, size_t size, int flags,
					 int *ret_fd)
{
	size_t count;

	*ret_fd = -1;
	ssize_t received = helper_recvmsg(connection, data, size, flags, ret_fd, 1, &count);
	if (received < 0)
		*ret_fd = -1;
	return received;
}

/* Receives one byte and the fd that comes with it. */
static inline int helper_receive_fd(int connection)
{
	char byte;
	int fd;

	if (helper_recvmsg_one(connection, &byte, 1, 0, &fd) != 1 || fd < 0)
		errx(2, "received no fd");
	return fd;
}

/* Prints one reply, or "closed" if the daemon closes the connection instead. */
static inline void helper_print_reply(int connection)
{
	char byte = '\0';
	bool any = false;

	while (byte != '\n') {
		if (recv(connection, &byte, 1, 0) != 1) {
			puts(any ? "cut" : "closed");
			break;
		}
		putchar(byte);
		any = true;
	}
	fflush(stdout);
}

static inline unsigned long helper_number(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		errx(2, "%s is not a number", text);
	return number;
}

/* Reads a line of stdin into line, without its newline. Returns NULL at the end of stdin. */
static inline char *helper_read_line(char line[HELPER_LINE_SIZE])
{
	if (!fgets(line, HELPER_LINE_SIZE, stdin))
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/*
 * Writes the text and its NUL into a memfd or dma-buf that other processes read. A dma-buf is
 * synchronised, as its users must do around CPU access.
 */
static inline void helper_write_memory(int fd, uint64_t offset, const char *text)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE };
	size_t size = offset + strlen(text) + 1;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		err(2, "mmap");
	ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync); /* fails on a memfd, which does not need it */
	memcpy(memory + offset, text, strlen(text) + 1);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE;
	ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	munmap(memory, size);
}

/* Takes the ids and groups of the user, as a login would. Returns false with errno. */
static inline bool helper_become_user(const char *user)
{
	const struct passwd *entry = getpwnam(user);

	return entry && initgroups(user, entry->pw_gid) == 0 &&
	       setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == 0 &&
	       setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) == 0;
}

/* Blocks until the test closes stdin. */
static inline void helper_wait_for_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

#endif
