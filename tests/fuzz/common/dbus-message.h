/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_COMMON_DBUS_MESSAGE_H
#define TESTS_FUZZ_COMMON_DBUS_MESSAGE_H

#include "proto/buffer.h"
#include "tests/fuzz/common/fuzz-input.h"

/*
 * Writes D-Bus messages as the peer of an sd-bus would send them. The headers are valid, so that
 * the messages reach the code under test; the bodies are whatever the caller passes.
 */

typedef enum DbusType {
	DBUS_CALL = 1,
	DBUS_REPLY = 2,
	DBUS_ERROR = 3,
	DBUS_SIGNAL = 4,
} DbusType;

typedef struct DbusHeader {
	DbusType type;
	const char *path;      /* of a call or a signal; otherwise NULL */
	const char *interface; /* likewise of both */
	const char *member;    /* likewise of both */
	const char *error;     /* name of an error; otherwise NULL */
	uint32_t reply_to;     /* serial of the call; 0 if it is no reply */
	const char *signature; /* of the body */
	uint32_t fd_count;     /* number of fds that come with the message */
} DbusHeader;

/*
 * Returns the client's end of a new connection, on which the server has accepted the client. Stores
 * the server's end in *ret_server. Neither blocks. The caller closes both.
 */
int dbus_connection(int *ret_server);

/* Sends a message with this serial, and its fds. What does not fit into the socket is lost. */
void dbus_send(int server, const DbusHeader *header, uint32_t serial, Input body, const int *fds);

/* Append a value to a body, aligned as D-Bus demands. */
void dbus_body_number(Buffer *body, uint32_t number);
void dbus_body_long_number(Buffer *body, uint64_t number);
void dbus_body_text(Buffer *body, const char *text);
/* The array of bytes repeats the pattern up to its size. */
void dbus_body_bytes(Buffer *body, Input pattern, size_t size);

#endif
