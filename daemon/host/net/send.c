/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/send.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/api/session-fds.h"

/* Sends bytes, with the fds of an offer attached to the first byte. */
static ssize_t send_outgoing(int socket, const char *bytes, size_t size, const OutgoingFds *offer)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(offer->items))];
	} control = { 0 };
	struct iovec vector = { .iov_base = (char *)bytes, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(offer->count * sizeof(int)),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(offer->count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), offer->items, offer->count * sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Makes one send call: either one reply with its fds, or all bytes before the next such reply. */
static ssize_t send_some(Connection *connection, const Buffer *output)
{
	const OutgoingFds *offer = session_outgoing_fds(&connection->session);
	size_t size = buffer_size(output);

	if (offer && offer->begin == 0)
		return send_outgoing(connection->socket, buffer_head(output), offer->end, offer);
	if (offer)
		size = offer->begin;
	return send(connection->socket, buffer_head(output), size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool send_output(Connection *connection, Buffer *output)
{
	while (buffer_size(output) > 0) {
		ssize_t size = send_some(connection, output);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN;
		session_sent(&connection->session, (size_t)size);
		buffer_consume(output, (size_t)size);
	}
	return true;
}
