/* SPDX-License-Identifier: MIT */
#include "client/libvail/parameters.h"

#include <string.h>

#include "client/libvail/internal.h"
#include "proto/guid.h"
#include "proto/hex-address.h"

/* ---- Writing ---- */

void parameters_begin(Parameters *parameters)
{
	*parameters = (Parameters){ .text = BUFFER_INIT };
	parameters->writer = WRITER_INIT(&parameters->text);
	writer_object_begin(&parameters->writer);
}

void parameters_deinit(Parameters *parameters)
{
	buffer_deinit(&parameters->text);
}

NTSTATUS parameters_end(struct vail *vail, Parameters *parameters, const char **ret_text)
{
	if (!vail)
		return STATUS_INVALID_PARAMETER;
	if (parameters->wrong)
		return error_set(vail, STATUS_INVALID_PARAMETER, "%s", parameters->wrong);
	writer_object_end(&parameters->writer);
	writer_terminator(&parameters->writer, '\0');
	if (parameters->writer.failed)
		return error_set_no_memory(vail);
	*ret_text = buffer_head(&parameters->text);
	return STATUS_SUCCESS;
}

NTSTATUS parameters_call(struct vail *vail, const char *method, Parameters *parameters,
			 JsonValue **ret_message, JsonValue **ret_reply)
{
	CallRequest request = { .method = method };
	NTSTATUS status = parameters_end(vail, parameters, &request.parameters);

	if (status != STATUS_SUCCESS)
		return status;
	return call_blocking(vail, &request, ret_message, ret_reply);
}

NTSTATUS parameters_call_plain(struct vail *vail, const char *method, Parameters *parameters)
{
	JsonValue *message = NULL, *reply;
	NTSTATUS status = parameters_call(vail, method, parameters, &message, &reply);

	json_free(message);
	return status;
}

NTSTATUS refuse_size(struct vail *vail, const char *init)
{
	return error_set(vail, STATUS_INVALID_PARAMETER,
			 "the struct's size is unknown to this libvail; initialize "
			 "the struct with %s",
			 init);
}

/* ---- Reading ---- */

/* Returns false if the member is absent or no address. */
static bool address_of_member(const JsonValue *object, const char *name, uint64_t *ret_address)
{
	const char *text = member_text(object, name);

	return text && address_parse(text, ret_address);
}

uint64_t member_address(const JsonValue *object, const char *name)
{
	uint64_t address = 0;

	address_of_member(object, name, &address);
	return address;
}

NTSTATUS read_handle(struct vail *vail, const JsonValue *reply, const char *name, char *ret_handle)
{
	const char *text = member_text(reply, name);
	Handle handle;

	if (!text || !handle_parse(text, &handle))
		return error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
				 "vaild's reply has no handle \"%s\"; use the libvail that "
				 "belongs to this vaild",
				 name);
	if (ret_handle)
		memcpy(ret_handle, text, VAIL_HANDLE_SIZE);
	return STATUS_SUCCESS;
}

_Static_assert(VAIL_HANDLE_SIZE == HANDLE_TEXT_LENGTH + 1,
	       "the size covers a handle's text and its NUL");

NTSTATUS read_address(struct vail *vail, const JsonValue *reply, const char *name,
		      uint64_t *ret_address)
{
	uint64_t address;

	if (!address_of_member(reply, name, &address))
		return error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
				 "vaild's reply has no address \"%s\"; use the libvail that "
				 "belongs to this vaild",
				 name);
	if (ret_address)
		*ret_address = address;
	return STATUS_SUCCESS;
}
