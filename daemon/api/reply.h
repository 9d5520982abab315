/* SPDX-License-Identifier: MIT */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "failure.h"
#include "writer.h"

/* The envelopes of replies: {"parameters": {…}} and {"error": …, "parameters": {…}}. */

/* Opens a reply; what is written next are its parameters. Status is written for io.vaild*. */
void reply_begin(Writer *writer, const char *interface);
void reply_end(Writer *writer, bool continues, char terminator);

/* An error of the interface. Where it is org.varlink.service, which cannot carry a status of ours,
 * it is Varlink's own InvalidParameter or InterfaceNotFound, or else an error of io.vaild. */
void reply_failure(Writer *writer, const char *interface, const Failure *failure, char terminator);

/* Writes the whole of a failure in place of what has been written since begin, or nothing. */
void reply_failure_instead(Writer *writer, size_t begin, const char *interface,
			   const Failure *failure, char terminator);

/* One of Varlink's own errors, with the one parameter that it has, or none (NULL). */
void reply_varlink_error(Writer *writer, const char *name, const char *quoted_key,
			 const char *value, char terminator);

#endif
