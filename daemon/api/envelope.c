/* SPDX-License-Identifier: MIT */
#include "daemon/api/envelope.h"

static JsonText *find_text(Envelope *envelope, JsonText name)
{
	if (json_text_name_is(name, "method"))
		return &envelope->method_text;
	if (json_text_name_is(name, "parameters"))
		return &envelope->parameters_text;
	if (json_text_name_is(name, "more"))
		return &envelope->more;
	if (json_text_name_is(name, "oneway"))
		return &envelope->oneway;
	if (json_text_name_is(name, "upgrade"))
		return &envelope->upgrade;
	return NULL;
}

static bool is_absent(JsonText text)
{
	return text.length == 0 || json_text_is(text, "null");
}

static bool is_object(JsonText text)
{
	return text.length > 0 && *text.start == '{';
}

/* Builds a part of the message unless it is missing, and notes a name that stands twice in it. */
static JsonValue *build_part(Envelope *envelope, JsonParser *parser, JsonText text)
{
	const char *error;

	if (text.length == 0)
		return NULL;
	JsonValue *value = json_build(parser, text, &error);

	if (error)
		envelope->is_incomplete = true;
	if (!envelope->repeated_name)
		envelope->repeated_name = json_repeated_name(parser);
	return value;
}

/* Finds the members. Returns true if the message has others, which are ignored. */
static bool find_members(Envelope *envelope)
{
	JsonTextMembers members = json_text_members(envelope->message);
	bool has_others = false;

	while (json_text_members_next(&members)) {
		JsonText *text = find_text(envelope, members.name);

		if (!text)
			has_others = true;
		else if (text->length == 0)
			*text = members.value;
		else if (!envelope->repeated_name)
			envelope->repeated_name = members.name.start;
	}
	return has_others;
}

Envelope envelope_open(JsonParser *parser, JsonText message)
{
	Envelope envelope = { .message = message };
	bool has_others = find_members(&envelope);

	if (envelope.repeated_name)
		return envelope;
	if (has_others) {
		envelope.whole = build_part(&envelope, parser, message);
		envelope.method_name = json_member(envelope.whole, "method");
		envelope.parameters = json_member(envelope.whole, "parameters");
	} else {
		envelope.method_name = build_part(&envelope, parser, envelope.method_text);
		envelope.parameters = build_part(&envelope, parser, envelope.parameters_text);
	}
	envelope.method = json_string(envelope.method_name);
	return envelope;
}

void envelope_close(Envelope *envelope)
{
	if (!envelope->whole) {
		json_free(envelope->method_name);
		json_free(envelope->parameters);
	}
	json_free(envelope->whole);
}

bool envelope_wants_no_answer(const Envelope *envelope)
{
	return json_text_is(envelope->oneway, "true") && !json_text_is(envelope->more, "true");
}

/* Reads a flag, which is false if absent. */
static NTSTATUS read_flag(JsonText text, const char *name, bool *ret, Failure *failure)
{
	*ret = text.length > 0 && json_text_is(text, "true");
	if (!*ret && !is_absent(text) && !json_text_is(text, "false"))
		return failure_parameter(failure, name,
					 "is neither true nor false; send one of them or leave it "
					 "out");
	return STATUS_SUCCESS;
}

/* The path is that of a parameter if the name is among the parameters. */
static NTSTATUS fail_repeated(const Envelope *envelope, Failure *failure)
{
	const char *name = envelope->repeated_name;
	JsonText text = envelope->parameters_text;
	char path[sizeof(failure->parameter)];

	if (!is_object(text) || name < text.start || name >= text.start + text.length)
		text = envelope->message;
	json_text_path(text, name, path, sizeof(path));
	return failure_parameter(failure, path, "stands twice in its object; send it once");
}

NTSTATUS envelope_check(const Envelope *envelope, Failure *failure)
{
	static const char advice[] = "send one JSON object with a string \"method\"";

	if (envelope->is_incomplete)
		return failure_no_memory(failure);
	if (envelope->repeated_name)
		return fail_repeated(envelope, failure);
	if (envelope->method)
		return STATUS_SUCCESS;
	if (!is_object(envelope->message))
		return failure_parameter(failure, "method",
					 "is missing, because the message is not an object; %s",
					 advice);
	return failure_parameter(
		failure, "method", "%s; %s",
		is_absent(envelope->method_text) ? "is missing" : "is not a string", advice);
}

/* Checks that the connection stays a Varlink connection. */
static NTSTATUS refuse_upgrade(const Envelope *envelope, Failure *failure)
{
	bool is_upgrade;
	NTSTATUS status = read_flag(envelope->upgrade, "upgrade", &is_upgrade, failure);

	if (status == STATUS_SUCCESS && is_upgrade)
		return failure_set(
			failure, STATUS_NOT_SUPPORTED, "upgrade",
			"no method of vaild upgrades the connection to another protocol; "
			"leave out \"upgrade\"");
	return status;
}

NTSTATUS envelope_read(const Envelope *envelope, Call *call, Failure *failure)
{
	NTSTATUS status = read_flag(envelope->oneway, "oneway", &call->oneway, failure);

	if (status == STATUS_SUCCESS)
		status = read_flag(envelope->more, "more", &call->more, failure);
	if (status == STATUS_SUCCESS)
		status = refuse_upgrade(envelope, failure);
	if (status != STATUS_SUCCESS)
		return status;
	if (call->more && call->oneway)
		return failure_parameter(failure, "more",
					 "and oneway exclude each other; send one of them");
	if (!is_absent(envelope->parameters_text) && !is_object(envelope->parameters_text))
		return failure_parameter(failure, "parameters",
					 "is not an object; send each parameter as its member");
	call->parameters = envelope->parameters;
	return STATUS_SUCCESS;
}
