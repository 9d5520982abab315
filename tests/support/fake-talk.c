/* SPDX-License-Identifier: MIT */
/* Requests to the fake host as text, and access to replies by path. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/session-fds.h"
#include "tests/support/fake-host.h"

/* Takes the fds of the output, as the peer would. */
static void take_fds(World *world, Session *session, size_t size)
{
	Offer *offer = session_offer(session);

	for (; offer; offer = STAILQ_NEXT(offer, link)) {
		world_must(offer->begin < offer->end && offer->end <= size);
		for (size_t i = 0; i < offer->count; i++) {
			world_must(world->offered.count < CALL_DESCRIPTORS_MAX);
			world->offered.items[world->offered.count++] = offer->items[i];
		}
		offer->count = 0; /* they are sent */
	}
	session_sent(session, size);
}

/* Pumps until the session waits for input or has finished, and appends its output to taken. */
static SessionState pump_all(World *world, Session *session, Buffer *taken)
{
	Buffer out = BUFFER_INIT;
	SessionState state;

	do {
		if (world->own_code)
			world->own_code(true);
		state = session_pump(session, &out);
		if (world->own_code)
			world->own_code(false);
		world_must(buffer_append(taken, buffer_head(&out), buffer_size(&out)));
		take_fds(world, session, buffer_size(&out));
		buffer_consume(&out, buffer_size(&out));
	} while (state == SESSION_PAUSED);
	buffer_deinit(&out);
	return state;
}

const char *exchange_bytes(World *world, Caller *caller, const char *bytes, size_t size,
			   size_t *ret_size)
{
	Session session;
	Arrival arrival = { 0 };
	Buffer taken = BUFFER_INIT;

	session_init(&session, &world->service, caller);
	world_must(buffer_append(&session.input, bytes, size));
	for (size_t i = 0; i < world->sent_count; i++)
		session_descriptor_arrived(&session, world->sent[i], &arrival);
	session_arrived(&session, &arrival);
	world->sent_count = 0;
	world->offered.count = 0;
	if (pump_all(world, &session, &taken) == SESSION_READS) {
		session_end_of_input(&session);
		world_must(pump_all(world, &session, &taken) == SESSION_FINISHED);
	}
	world->was_broken = session.state == SESSION_BROKEN;
	session_deinit(&session);
	if (ret_size)
		*ret_size = buffer_size(&taken);
	world_must(buffer_append(&taken, "", 1));
	world_must(taken.start == 0);
	free(world->reply_text);
	world->reply_text = taken.data;
	return world->reply_text;
}

const char *exchange(World *world, Caller *caller, const char *text)
{
	return exchange_bytes(world, caller, text, strlen(text), NULL);
}

const char *call(World *world, Caller *caller, const char *method, const char *parameters)
{
	char *request;
	const char *error;

	world_must(asprintf(&request, "{\"method\":\"%s\"%s%s}\n", method,
			    parameters ? ",\"parameters\":" : "",
			    parameters ? parameters : "") > 0);
	const char *text = exchange(world, caller, request);
	free(request);
	json_free(world->reply);
	world->reply = json_parse(world->service.parser, text, strcspn(text, "\n"), &error);
	world_must(world->reply != NULL);

	const char *status = reply_string(world, "status");
	if (status[0] != '\0')
		return status;
	const char *name = json_string(json_member(world->reply, "error"));
	return name ? name : "";
}

const char *call_with_descriptors(World *world, Caller *caller, const char *method,
				  const char *parameters, const Descriptor *descriptors,
				  size_t count, Offered *ret_offered)
{
	world->sent = descriptors;
	world->sent_count = count;
	const char *status = call(world, caller, method, parameters);
	if (ret_offered)
		*ret_offered = world->offered;
	else
		world_must(world->offered.count == 0);
	return status;
}

const char *callf(World *world, Caller *caller, const char *method, const char *format, ...)
{
	va_list arguments;
	char *parameters;

	va_start(arguments, format);
	world_must(vasprintf(&parameters, format, arguments) >= 0);
	va_end(arguments);
	const char *status = call(world, caller, method, parameters);
	free(parameters);
	return status;
}

JsonValue *reply_value(World *world, const char *path)
{
	JsonValue *value = json_member(world->reply, "parameters");
	char copy[160], *rest = copy, *step;

	snprintf(copy, sizeof(copy), "%s", path);
	while (value && (step = strsep(&rest, ".")) != NULL) {
		char *index = strchr(step, '[');

		if (index)
			*index++ = '\0';
		value = json_member(value, step);
		if (index)
			value = json_array_at(value, strtoul(index, NULL, 10));
	}
	return value;
}

const char *reply_string(World *world, const char *path)
{
	const char *text = json_string(reply_value(world, path));

	return text ? text : "";
}

uint64_t reply_number(World *world, const char *path)
{
	uint64_t number;

	return json_read_unsigned(reply_value(world, path), &number) ? number : UINT64_MAX;
}

size_t reply_count(World *world, const char *path)
{
	return json_array_size(reply_value(world, path));
}

static size_t events_kept(const World *world)
{
	return world->event_count < WORLD_EVENT_MAX ? world->event_count : WORLD_EVENT_MAX;
}

size_t world_events(const World *world, EventKind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < events_kept(world); i++)
		count += world->events[i].kind == kind;
	return count;
}

const FakeEvent *world_last_event(const World *world, EventKind kind)
{
	for (size_t i = 1; i <= events_kept(world); i++) {
		const FakeEvent *event = &world->events[(world->event_count - i) % WORLD_EVENT_MAX];

		if (event->kind == kind)
			return event;
	}
	return NULL;
}

const FakeRecord *world_last_record(const World *world)
{
	if (world->record_count == 0)
		return NULL;
	return &world->records[(world->record_count - 1) % WORLD_RECORD_MAX];
}

const FakeQuarantine *world_kept_quarantine(const World *world, const char *text)
{
	Guid guid;

	world_must(guid_parse(text, &guid));
	for (size_t i = 0; i < world->quarantine_count; i++)
		if (guid_compare(&world->quarantines[i].guid, &guid) == 0)
			return &world->quarantines[i];
	return NULL;
}

Cast cast_new_quiet(void)
{
	World *world = world_new();
	Cast cast = { .world = world };

	world_user(world, "root", 0);
	world_user(world, "alice", 1000);
	world_user(world, "bob", 1001);
	world_user(world, "libvirt-qemu", 64055);
	cast.root = world_process(world, 100, 0);
	cast.vmm = world_process(world, 200, 64055);
	cast.viewer = world_process(world, 300, 1000);
	cast.mallory = world_process(world, 400, 1001);
	process_set_context(cast.viewer, GRAPHICS_CONTEXT_DRM);
	process_set_context(cast.mallory, GRAPHICS_CONTEXT_DRM);
	cast.admin = world_connect(world, cast.root);
	cast.machine = world_connect(world, cast.vmm);
	cast.client = world_connect(world, cast.viewer);
	cast.stranger = world_connect(world, cast.mallory);
	return cast;
}

Cast cast_new(void)
{
	Cast cast = cast_new_quiet();
	const char *status = call(cast.world, cast.admin, REGISTER_MACHINE,
				  "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
				  "\"displayClients\":[{\"user\":\"alice\"}]}");

	world_must(strcmp(status, "STATUS_SUCCESS") == 0);
	status = call(cast.world, cast.admin, ASSIGN, NAMES_A);
	world_must(strcmp(status, "STATUS_SUCCESS") == 0);
	return cast;
}

void cast_free(Cast *cast)
{
	broker_check(cast->world->service.broker);
	world_free(cast->world);
}
