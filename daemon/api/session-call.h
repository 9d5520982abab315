/* SPDX-License-Identifier: MIT */
#ifndef API_SESSION_CALL_H
#define API_SESSION_CALL_H

#include "methods.h"
#include "session.h"

/* Each refusal fits in here, and each answer to what makes something, but for VMs with many vGPUs
 * or display clients. It is there before a message is looked at. */
#define REPLY_ROOM 4096

/* The envelope of a call, whose method is known. */
typedef struct Call {
	const Method *method;
	const JsonValue *parameters;
	bool more;
	char terminator;
	size_t descriptor_count; /* of the session's, that are the message's */
} Call;

/*
 * Does what is asked for, and writes the answer, or lets a stream begin that answers. Writes
 * nothing where there is no memory for the answer: the connection is to be ended then.
 */
void session_call(Session *session, const Call *call, Buffer *out);

#endif
