/* SPDX-License-Identifier: MIT */
#include "daemon/api/envelope.h"

static JsonText *find_text(Envelope *envelope, JsonText *method, JsonText name)
{
	if (json_text_name_is(name, "method"))
		return method;
	if (json_text_name_is(name, "parameters"))
		return &envelope->parameters_text;
	if (json_text_name_is(name, "more"))
		return &envelope->more;
	if (json_text_name_is(name, "oneway"))
		return &envelope->oneway;
	return NULL;
}

static bool is_absent(JsonText text)
{
	return text.length == 0 || json_text_is(text, "null");
}

Envelope envelope_open(JsonParser *parser, JsonText message)
{
	Envelope envelope = { 0 };
	JsonText method = { 0 };
	JsonTextMembers members = json_text_members(message);
	const char *error;

	while (json_text_members_next(&members)) {
		JsonText *text = find_text(&envelope, &method, members.name);

		if (text)
			*text = members.value;
	}
	if (method.length > 0)
		envelope.method_name = json_build(parser, method, &error);
	envelope.method = json_string(envelope.method_name);
	return envelope;
}

void envelope_close(Envelope *envelope)
{
	json_free(envelope->method_name);
	json_free(envelope->parameters);
}

bool envelope_wants_no_answer(const Envelope *envelope)
{
	return json_text_is(envelope->oneway, "true") && !json_text_is(envelope->more, "true");
}

/* Reads a flag, which is false if absent. */
static NTSTATUS read_flag(JsonText text, const char *name, bool *ret, Failure *failure)
{
	*ret = json_text_is(text, "true");
	if (!*ret && !is_absent(text) && !json_text_is(text, "false"))
		return failure_parameter(failure, name, "is neither true nor false");
	return STATUS_SUCCESS;
}

static NTSTATUS build_parameters(Envelope *envelope, JsonParser *parser, Failure *failure)
{
	const char *error;

	if (is_absent(envelope->parameters_text))
		return STATUS_SUCCESS;
	if (*envelope->parameters_text.start != '{')
		return failure_parameter(failure, "parameters", "is not an object");
	envelope->parameters = json_build(parser, envelope->parameters_text, &error);
	return envelope->parameters ? STATUS_SUCCESS : failure_no_memory(failure);
}

NTSTATUS envelope_read(Envelope *envelope, JsonParser *parser, Call *call, Failure *failure)
{
	NTSTATUS status = read_flag(envelope->oneway, "oneway", &call->oneway, failure);

	if (status == STATUS_SUCCESS)
		status = read_flag(envelope->more, "more", &call->more, failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (call->more && call->oneway)
		return failure_parameter(failure, "more",
					 "and oneway exclude each other; send one of them");
	status = build_parameters(envelope, parser, failure);
	call->parameters = envelope->parameters;
	return status;
}
