/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/receive.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/api/session-fds.h"
#include "daemon/host/server.h"

/* Free space for each receive after a partial message. */
#define RECEIVE_STEP 4096

typedef union Control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(LIMIT_MESSAGE_FDS * sizeof(int))];
} Control;

/*
 * Passes the fds of a message to the session if the caller may send fds. Otherwise passes them to
 * the closer and counts them, so that the session refuses the message.
 */
static void take_fds(Connection *connection, const struct cmsghdr *header, InputMetadata *metadata)
{
	size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	metadata->closing_too_many |= fd_closer_is_full(connection->user);
	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
		if (connection->takes_fds)
			session_fd_arrived(&connection->session, fd, metadata);
		else
			fd_closer_close(&connection_server(connection)->closer, connection->user,
					fd);
	}
	metadata->had_fds |= !connection->takes_fds && count > 0;
}

/*
 * Reads the kernel's data about the bytes just received. Bytes without a sender count as foreign.
 */
static InputMetadata read_control(Connection *connection, struct msghdr *message)
{
	InputMetadata metadata = {
		.foreign = true,
		/*
		 * The buffer holds as many fds as a message can carry, but the kernel drops fds if
		 * the daemon has no room for them.
		 */
		.lost = (message->msg_flags & MSG_CTRUNC) != 0,
	};
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		struct ucred sender;

		if (header->cmsg_level != SOL_SOCKET)
			continue;
		if (header->cmsg_type == SCM_RIGHTS) {
			take_fds(connection, header, &metadata);
		} else if (header->cmsg_type == SCM_CREDENTIALS &&
			   header->cmsg_len == CMSG_LEN(sizeof(sender))) {
			memcpy(&sender, CMSG_DATA(header), sizeof(sender));
			metadata.foreign = sender.pid == 0 || sender.pid != connection->caller.pid;
		}
	}
	return metadata;
}

/*
 * Tests whether queued bytes carry fds, without receiving them, because received fds would have to
 * be closed. *ret_size is set to the number of bytes that were looked at, unless that is 0.
 */
static bool fds_are_queued(int socket, const struct iovec *bytes, size_t *ret_size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec look = *bytes;
	struct msghdr message = {
		.msg_iov = &look,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_PEEK);

	if (size > 0)
		*ret_size = (size_t)size;
	return size > 0 && message.msg_flags & MSG_CTRUNC;
}

bool nul_is_queued(int socket)
{
	char bytes[RECEIVE_STEP];
	ssize_t size = recv(socket, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK);

	return size > 0 && memchr(bytes, '\0', (size_t)size);
}

bool nul_is_next(int socket)
{
	char byte;

	return recv(socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1 && byte == '\0';
}

ReceiveResult receive(Connection *connection, size_t most, Buffer *input,
		      InputMetadata *ret_metadata)
{
	Control control;

	if (!buffer_reserve(input, input->data ? RECEIVE_STEP : RECEIVE_SIZE))
		return RECEIVED_ERROR;
	size_t room = input->capacity - input->end;
	struct iovec bytes = {
		.iov_base = buffer_tail(input),
		.iov_len = room < most ? room : most,
	};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	if (fd_closer_is_full(connection->user) && connection->may_hold_fds &&
	    fds_are_queued(connection->socket, &bytes, &bytes.iov_len))
		return RECEIVED_TOO_MANY_FDS;
	ssize_t size = recvmsg(connection->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? RECEIVED_NOTHING : RECEIVED_ERROR;
	if (size == 0)
		return RECEIVED_END;
	*ret_metadata = read_control(connection, &message);
	input->end += (size_t)size;
	return RECEIVED_BYTES;
}
