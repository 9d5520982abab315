/* SPDX-License-Identifier: MIT */
#include "proto/error-reply.h"

#include <stdio.h>

#include "proto/status.h"

void error_reply_begin(Writer *writer, const char *interface, const char *name)
{
	char error[96];

	snprintf(error, sizeof(error), "%s.%s", interface, name);
	writer_object_begin(writer);
	writer_key(writer, "error");
	writer_string(writer, error);
	writer_key(writer, "parameters");
	writer_object_begin(writer);
}

void error_reply_write_status(Writer *writer, NTSTATUS status, const char *message,
			      const char *parameter)
{
	char code[16];

	snprintf(code, sizeof(code), "0x%08X", (unsigned int)status);
	writer_key(writer, "status");
	writer_string(writer, status_name(status));
	writer_key(writer, "code");
	writer_string(writer, code);
	writer_key(writer, "message");
	writer_string(writer, message);
	if (parameter[0] != '\0') {
		writer_key(writer, "parameter");
		writer_string(writer, parameter);
	}
}
