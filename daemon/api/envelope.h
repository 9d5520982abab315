/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_ENVELOPE_H
#define DAEMON_API_ENVELOPE_H

#include "daemon/api/session-call.h"
#include "proto/json.h"

/*
 * The members of a request that say which method is called, and how. All other members are ignored,
 * unless a name stands twice in them.
 */
typedef struct Envelope {
	const char *method;     /* NULL if the request has no string of that name */
	JsonValue *method_name; /* contains that string */
	JsonValue *parameters;
	JsonValue *whole; /* owns these two if other members had to be built as well; or NULL */
	JsonText message;
	JsonText method_text;
	JsonText parameters_text;
	JsonText more;
	JsonText oneway;
	JsonText upgrade;
	const char *repeated_name; /* as json_repeated_name(), of the whole message */
	bool is_incomplete;        /* out of memory */
} Envelope;

/* Finds the members of a valid message and builds the name of the method and the parameters. */
Envelope envelope_open(JsonParser *parser, JsonText message);
void envelope_close(Envelope *envelope);

/* Tests whether to suppress the reply. A message with both oneway and more gets an error reply. */
bool envelope_wants_no_answer(const Envelope *envelope);

/*
 * Checks that the message names a method and that no object in it has a name twice. Returns
 * STATUS_SUCCESS, STATUS_INVALID_PARAMETER or STATUS_NO_MEMORY.
 */
NTSTATUS envelope_check(const Envelope *envelope, Failure *failure);

/*
 * Checks the flags and the type of the parameters, and stores both in the call. The envelope still
 * owns the parameters. Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, or STATUS_NOT_SUPPORTED if
 * the connection should be upgraded.
 */
NTSTATUS envelope_read(const Envelope *envelope, Call *call, Failure *failure);

#endif
