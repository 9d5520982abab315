/* SPDX-License-Identifier: MIT */
#include "libvail-parameters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guid.h"
#include "libvail-internal.h"

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

void parameters_write_address(Parameters *parameters, uint64_t address)
{
	char text[sizeof("0x0123456789abcdef")];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	writer_string(&parameters->writer, text);
}

NTSTATUS parameters_end(struct vail *vail, Parameters *parameters, const char **ret_text)
{
	if (!vail)
		return STATUS_INVALID_PARAMETER;
	if (parameters->wrong)
		return vail_error_set(vail, STATUS_INVALID_PARAMETER, "%s", parameters->wrong);
	writer_object_end(&parameters->writer);
	writer_terminator(&parameters->writer, '\0');
	if (parameters->writer.failed)
		return vail_error_no_memory(vail);
	*ret_text = buffer_head(&parameters->text);
	return STATUS_SUCCESS;
}

NTSTATUS parameters_call(struct vail *vail, const char *method, Parameters *parameters,
			 JsonValue **ret_message, JsonValue **ret_reply)
{
	const char *text = NULL;
	NTSTATUS status = parameters_end(vail, parameters, &text);

	if (status != STATUS_SUCCESS)
		return status;
	return vail_call_value(vail, method, text, ret_message, ret_reply);
}

NTSTATUS parameters_call_plain(struct vail *vail, const char *method, Parameters *parameters)
{
	JsonValue *message = NULL, *reply;
	NTSTATUS status = parameters_call(vail, method, parameters, &message, &reply);

	json_free(message);
	return status;
}

/* ---- Reading ---- */

/* Reads "0x" and 1 to 16 hex digits; strtoull() alone would take blanks, signs and more digits. */
static bool address_parse(const char *text, uint64_t *ret_address)
{
	size_t digits;

	if (!text || strncmp(text, "0x", 2) != 0)
		return false;
	digits = strspn(text + 2, "0123456789abcdefABCDEF");
	if (digits < 1 || digits > 16 || text[2 + digits] != '\0')
		return false;
	*ret_address = strtoull(text + 2, NULL, 16);
	return true;
}

uint64_t member_address(const JsonValue *object, const char *name)
{
	uint64_t address = 0;

	address_parse(member_text(object, name), &address);
	return address;
}

NTSTATUS read_handle(struct vail *vail, const JsonValue *reply, const char *name, char *ret_handle)
{
	const char *text = member_text(reply, name);
	Handle handle;

	if (!text || !handle_parse(text, &handle))
		return vail_error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
				      "vaild answered without the handle \"%s\"; use a libvail of "
				      "its version",
				      name);
	if (ret_handle)
		memcpy(ret_handle, text, VAIL_HANDLE_SIZE);
	return STATUS_SUCCESS;
}

_Static_assert(VAIL_HANDLE_SIZE == HANDLE_TEXT_LENGTH + 1, "a handle's text and its NUL");

NTSTATUS read_address(struct vail *vail, const JsonValue *reply, const char *name,
		      uint64_t *ret_address)
{
	uint64_t address;

	if (!address_parse(member_text(reply, name), &address))
		return vail_error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
				      "vaild answered without the address \"%s\"; use a libvail of "
				      "its version",
				      name);
	if (ret_address)
		*ret_address = address;
	return STATUS_SUCCESS;
}
