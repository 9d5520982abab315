/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_SEND_H
#define DAEMON_HOST_NET_SEND_H

#include "daemon/host/net/connection.h"

/*
 * Sends as much of the output as the socket accepts, and consumes it. The fds of a reply go with
 * its first byte. Returns false if sending fails, for example because the peer has closed the
 * connection.
 */
bool send_output(Connection *connection, Buffer *output);

#endif
