/* SPDX-License-Identifier: MIT */
#include "daemon/api/reply.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "proto/status.h"

static bool is_service_interface(const char *interface)
{
	return strcmp(interface, INTERFACE_SERVICE) == 0;
}

void reply_begin(Writer *writer, const char *interface)
{
	writer_object_begin(writer);
	writer_key(writer, "parameters");
	writer_object_begin(writer);
	if (!is_service_interface(interface)) {
		writer_key(writer, "status");
		writer_json(writer, "\"STATUS_SUCCESS\"", strlen("\"STATUS_SUCCESS\""));
	}
}

void reply_end_without_terminator(Writer *writer, bool continues)
{
	writer_object_end(writer);
	if (continues) {
		writer_key(writer, "continues");
		writer_boolean(writer, true);
	}
	writer_object_end(writer);
}

void reply_end(Writer *writer, bool continues, char terminator)
{
	reply_end_without_terminator(writer, continues);
	writer_terminator(writer, terminator);
}

static void error_begin(Writer *writer, const char *interface, const char *name)
{
	char error[96];

	snprintf(error, sizeof(error), "%s.%s", interface, name);
	writer_object_begin(writer);
	writer_key(writer, "error");
	writer_string(writer, error);
	writer_key(writer, "parameters");
	writer_object_begin(writer);
}

void reply_varlink_error(Writer *writer, const char *name, const char *quoted_key,
			 const char *value, char terminator)
{
	error_begin(writer, INTERFACE_SERVICE, name);
	if (quoted_key) {
		writer_key_quoted(writer, quoted_key, strlen(quoted_key));
		writer_string(writer, value);
	}
	reply_end(writer, false, terminator);
}

static void write_failure(Writer *writer, const Failure *failure)
{
	char code[16];

	snprintf(code, sizeof(code), "0x%08X", (unsigned int)failure->status);
	writer_key(writer, "status");
	writer_string(writer, status_name(failure->status));
	writer_key(writer, "code");
	writer_string(writer, code);
	writer_key(writer, "message");
	writer_string(writer, failure->message);
	if (failure->parameter[0] != '\0') {
		writer_key(writer, "parameter");
		writer_string(writer, failure->parameter);
	}
	if (failure->limit) {
		writer_key(writer, "limit");
		writer_string(writer, failure->limit);
		writer_key(writer, "maximum");
		writer_unsigned(writer, failure->maximum);
		writer_key(writer, "used");
		writer_unsigned(writer, failure->used);
	}
}

void reply_failure(Writer *writer, const char *interface, const Failure *failure, char terminator)
{
	bool of_service = is_service_interface(interface);

	if (of_service && failure->status == STATUS_INVALID_PARAMETER) {
		reply_varlink_error(writer, "InvalidParameter",
				    "\"parameter\":", failure->parameter, terminator);
		return;
	}
	if (of_service && failure->status == STATUS_NOT_FOUND) {
		reply_varlink_error(writer, "InterfaceNotFound",
				    "\"interface\":", failure->parameter, terminator);
		return;
	}
	error_begin(writer, of_service ? INTERFACE_VAILD : interface,
		    status_error_name(failure->status));
	write_failure(writer, failure);
	reply_end(writer, false, terminator);
}

void reply_failure_instead(Writer *writer, size_t begin, const char *interface,
			   const Failure *failure, char terminator)
{
	Buffer *out = writer->out;

	buffer_truncate(out, begin);
	*writer = WRITER_INIT(out);
	reply_failure(writer, interface, failure, terminator);
	if (writer->failed)
		buffer_truncate(out, begin);
}
