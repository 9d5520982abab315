/* SPDX-License-Identifier: MIT */
#ifndef HOST_RECEIVE_H
#define HOST_RECEIVE_H

#include "connection.h"

/*
 * Takes bytes from a connection's socket with what the kernel says of them: who sent them, and the
 * descriptors that came along, which nobody asked for and which go to the closer.
 */
typedef enum Received {
	RECEIVED_BYTES,                /* appended to the input; *ret_arrival is set */
	RECEIVED_NOTHING,              /* there is nothing now */
	RECEIVED_END,                  /* the peer will send no more */
	RECEIVED_TOO_MANY_DESCRIPTORS, /* what is queued carries some, and the closer is full */
	RECEIVED_ERROR,
} Received;

Received receive(Connection *connection, Buffer *input, Arrival *ret_arrival);

#endif
