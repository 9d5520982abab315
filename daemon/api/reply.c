/* SPDX-License-Identifier: MIT */
#include "daemon/api/reply.h"

#include <string.h>

#include "daemon/api/methods.h"
#include "proto/error-reply.h"
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

void reply_varlink_error(Writer *writer, const char *name, const char *quoted_key,
			 const char *value, char terminator)
{
	error_reply_begin(writer, INTERFACE_SERVICE, name);
	if (quoted_key) {
		writer_key_quoted(writer, quoted_key, strlen(quoted_key));
		writer_string(writer, value);
	}
	reply_end(writer, false, terminator);
}

static void write_failure(Writer *writer, const Failure *failure)
{
	error_reply_write_status(writer, failure->status, failure->message, failure->parameter);
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
	error_reply_begin(writer, of_service ? INTERFACE_VAILD : interface,
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

void reply_failure_append(Buffer *out, const char *interface, const Failure *failure,
			  char terminator)
{
	Writer writer = WRITER_INIT(out);

	reply_failure_instead(&writer, buffer_size(out), interface, failure, terminator);
}
