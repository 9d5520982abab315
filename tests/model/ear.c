/* SPDX-License-Identifier: MIT */
#include "ear.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ear_ready(Session *session)
{
	container_of(session, Ear, session)->is_ready = true;
}

static const char *text_of(const JsonValue *object, const char *name)
{
	const char *text = json_string(json_member(object, name));

	return text ? text : "-";
}

void ear_expect(Ear *ear, const char *text, uint64_t step)
{
	Sound *sound = &ear->pending[ear->pending_count++];

	world_must(ear->pending_count <= EAR_PENDING);
	snprintf(sound->text, sizeof(sound->text), "%s", text);
	sound->step = step;
}

/* What one step ends, ends in any order; steps stay in theirs. */
static void ear_hear(Ear *ear, const char *text)
{
	size_t at = 0;

	while (at < ear->pending_count && ear->pending[at].step == ear->pending[0].step &&
	       strcmp(ear->pending[at].text, text) != 0)
		at++;
	cr_assert_lt(at, ear->pending_count, "nothing was to be heard, but \"%s\"", text);
	cr_assert_str_eq(ear->pending[at].text, text);
	memmove(&ear->pending[at], &ear->pending[at + 1],
		(--ear->pending_count - at) * sizeof(ear->pending[0]));
	ear->heard++;
	ear->heard_midway += !ear->is_current;
}

static void ear_read(Ear *ear, JsonValue *reply)
{
	const JsonValue *event = json_member(json_member(reply, "parameters"), "event");
	const char *kind = text_of(event, "kind");
	bool continues = false, is_end = strcmp(kind, "gpuProcessRemoved") == 0;
	char text[160];

	cr_assert_not_null(event);
	cr_assert_not(ear->is_over);
	json_read_boolean(json_member(reply, "continues"), &continues);
	ear->is_over = !continues;
	if (strcmp(kind, "current") == 0)
		ear->is_current = true;
	if (!is_end && strcmp(kind, "pageTableResident") != 0)
		return;
	snprintf(text, sizeof(text), "%s %s %s %s %s", kind, text_of(event, "process"),
		 text_of(event, "adapter"), text_of(event, "virtualMachineGuid"),
		 text_of(event, is_end ? "reason" : "virtualAddress"));
	ear_hear(ear, text);
}

void ear_take(Ear *ear, size_t bytes)
{
	static const char blanks[LIMIT_UNREAD_PAUSE];
	size_t filling = bytes < LIMIT_UNREAD_PAUSE ? LIMIT_UNREAD_PAUSE - bytes : 0;
	JsonParser *parser = ear->session.service->parser;
	const char *end, *error;

	if (!ear->is_ready && ear->state == SESSION_WATCHES)
		return;
	ear->is_ready = false;
	world_must(buffer_append(&ear->out, blanks, filling));
	ear->state = session_pump(&ear->session, &ear->out);
	buffer_consume(&ear->out, filling);
	while ((end = memchr(buffer_head(&ear->out), '\n', buffer_size(&ear->out)))) {
		size_t length = (size_t)(end - buffer_head(&ear->out));
		char *line = strndup(buffer_head(&ear->out), length);
		JsonValue *reply = json_parse(parser, line, length, &error);

		ear_read(ear, reply);
		json_free(reply);
		free(line);
		buffer_consume(&ear->out, length + 1);
	}
}

void ear_drain(Ear *ear)
{
	do
		ear_take(ear, LIMIT_UNREAD_PAUSE);
	while (ear->state == SESSION_PAUSED);
	cr_assert_eq(ear->pending_count, 0u, "not heard: %s", ear->pending[0].text);
}

Ear *ear_new(World *world, Caller *caller, const char *guid)
{
	Ear *ear = calloc(1, sizeof(*ear));
	char request[200];

	world_must(ear != NULL);
	ear->driver = -1;
	ear->guid = guid;
	snprintf(request, sizeof(request), "{\"method\":\"" WATCH "\",\"more\":true%s%s%s}\n",
		 guid ? ",\"parameters\":{\"virtualMachineGuid\":\"" : "", guid ? guid : "",
		 guid ? "\"}" : "");
	session_init(&ear->session, &world->service, caller);
	world_must(buffer_append(&ear->session.input, request, strlen(request)));
	session_arrived(&ear->session, &(Arrival){ 0 });
	ear->is_ready = true;
	ear_take(ear, 1);
	return ear;
}

Ear *ear_free(Ear *ear)
{
	session_deinit(&ear->session);
	buffer_deinit(&ear->out);
	free(ear);
	return NULL;
}
