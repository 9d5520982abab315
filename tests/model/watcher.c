/* SPDX-License-Identifier: MIT */
#include "watcher.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const JsonValue *object, const char *name)
{
	const char *text = json_string(json_member(object, name));

	return text ? text : "";
}

static uint64_t number_of(const JsonValue *object, const char *name)
{
	uint64_t number = 0;

	json_read_unsigned(json_member(object, name), &number);
	return number;
}

/* ---- What there is, by the lists ---- */

/* Adds with a function each item of a list, asked for as a stream. */
static void read_list(World *world, Caller *operator, const char * method, const char *key,
		      void (*add)(const JsonValue *item, Texts *texts), Texts *texts)
{
	char request[128];
	const char *error;

	snprintf(request, sizeof(request), "{\"method\":\"%s\",\"more\":true}\n", method);
	for (const char *line = exchange(world, operator, request); *line;) {
		size_t length = strcspn(line, "\n");
		char *copy = strndup(line, length);
		JsonValue *reply = json_parse(world->service.parser, copy, length, &error);
		const JsonValue *items = json_member(json_member(reply, "parameters"), key);

		cr_assert_not_null(items, "%s", copy);
		for (size_t i = 0; i < json_array_size(items); i++)
			add(json_array_at(items, i), texts);
		json_free(reply);
		free(copy);
		line += length + 1;
	}
}

static void add_machine(const JsonValue *vm, Texts *texts)
{
	const char *guid = text_of(vm, "virtualMachineGuid");
	const JsonValue *virtual_gpus = json_member(vm, "virtualGpus");

	texts_add(texts, "vm %s", guid);
	for (size_t i = 0; i < json_array_size(virtual_gpus); i++) {
		const JsonValue *virtual_gpu = json_array_at(virtual_gpus, i);

		texts_add(texts, "vgpu %s %s %s", guid, text_of(virtual_gpu, "virtualGpu"),
			  text_of(virtual_gpu, "adapter"));
	}
}

static void add_registration(const JsonValue *registration, Texts *texts)
{
	texts_add(texts, "registration %s %" PRIu64, text_of(registration, "virtualMachineGuid"),
		  number_of(registration, "pid"));
}

static void add_quarantine(const JsonValue *quarantine, Texts *texts)
{
	texts_add(texts, "quarantine %s %s", text_of(quarantine, "virtualMachineGuid"),
		  text_of(quarantine, "reason"));
}

static void add_adapter(const JsonValue *adapter, Texts *texts)
{
	texts_add(texts, "adapter %s", text_of(adapter, "adapter"));
}

void state_read(World *world, Caller *operator, const char * guid, Texts *ret)
{
	Texts all = { 0 };

	read_list(world, operator, LIST_MACHINES, "virtualMachines", add_machine, &all);
	read_list(world, operator, LIST_REGISTRATIONS, "registrations", add_registration, &all);
	read_list(world, operator, LIST_QUARANTINES, "quarantines", add_quarantine, &all);
	read_list(world, operator, LIST_ADAPTERS, "adapters", add_adapter, &all);
	*ret = (Texts){ 0 };
	for (size_t i = 0; i < all.count; i++) {
		const char *subject = strchr(all.items[i], ' ') + 1;

		if (!guid || strncmp(subject, guid, strlen(guid)) == 0)
			texts_add(ret, "%s", all.items[i]);
	}
	texts_deinit(&all);
}

/* ---- What there is, by the events ---- */

/* A new reason takes the place of the old one. */
static void know_quarantine(Texts *known, const char *guid, const char *reason)
{
	char old[64];

	snprintf(old, sizeof(old), "quarantine %s ", guid);
	for (size_t i = 0; i < known->count; i++) {
		if (strncmp(known->items[i], old, strlen(old)) != 0)
			continue;
		texts_remove(known, "%s", known->items[i]);
		break;
	}
	if (reason)
		texts_add(known, "quarantine %s %s", guid, reason);
}

