/* SPDX-License-Identifier: MIT */
#ifndef PROTO_ERROR_REPLY_H
#define PROTO_ERROR_REPLY_H

#include "proto/json-writer.h"
#include "proto/vail-status.h"

/* Writes the parts of error replies, {"error": …, "parameters": {…}}, that all servers share. */

/* Begins the reply; the caller then writes its parameters, and ends both objects. */
void error_reply_begin(Writer *writer, const char *interface, const char *name);

/* Writes the status as name and code, the message, and the parameter unless it is "". */
void error_reply_write_status(Writer *writer, NTSTATUS status, const char *message,
			      const char *parameter);

#endif
