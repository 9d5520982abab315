/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_CHANNEL_SOCKET_H
#define CLIENT_VAIL_VIEW_CHANNEL_SOCKET_H

#include <stdbool.h>

#include "client/vail-view/passed-channel.h"

/* Tests whether the fd is a connected Unix socket (stream or seqpacket), which can pass a channel.
 */
bool channel_socket_is_usable(int fd);

/*
 * Sends a display channel to the process that has started this one, with SCM_RIGHTS and the names
 * of its rights as a line, such as "view,input\n". Stays until that process closes the socket, or
 * until the channel has ended. Returns EXIT_DONE if that process has closed either, or an operator
 * the channel, and EXIT_FAILED after it has logged an error.
 *
 * fd: the socket; see channel_socket_is_usable(). Not owned.
 */
int channel_socket_pass(const ChannelRequest *request, int fd);

#endif