/* Returns false when the event says what was known, or ends what was not. */
static bool know(Watcher *watcher, const char *kind, const JsonValue *event)
{
	Texts *known = &watcher->known;
	const JsonValue *registration = json_member(event, "registration");
	const char *guid = text_of(event, "virtualMachineGuid");
	const char *handle = text_of(event, "virtualGpu"), *adapter = text_of(event, "adapter");
	uint64_t pid = number_of(registration, "pid");

	if (strcmp(kind, "virtualMachineAdded") == 0)
		return texts_add(known, "vm %s", guid);
	if (strcmp(kind, "virtualMachineRemoved") == 0)
		return texts_remove(known, "vm %s", guid);
	if (strcmp(kind, "virtualMachineChanged") == 0)
		return texts_remove(known, "vm %s", guid) && texts_add(known, "vm %s", guid);
	if (strcmp(kind, "virtualGpuAssigned") == 0)
		return texts_add(known, "vgpu %s %s %s", guid, handle, adapter);
	if (strcmp(kind, "virtualGpuRemoved") == 0)
		return texts_remove(known, "vgpu %s %s %s", guid, handle, adapter);
	if (strcmp(kind, "registered") == 0)
		return texts_add(known, "registration %s %" PRIu64, guid, pid);
	if (strcmp(kind, "unregistered") == 0)
		return texts_remove(known, "registration %s %" PRIu64, guid, pid);
	if (strcmp(kind, "adapterAdded") == 0)
		return texts_add(known, "adapter %s", adapter);
	if (strcmp(kind, "quarantined") == 0 || strcmp(kind, "quarantineLifted") == 0) {
		bool is_lifted = strcmp(kind, "quarantineLifted") == 0;

		know_quarantine(known, guid, is_lifted ? NULL : text_of(event, "reason"));
		return true;
	}
	return false;
}

/* Whether the watcher has to hear of an event of the world. */
static bool concerns(const Watcher *watcher, const FakeEvent *event)
{
	char text[GUID_TEXT_LENGTH + 1];

	if (event->kind == EVENT_GPU_PROCESS_REMOVED)
		return false;
	guid_format(&event->guid, text);
	return watcher->guid[0] == '\0' || strcmp(text, watcher->guid) == 0;
}

/* The next event of the world that the watcher has to hear of; NULL: it has heard all. */
static const FakeEvent *next_event(Watcher *watcher)
{
	const World *world = watcher->world;

	cr_assert_lt(world->event_count - watcher->told, (size_t)WORLD_EVENT_MAX);
	for (; watcher->told < world->event_count; watcher->told++) {
		const FakeEvent *event = &world->events[watcher->told % WORLD_EVENT_MAX];

		if (concerns(watcher, event))
			return event;
	}
	return NULL;
}

static void check_order(Watcher *watcher, const char *kind, const JsonValue *event)
{
	const FakeEvent *next = next_event(watcher);
	char guid[GUID_TEXT_LENGTH + 1], handle[HANDLE_TEXT_LENGTH + 1];

	cr_assert_not_null(next, "%s comes out of nothing", kind);
	guid_format(&next->guid, guid);
	cr_assert_str_eq(kind, event_kind_name(next->kind));
	cr_assert_str_eq(text_of(event, "virtualMachineGuid"), guid);
	if (json_member(event, "registration"))
		cr_assert_eq(number_of(json_member(event, "registration"), "pid"),
			     (uint64_t)next->pid);
	if (next->has_handle) {
		handle_format(&next->handle, handle);
		cr_assert_str_eq(text_of(event, "virtualGpu"), handle);
	}
	watcher->told++;
}

