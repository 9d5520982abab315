/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_SERVER_H
#define TESTS_SUPPORT_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include <vail.h>

/*
 * A server for tests of libvail. It runs in the thread of the test: the test sends the reply to a
 * blocking call before it makes the call.
 */

typedef struct FakeServer {
	char directory[32];
	char path[64];
	int listener;
	int connection;
	struct vail *vail;
} FakeServer;

/* The result of one recvmsg(). The caller closes the fds with received_data_close(). */
typedef struct ReceivedData {
	char bytes[1 << 18];
	size_t size;
	int fds[253]; /* the kernel's maximum for a message */
	size_t count;
} ReceivedData;

/* Creates the socket and connects a handle to it. fake_server_deinit() frees both. */
void fake_server_init(FakeServer *server);
void fake_server_deinit(FakeServer *server);

/* Creates the socket again, after its fd was closed and its file removed. */
void fake_server_listen(FakeServer *server);

/* Accepts the handle's next connection and closes the previous one. */
void fake_server_accept(FakeServer *server);

/* Sends the bytes and fds in one sendmsg(). The fds remain the caller's. */
void fake_server_send(const FakeServer *server, const char *bytes, size_t size, const int *fds,
		      size_t count);

/* Sends the reply {"parameters":{...}} and its NUL. parameters is the text inside the braces. */
void fake_server_reply(const FakeServer *server, const char *parameters, const int *fds,
		       size_t count);

/* Answers a call, after which the handle may send fds. */
void fake_server_answer_once(const FakeServer *server);

/* Receives once. Fails the test if no data has arrived. */
void fake_server_receive(const FakeServer *server, ReceivedData *ret_received);
void received_data_close(ReceivedData *received);

/* Returns the number of fds open in this process. */
size_t count_open_fds(void);

/* Creates a memfd with this content, which the caller closes. */
int make_file(const char *content);

/* Tests whether the fd's file has this content. */
bool has_content(int fd, const char *content);

#endif
