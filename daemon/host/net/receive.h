/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_RECEIVE_H
#define DAEMON_HOST_NET_RECEIVE_H

#include "daemon/host/net/connection.h"

/*
 * Receives bytes from a connection's socket together with their sender and their fds. The fds go to
 * the session if the caller may send fds, otherwise to the closer.
 */
typedef enum ReceiveResult {
	RECEIVED_BYTES,        /* appended to the input; *ret_metadata is set */
	RECEIVED_NOTHING,      /* nothing is queued now */
	RECEIVED_END,          /* the peer has closed its sending side */
	RECEIVED_TOO_MANY_FDS, /* the queued bytes carry fds, and the closer is full */
	RECEIVED_ERROR,
} ReceiveResult;

/*
 * Bytes that are received at a time. Input that a turn has no time for then stays in the socket, at
 * its sender's expense.
 */
#define RECEIVE_SIZE (8u << 10)

/* Tests whether a NUL is among the bytes that the next receive takes. */
bool nul_is_queued(int socket);

/* Tests whether the next byte is a NUL. */
bool nul_is_next(int socket);

/* Receives that many bytes at most, which must not exceed RECEIVE_SIZE. */
ReceiveResult receive(Connection *connection, size_t most, Buffer *input,
		      InputMetadata *ret_metadata);

#endif
