/* SPDX-License-Identifier: MIT */
/* Encodes requests. */
#include <string.h>

#include "client/libvail/internal.h"
#include "proto/framing.h"
#include "proto/json-writer.h"

/* The characters allowed in Varlink's interface and method names. */
#define METHOD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"

static NTSTATUS check_parameters(struct vail *vail, const char *parameters, size_t length)
{
	const char *error;

	if (length > FRAME_MESSAGE_MAX)
		return error_set(vail, STATUS_INVALID_PARAMETER,
				 "the parameters are longer than %d bytes; split them into "
				 "several calls",
				 FRAME_MESSAGE_MAX);
	JsonValue *value = json_parse(vail->parser, parameters, length, &error);
	bool is_object = json_type_of(value) == JSON_OBJECT;
	json_free(value);
	if (error)
		return error_set(vail, STATUS_INVALID_PARAMETER,
				 "the parameters are not JSON: %s; write them as {...}", error);
	if (!is_object)
		return error_set(vail, STATUS_INVALID_PARAMETER,
				 "the parameters are not a JSON object; write them as {...}");
	return STATUS_SUCCESS;
}

static void write_request(Writer *writer, const CallRequest *request)
{
	writer_object_begin(writer);
	writer_key(writer, "method");
	writer_string(writer, request->method);
	if (request->parameters) {
		writer_key(writer, "parameters");
		writer_json(writer, request->parameters, strlen(request->parameters));
	}
	if (request->more) {
		writer_key(writer, "more");
		writer_boolean(writer, true);
	}
	if (request->oneway) {
		writer_key(writer, "oneway");
		writer_boolean(writer, true);
	}
	writer_object_end(writer);
	writer_terminator(writer, '\0');
}

/* Checks the message as vaild does when it receives it. */
static NTSTATUS check_framing(struct vail *vail, Buffer *message)
{
	const char *error;

	if (frame_is_one_message(message, &error))
		return STATUS_SUCCESS;
	return error_set(vail, STATUS_INVALID_PARAMETER, "this request cannot be sent: %s", error);
}

NTSTATUS request_encode(struct vail *vail, const CallRequest *request, Buffer *out)
{
	_cleanup_(buffer_deinit) Buffer message = BUFFER_INIT;
	const char *method = request->method, *parameters = request->parameters;
	Writer writer = WRITER_INIT(&message);

	if (!method || *method == '\0' || method[strspn(method, METHOD_CHARACTERS)] != '\0')
		return error_set(vail, STATUS_INVALID_PARAMETER,
				 "this is not the name of a method; give one like "
				 "io.vaild.ListRegistrations");
	NTSTATUS status = STATUS_SUCCESS;
	if (parameters)
		status = check_parameters(vail, parameters, strlen(parameters));
	if (status != STATUS_SUCCESS)
		return status;
	write_request(&writer, request);
	if (writer.failed)
		return error_set_no_memory(vail);
	status = check_framing(vail, &message);
	if (status != STATUS_SUCCESS)
		return status;
	if (!buffer_append(out, buffer_head(&message), buffer_size(&message)))
		return error_set_no_memory(vail);
	return STATUS_SUCCESS;
}
