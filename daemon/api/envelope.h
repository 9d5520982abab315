/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_ENVELOPE_H
#define DAEMON_API_ENVELOPE_H

#include "daemon/api/session-call.h"
#include "proto/json.h"

/*
 * The members of a request that say which method is called, and how. Only these are built. All
 * other members are skipped, whatever they contain.
 */
typedef struct Envelope {
	const char *method;     /* NULL if the request has no string of that name */
	JsonValue *method_name; /* contains that string */
	JsonValue *parameters;  /* NULL before envelope_read() */
	JsonText parameters_text;
	JsonText more;
	JsonText oneway;
} Envelope;

/* Finds the members of a valid message and builds the name of the method. */
Envelope envelope_open(JsonParser *parser, JsonText message);
void envelope_close(Envelope *envelope);

/* Tests whether to suppress the reply. A message with both oneway and more gets an error reply. */
bool envelope_wants_no_answer(const Envelope *envelope);

/*
 * Checks the flags and the type of the parameters, builds the parameters, and stores both in the
 * call. The envelope still owns the parameters. Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER or
 * STATUS_NO_MEMORY.
 */
NTSTATUS envelope_read(Envelope *envelope, JsonParser *parser, Call *call, Failure *failure);

#endif
