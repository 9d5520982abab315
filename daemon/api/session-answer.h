/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_SESSION_ANSWER_H
#define DAEMON_API_SESSION_ANSWER_H

#include "daemon/api/envelope.h"
#include "daemon/api/session.h"

/*
 * Answers the session's complete message: refuses it, or finds its method and calls that. Writes
 * nothing if memory for the reply is missing. Returns false, with nothing written or changed, if
 * the message has to be handled again when the host has finished.
 */
bool session_answer(Session *session, Envelope *envelope, Buffer *out);

#endif
