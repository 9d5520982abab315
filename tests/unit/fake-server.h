/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_FAKE_SERVER_H
#define TESTS_UNIT_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "vail.h"

/*
 * The other side of libvail, played by the test itself, in the same thread: a blocking call is
 * answered by a reply that waits in the socket before it is asked for.
 */

typedef struct FakeServer {
	char folder[32];
	char path[64];
	int listener;
	int connection;
	struct vail *vail;
} FakeServer;

/* What one recvmsg() has brought. The descriptors are the caller's to close. */
typedef struct Received {
	char bytes[1 << 18];
	size_t size;
	int descriptors[300];
	size_t count;
} Received;

/* Makes the socket and connects a handle to it. Both are given back by the second. */
void fake_server_init(FakeServer *server);
void fake_server_deinit(FakeServer *server);

/* Makes the socket anew, after it was closed and its file taken away. */
void fake_server_listen(FakeServer *server);

/* Takes the next connection of the handle, after one was lost. */
void fake_server_accept(FakeServer *server);

/* Sends these bytes in one sendmsg(), with the descriptors, which stay the caller's. */
void fake_server_send(const FakeServer *server, const char *bytes, size_t size,
		      const int *descriptors, size_t count);

/* Sends a reply with its NUL: {"parameters":{...}}, with what stands in the braces. */
void fake_server_reply(const FakeServer *server, const char *parameters, const int *descriptors,
		       size_t count);

/* Answers something, so that the handle may send descriptors. */
void fake_server_know(const FakeServer *server);

/* Receives once. Fails the test when nothing is there. */
void fake_server_receive(const FakeServer *server, Received *ret_received);
void received_close(Received *received);

/* How many descriptors this process has open. */
size_t count_open_descriptors(void);

/* A memfd of this content, and whether a descriptor reads as that. */
int make_file(const char *content);
bool reads_as(int descriptor, const char *content);

#endif
