/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_COMMON_PREPARED_SERVER_H
#define TESTS_FUZZ_COMMON_PREPARED_SERVER_H

#include <vail.h>

#include "tests/fuzz/common/fuzz-input.h"

/*
 * A server for fuzz targets of clients. It runs in their thread: all that it sends is in the socket
 * before the client reads. Then comes the end of the connection, so that no client waits.
 */

/* Returns the path of the server's socket, which exists from the first call on. */
const char *prepared_server_path(void);

/*
 * Accepts the next connection, and sends the bytes and the fds and then the end of the stream. At
 * most 64 KiB are sent. Returns the connection, which the caller closes, or -1 if no client has
 * connected.
 */
int prepared_server_accept(Input bytes, const int *fds, size_t count);

/* Does the same, and closes the connection. Returns false if no client has connected. */
bool prepared_server_answer(Input bytes, const int *fds, size_t count);

/* Waits until a client has connected. */
void prepared_server_wait(void);

/* Ends the connections that clients have made meanwhile. */
void prepared_server_refuse(void);

/*
 * Opens a handle that never waits, and answers its connection. Each line feed ends a reply, for
 * which libvail needs a NUL. The caller closes the handle.
 */
struct vail *prepared_server_connect(Input replies, const int *fds, size_t count);

#endif
