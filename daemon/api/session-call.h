/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_SESSION_CALL_H
#define DAEMON_API_SESSION_CALL_H

#include "daemon/api/methods.h"
#include "daemon/api/session.h"

/*
 * Bytes of output reserved before a message is handled. Every error reply fits, and so does the
 * reply of every method that creates something, except for VMs with many vGPUs or display clients.
 */
#define REPLY_ROOM 4096

/* The envelope of a call with a known method. */
typedef struct Call {
	const Method *method;
	const JsonValue *parameters;
	bool more;
	bool oneway; /* the reply is discarded */
	char terminator;
	size_t fd_count; /* number of the session's fds that belong to the message */
} Call;

/*
 * Executes the call and writes its reply, or begins the stream that replies. Writes nothing if
 * memory for the reply is missing; the caller then closes the connection. Returns false, with
 * nothing written or changed, if the host is busy with the call; make it again when the host has
 * finished.
 */
bool session_call(Session *session, const Call *call, Buffer *out);

#endif
