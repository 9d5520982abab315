/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_TOOL_H
#define SYSTEM_TOOL_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
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
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the small programs of the system tests share. Each ends with a message at the first error.
 */

#define TOOL_DESCRIPTORS_MAX 253
#define TOOL_LINE_SIZE       256

static inline struct sockaddr_un tool_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		errx(2, "%s: longer than a socket's address can be", path);
	memcpy(address.sun_path, path, strlen(path));
	return address;
}

/* Connects to the daemon. Returns -1 with errno where it is refused. */
static inline int tool_try_connect(const char *path)
{
	struct sockaddr_un address = tool_address(path);
	int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

	if (descriptor < 0)
		err(2, "socket");
	if (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0)
		return descriptor;
	int error = errno;
	close(descriptor);
	errno = error;
	return -1;
}

static inline int tool_connect(const char *path)
{
	int descriptor = tool_try_connect(path);

	if (descriptor < 0)
		err(2, "connect %s", path);
	return descriptor;
}

static inline void tool_send(int descriptor, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(descriptor, text, length, MSG_NOSIGNAL);
		if (sent < 0)
			err(1, "send");
		text += sent;
		length -= (size_t)sent;
	}
}

/* sendmsg() of the bytes with copies of the descriptors; count 0: with none. */
static inline ssize_t tool_sendmsg(int connection, const char *text, size_t length,
				   const int *descriptors, size_t count, int flags)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * TOOL_DESCRIPTORS_MAX)];
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
		memcpy(CMSG_DATA(&control.header), descriptors, sizeof(int) * count);
	return sendmsg(connection, &message, flags | MSG_NOSIGNAL);
}

/* Sends the text with copies of the descriptors. Returns false with errno. */
static inline bool tool_send_descriptors(int connection, const char *text, const int *descriptors,
					 size_t count)
{
	return tool_sendmsg(connection, text, strlen(text), descriptors, count, 0) >= 0;
}

/* The one descriptor that comes with a byte. */
static inline int tool_receive_descriptor(int connection)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int descriptor = -1;

	if (recvmsg(connection, &message, 0) != 1 || message.msg_controllen < CMSG_LEN(sizeof(int)))
		errx(2, "no descriptor came");
	memcpy(&descriptor, CMSG_DATA(&control.header), sizeof(descriptor));
	return descriptor;
}

/* Prints one reply, or "closed" where the daemon closed instead, or "silent" after ten seconds. */
static inline void tool_print_reply(int connection)
{
	struct pollfd poll_for = { .fd = connection, .events = POLLIN };
	char byte = '\0';
	bool any = false;

	while (byte != '\n') {
		if (poll(&poll_for, 1, 10000) == 0) {
			puts(any ? "cut" : "silent");
			break;
		}
		if (recv(connection, &byte, 1, 0) != 1) {
			puts(any ? "cut" : "closed");
			break;
		}
		putchar(byte);
		any = true;
	}
	fflush(stdout);
}

static inline unsigned long tool_number(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		errx(2, "%s is no number", text);
	return number;
}

/* The next line of stdin, without its end; NULL where there is none. */
static inline char *tool_read_line(char line[TOOL_LINE_SIZE])
{
	if (!fgets(line, TOOL_LINE_SIZE, stdin))
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* Writes the text and its NUL into memory that others read; of a dma-buf that is told. */
static inline void tool_write_memory(int descriptor, uint64_t offset, const char *text)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE };
	size_t size = offset + strlen(text) + 1;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);

	if (memory == MAP_FAILED)
		err(2, "mmap");
	ioctl(descriptor, DMA_BUF_IOCTL_SYNC, &sync); /* a memfd has none */
	memcpy(memory + offset, text, strlen(text) + 1);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE;
	ioctl(descriptor, DMA_BUF_IOCTL_SYNC, &sync);
	munmap(memory, size);
}

/* Waits until stdin ends: the test lets go of the program so. */
static inline void tool_wait_for_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

#endif
