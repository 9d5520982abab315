/* SPDX-License-Identifier: MIT */
#include "client/vail-view/channel-socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client/common/client-list.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "proto/macros.h"

bool channel_socket_is_usable(int fd)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof(peer), type_size = sizeof(int);
	int type = SOCK_DGRAM; /* such a socket would not tell when the other end is closed */

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.ss_family == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type != SOCK_DGRAM;
}

/* Sends the channel and its rights. Returns false after it has logged an error. */
static bool send_channel(const PassedChannel *channel, int fd)
{
	char rights[DISPLAY_RIGHTS_SIZE], line[DISPLAY_RIGHTS_SIZE + 1];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec vector = { .iov_base = line };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	snprintf(line, sizeof(line), "%s\n", display_rights_text(channel->rights, ',', rights));
	vector.iov_len = strlen(line);
	memcpy(CMSG_DATA(&control.header), &channel->fd, sizeof(channel->fd));
	while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		log_message("cannot send the display channel over file descriptor %d: %s", fd,
			    strerror(errno));
		return false;
	}
	return true;
}

/* Waits for the end of the channel, or until the other process closes the socket. */
static int wait_for_end(PassedChannel *channel, int fd)
{
	while (!channel->has_ended) {
		/* Reads nothing, because the other process may use the socket for itself. */
		struct pollfd poll_fds[] = { { .fd = fd, .events = POLLRDHUP },
					     passed_channel_poll(channel) };

		if (poll(poll_fds, ARRAY_SIZE(poll_fds), -1) < 0)
			continue; /* interrupted */
		if (poll_fds[1].revents != 0)
			passed_channel_process(channel);
		if (poll_fds[0].revents == 0)
			continue;
		passed_channel_finish(channel);
		return EXIT_DONE;
	}
	return channel->is_requested ? EXIT_DONE : EXIT_FAILED;
}

int channel_socket_pass(const ChannelRequest *request, int fd)
{
	PassedChannel channel;
	int exit_status = EXIT_FAILED;

	if (passed_channel_open(&channel, request) && send_channel(&channel, fd)) {
		passed_channel_release(&channel);
		exit_status = wait_for_end(&channel, fd);
	}
	passed_channel_close(&channel);
	return exit_status;
}
