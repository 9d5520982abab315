/* SPDX-License-Identifier: MIT */
#ifndef HOST_SEND_H
#define HOST_SEND_H

#include "connection.h"

/* Sends what it can of a connection's output, descriptors with the first byte of their reply.
 * Returns false when the peer is gone. */
bool send_output(Connection *connection);

#endif
