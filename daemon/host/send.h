/* SPDX-License-Identifier: MIT */
#ifndef HOST_SEND_H
#define HOST_SEND_H

#include "connection.h"

/*
 * Sends as much of the connection's output as the socket accepts. The fds of a reply go with its
 * first byte. Returns false if sending fails, for example because the peer has closed the
 * connection.
 */
bool send_output(Connection *connection);

#endif