static void hear(Watcher *watcher, const char *line, size_t length)
{
	const char *error;
	char *copy = strndup(line, length);
	JsonValue *reply = json_parse(watcher->world->service.parser, copy, length, &error);
	const JsonValue *event = json_member(json_member(reply, "parameters"), "event");
	const char *kind = text_of(event, "kind");
	bool continues = false;

	cr_assert_not_null(event, "%s", copy);
	cr_assert(!watcher->is_over, "behind the last: %s", copy);
	json_read_boolean(json_member(reply, "continues"), &continues);
	watcher->is_over = !continues;
	watcher->events++;
	snprintf(watcher->last_kind, sizeof(watcher->last_kind), "%s", kind);
	snprintf(watcher->last_reason, sizeof(watcher->last_reason), "%s",
		 text_of(event, "reason"));
	watcher->last_pid = number_of(json_member(event, "registration"), "pid");
	if (strcmp(kind, "current") == 0) {
		cr_assert(!watcher->is_current, "current comes once");
		watcher->is_current = true;
		watcher->told = watcher->world->event_count;
	} else {
		/* The end may come before what ends was told. */
		cr_assert(know(watcher, kind, event) || (watcher->is_over && !watcher->is_current),
			  "not new, or never came: %s", copy);
		if (watcher->is_current)
			check_order(watcher, kind, event);
	}
	json_free(reply);
	free(copy);
}

/* ---- The session ---- */

void watcher_ready(Session *session)
{
	container_of(session, Watcher, session)->is_ready = true;
}

void watcher_free(Watcher *watcher)
{
	session_deinit(&watcher->session);
	buffer_deinit(&watcher->out);
	texts_deinit(&watcher->known);
	free(watcher);
}

static void hear_all(Watcher *watcher)
{
	Buffer *out = &watcher->out;
	const char *end;

	while ((end = memchr(buffer_head(out), '\n', buffer_size(out)))) {
		size_t length = (size_t)(end - buffer_head(out));

		hear(watcher, buffer_head(out), length);
		buffer_consume(out, length + 1);
	}
	cr_assert_eq(buffer_size(out), 0u, "replies are written whole");
}

void watcher_take(Watcher *watcher, size_t bytes)
{
	static const char blanks[LIMIT_UNREAD_PAUSE];
	size_t filling = bytes < LIMIT_UNREAD_PAUSE ? LIMIT_UNREAD_PAUSE - bytes : 0;

	if (!watcher->is_ready && watcher->state == SESSION_WATCHES)
		return;
	watcher->is_ready = false;
	/* What is in the output already counts against the bound at which the session pauses. */
	world_must(buffer_append(&watcher->out, blanks, filling));
	watcher->state = session_pump(&watcher->session, &watcher->out);
	buffer_consume(&watcher->out, filling);
	hear_all(watcher);
}

Watcher *watcher_new(World *world, Caller *caller, const char *guid)
{
	Watcher *watcher = calloc(1, sizeof(*watcher));
	char request[200];

	world_must(watcher != NULL);
	watcher->world = world;
	snprintf(watcher->guid, sizeof(watcher->guid), "%s", guid ? guid : "");
	snprintf(request, sizeof(request), "{\"method\":\"" WATCH "\",\"more\":true%s%s%s}\n",
		 guid ? ",\"parameters\":{\"virtualMachineGuid\":\"" : "", guid ? guid : "",
		 guid ? "\"}" : "");
	session_init(&watcher->session, &world->service, caller);
	world_must(buffer_append(&watcher->session.input, request, strlen(request)));
	session_arrived(&watcher->session, &(Arrival){ 0 });
	watcher->is_ready = true;
	watcher_take(watcher, 1);
	return watcher;
}

void watcher_drain(Watcher *watcher)
{
	do
		watcher_take(watcher, LIMIT_UNREAD_PAUSE);
	while (watcher->state == SESSION_PAUSED);
}

void watcher_stall(Watcher *watcher)
{
	if (watcher->is_ready)
		watcher->state = session_pump(&watcher->session, &watcher->out);
	watcher->is_ready = false;
}
