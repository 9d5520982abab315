/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_REPLY_H
#define DAEMON_API_REPLY_H

#include "daemon/core/failure.h"
#include "proto/json-writer.h"

/* Writes the envelopes of replies: {"parameters": {…}} and {"error": …, "parameters": {…}}. */

/* Begins a reply; the caller then writes its parameters. Writes the status for io.vaild*. */
void reply_begin(Writer *writer, const char *interface);

/* End a reply. With continues, more replies to the same request follow. */
void reply_end(Writer *writer, bool continues, char terminator);
void reply_end_without_terminator(Writer *writer, bool continues);

/*
 * Writes the failure as an error of the interface. org.varlink.service has no errors with a status,
 * so for it writes Varlink's own InvalidParameter or InterfaceNotFound, or else an error of
 * io.vaild.
 */
void reply_failure(Writer *writer, const char *interface, const Failure *failure, char terminator);

/*
 * Truncates the output to begin and writes the failure. Writes nothing if out of memory, with
 * writer->failed set.
 */
void reply_failure_instead(Writer *writer, size_t begin, const char *interface,
			   const Failure *failure, char terminator);

/* Appends the failure to the output. Appends nothing if out of memory. */
void reply_failure_append(Buffer *out, const char *interface, const Failure *failure,
			  char terminator);

/* Writes one of Varlink's own errors, with its parameter unless quoted_key is NULL. */
void reply_varlink_error(Writer *writer, const char *name, const char *quoted_key,
			 const char *value, char terminator);

#endif
