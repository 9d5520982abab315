/* SPDX-License-Identifier: MIT */
/* Decodes replies into a status and a sentence. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/libvail/internal.h"
#include "proto/status.h"

/* Varlink's own errors carry no status or sentence, so the library supplies them. */
static const struct {
	const char *name;
	NTSTATUS status;
	const char *member; /* the member of the parameters that names the subject; NULL for none */
	const char *sentence;
} varlink_errors[] = {
	{ "org.varlink.service.MethodNotFound", STATUS_NOT_SUPPORTED, "method",
	  "this vaild has no such method; to see the methods, run: man io.vaild" },
	{ "org.varlink.service.InterfaceNotFound", STATUS_NOT_SUPPORTED, "interface",
	  "this vaild has no such interface; list those that it has with: vailctl call "
	  "org.varlink.service.GetInfo" },
	{ "org.varlink.service.MethodNotImplemented", STATUS_NOT_SUPPORTED, "method",
	  "this vaild does not implement this method" },
	{ "org.varlink.service.InvalidParameter", STATUS_INVALID_PARAMETER, "parameter",
	  "this parameter is missing, unknown or not valid" },
	{ "org.varlink.service.ExpectedMore", STATUS_INVALID_PARAMETER, NULL,
	  "this method streams; call it with \"more\"" },
	{ "org.varlink.service.PermissionDenied", STATUS_ACCESS_DENIED, NULL,
	  "this process may not call this method" },
};

void reply_deinit(Reply *reply)
{
	json_free(reply->message);
	fd_list_close(&reply->fds);
	*reply = (Reply){ 0 };
}

static NTSTATUS fail_decode(struct vail *vail, const char *why)
{
	return error_set(vail, STATUS_INVALID_NETWORK_RESPONSE,
			 "%s sent an invalid reply (%s); check that this is vaild's "
			 "socket",
			 vail->path, why);
}

/* Parses "0x" and eight hex digits. */
static bool read_code(const char *text, NTSTATUS *ret_status)
{
	if (!text || strlen(text) != 10 || strncmp(text, "0x", 2) != 0)
		return false;
	for (const char *digit = text + 2; *digit; digit++)
		if (!isxdigit((unsigned char)*digit))
			return false;
	*ret_status = (NTSTATUS)strtoul(text + 2, NULL, 16);
	return true;
}

/* Reads the status in the parameters: its name if the library knows it, or else its number. */
static bool read_status(const JsonValue *parameters, NTSTATUS *ret_status)
{
	const char *name = json_string(json_member(parameters, "status"));

	if (!name)
		return false;
	return status_from_name(name, ret_status) ||
	       read_code(json_string(json_member(parameters, "code")), ret_status);
}

static char *copy_member(const JsonValue *parameters, const char *name)
{
	const char *text = json_string(json_member(parameters, name));

	return text ? strdup(text) : NULL;
}

/* Stores an error in the handle. sentence: used if the error has no message. */
static void record_error(struct vail *vail, const char *name, NTSTATUS status,
			 const JsonValue *parameters, const char *sentence)
{
	const char *message = json_string(json_member(parameters, "message"));
	ErrorDetails *error = &vail->error;

	error_set(vail, status, "%s", message ? message : sentence);
	error->name = strdup(name);
	error->parameter = copy_member(parameters, "parameter");
	error->limit = copy_member(parameters, "limit");
	json_read_unsigned(json_member(parameters, "maximum"), &error->maximum);
	json_read_unsigned(json_member(parameters, "used"), &error->used);
}

/* Returns false if this is not one of Varlink's own errors. */
static bool decode_varlink_error(struct vail *vail, const char *name, Reply *reply)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(varlink_errors) && strcmp(varlink_errors[i].name, name) != 0)
		i++;
	if (i == ARRAY_SIZE(varlink_errors))
		return false;

	const char *member = varlink_errors[i].member;
	const char *about = member ? json_string(json_member(reply->parameters, member)) : NULL;
	char sentence[256];

	snprintf(sentence, sizeof(sentence), "%.100s%s%s", about ? about : "", about ? ": " : "",
		 varlink_errors[i].sentence);
	reply->status = varlink_errors[i].status;
	record_error(vail, name, reply->status, reply->parameters, sentence);
	return true;
}

static NTSTATUS decode_error(struct vail *vail, const char *name, Reply *reply)
{
	if (decode_varlink_error(vail, name, reply))
		return STATUS_SUCCESS;
	if (!read_status(reply->parameters, &reply->status))
		return fail_decode(vail, "the error has no status");
	if (reply->status >= 0)
		return fail_decode(vail, "the error has the status of a success");
	record_error(vail, name, reply->status, reply->parameters, "vaild gave no reason");
	return STATUS_SUCCESS;
}

static NTSTATUS decode_success(struct vail *vail, Reply *reply)
{
	reply->status = STATUS_SUCCESS;
	if (json_member(reply->parameters, "status") &&
	    (!read_status(reply->parameters, &reply->status) || reply->status != STATUS_SUCCESS))
		return fail_decode(vail, "the success has another status");
	return STATUS_SUCCESS;
}

NTSTATUS reply_decode(struct vail *vail, Reply *reply, bool more)
{
	const JsonValue *error = json_member(reply->message, "error");
	const JsonValue *continues = json_member(reply->message, "continues");

	error_clear(vail);
	reply->parameters = json_member(reply->message, "parameters");
	if (json_type_of(reply->message) != JSON_OBJECT)
		return fail_decode(vail, "not a JSON object");
	if (reply->parameters && json_type_of(reply->parameters) != JSON_OBJECT)
		return fail_decode(vail, "the parameters are not an object");
	if (continues && !json_read_boolean(continues, &reply->continues))
		return fail_decode(vail, "\"continues\" is not a boolean");
	if (reply->continues && (!more || error))
		return fail_decode(vail, "it continues, but only one reply is allowed");
	if (!error)
		return decode_success(vail, reply);
	if (!json_string(error))
		return fail_decode(vail, "the error has no name");
	return decode_error(vail, json_string(error), reply);
}
