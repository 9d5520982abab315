/* SPDX-License-Identifier: MIT */
#include "tests/model/watcher.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/names.h"

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

/* --- the state according to the lists ------------------------------------------------------- */

/* Requests a list as a stream of replies and calls add() for each item. */
static void read_list(FakeHost *fake_host, Caller *operator, const char * method, const char *key,
		      void (*add)(const JsonValue *item, Texts *texts), Texts *texts)
{
	char request[128];
	const char *error;

	snprintf(request, sizeof(request), "{\"method\":\"%s\",\"more\":true}\n", method);
	for (const char *line = exchange(fake_host, operator, request); *line;) {
		size_t length = strcspn(line, "\n");
		char *copy = strndup(line, length);
		JsonValue *reply = json_parse(fake_host->service.parser, copy, length, &error);
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

void state_read(FakeHost *fake_host, Caller *operator, const char * guid, Texts *ret)
{
	Texts all = { 0 };

	read_list(fake_host, operator, LIST_MACHINES, "virtualMachines", add_machine, &all);
	read_list(fake_host, operator, LIST_REGISTRATIONS, "registrations", add_registration, &all);
	read_list(fake_host, operator, LIST_QUARANTINES, "quarantines", add_quarantine, &all);
	read_list(fake_host, operator, LIST_ADAPTERS, "adapters", add_adapter, &all);
	*ret = (Texts){ 0 };
	for (size_t i = 0; i < all.count; i++) {
		const char *subject = strchr(all.items[i], ' ') + 1;

		if (!guid || strncmp(subject, guid, strlen(guid)) == 0)
			texts_add(ret, "%s", all.items[i]);
	}
	texts_deinit(&all);
}

/* --- the state according to the events ------------------------------------------------------ */

/* Replaces the reason of a quarantine; NULL lifts it. */
static void set_quarantine(Texts *derived, const char *guid, const char *reason)
{
	char old[64];

	snprintf(old, sizeof(old), "quarantine %s ", guid);
	for (size_t i = 0; i < derived->count; i++) {
		if (strncmp(derived->items[i], old, strlen(old)) != 0)
			continue;
		texts_remove(derived, "%s", derived->items[i]);
		break;
	}
	if (reason)
		texts_add(derived, "quarantine %s %s", guid, reason);
}

/* Returns false if the event adds something that exists or ends something that does not. */
static bool apply_event(Watcher *watcher, const char *kind, const JsonValue *event)
{
	Texts *derived = &watcher->derived;
	const JsonValue *registration = json_member(event, "registration");
	const char *guid = text_of(event, "virtualMachineGuid");
	const char *handle = text_of(event, "virtualGpu"), *adapter = text_of(event, "adapter");
	uint64_t pid = number_of(registration, "pid");

	if (strcmp(kind, "virtualMachineAdded") == 0)
		return texts_add(derived, "vm %s", guid);
	if (strcmp(kind, "virtualMachineRemoved") == 0)
		return texts_remove(derived, "vm %s", guid);
	if (strcmp(kind, "virtualMachineChanged") == 0)
		return texts_remove(derived, "vm %s", guid) && texts_add(derived, "vm %s", guid);
	if (strcmp(kind, "virtualGpuAssigned") == 0)
		return texts_add(derived, "vgpu %s %s %s", guid, handle, adapter);
	if (strcmp(kind, "virtualGpuRemoved") == 0)
		return texts_remove(derived, "vgpu %s %s %s", guid, handle, adapter);
	if (strcmp(kind, "registered") == 0)
		return texts_add(derived, "registration %s %" PRIu64, guid, pid);
	if (strcmp(kind, "unregistered") == 0)
		return texts_remove(derived, "registration %s %" PRIu64, guid, pid);
	if (strcmp(kind, "adapterAdded") == 0)
		return texts_add(derived, "adapter %s", adapter);
	if (strcmp(kind, "quarantined") == 0 || strcmp(kind, "quarantineLifted") == 0) {
		bool is_lifted = strcmp(kind, "quarantineLifted") == 0;

		set_quarantine(derived, guid, is_lifted ? NULL : text_of(event, "reason"));
		return true;
	}
	return false;
}

/* Tests whether the watcher must receive an event of the fake host. */
static bool concerns(const Watcher *watcher, const FakeEvent *event)
{
	char text[GUID_TEXT_LENGTH + 1];

	if (event->kind == EVENT_GPU_PROCESS_REMOVED)
		return false;
	guid_format(&event->guid, text);
	return watcher->guid[0] == '\0' || strcmp(text, watcher->guid) == 0;
}

/* Returns the next event of the fake host that the watcher must receive, or NULL at the end. */
static const FakeEvent *next_event(Watcher *watcher)
{
	const FakeHost *fake_host = watcher->fake_host;

	cr_assert_lt(fake_host->event_count - watcher->events_seen, (size_t)FAKE_HOST_EVENT_MAX);
	for (; watcher->events_seen < fake_host->event_count; watcher->events_seen++) {
		const FakeEvent *event =
			&fake_host->events[watcher->events_seen % FAKE_HOST_EVENT_MAX];

		if (concerns(watcher, event))
			return event;
	}
	return NULL;
}

static void check_order(Watcher *watcher, const char *kind, const JsonValue *event)
{
	const FakeEvent *next = next_event(watcher);
	char guid[GUID_TEXT_LENGTH + 1], handle[HANDLE_TEXT_LENGTH + 1];

	cr_assert_not_null(next, "the broker reported no event for this %s", kind);
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
	watcher->events_seen++;
}

static void check_state(Watcher *watcher, const char *kind, const JsonValue *event)
{
	/* The last reply can end something that has not been reported yet. */
	bool may_be_unknown = watcher->is_over && !watcher->is_current;

	cr_assert(apply_event(watcher, kind, event) || may_be_unknown,
		  "a second %s, or one for something unknown: %s", kind,
		  text_of(event, "virtualMachineGuid"));
	if (watcher->is_current)
		check_order(watcher, kind, event);
}

/* --- expected events ------------------------------------------------------------------------- */

void watcher_expect(Watcher *watcher, const char *text, uint64_t step)
{
	ExpectedEvent *event = &watcher->expected[watcher->expected_count++];

	fake_host_must(watcher->expected_count <= WATCHER_EXPECTED_MAX);
	snprintf(event->text, sizeof(event->text), "%s", text);
	event->step = step;
}

/* Removes the event from the list. It must belong to the oldest step that has events left. */
static void match_expected(Watcher *watcher, const char *text)
{
	size_t at = 0;

	while (at < watcher->expected_count &&
	       watcher->expected[at].step == watcher->expected[0].step &&
	       strcmp(watcher->expected[at].text, text) != 0)
		at++;
	cr_assert_lt(at, watcher->expected_count, "no event was expected, got \"%s\"", text);
	cr_assert_str_eq(watcher->expected[at].text, text);
	memmove(&watcher->expected[at], &watcher->expected[at + 1],
		(--watcher->expected_count - at) * sizeof(watcher->expected[0]));
	watcher->matched++;
	watcher->matched_before_current += !watcher->is_current;
}

static void check_expected(Watcher *watcher, const char *kind, const JsonValue *event)
{
	bool is_end = strcmp(kind, "gpuProcessRemoved") == 0;
	char text[160];

	if (!is_end && strcmp(kind, "pageTableResident") != 0)
		return;
	snprintf(text, sizeof(text), "%s %s %s %s %s", kind, text_of(event, "process"),
		 text_of(event, "adapter"), text_of(event, "virtualMachineGuid"),
		 text_of(event, is_end ? "reason" : "virtualAddress"));
	match_expected(watcher, text);
}

/* --- the session ----------------------------------------------------------------------------- */

static void receive_reply(Watcher *watcher, const char *line, size_t length)
{
	const char *error;
	char *copy = strndup(line, length);
	JsonValue *reply = json_parse(watcher->fake_host->service.parser, copy, length, &error);
	const JsonValue *event = json_member(json_member(reply, "parameters"), "event");
	const char *kind = text_of(event, "kind");
	bool continues = false;

	cr_assert_not_null(event, "%s", copy);
	cr_assert(!watcher->is_over, "a reply follows the last one: %s", copy);
	json_read_boolean(json_member(reply, "continues"), &continues);
	watcher->is_over = !continues;
	watcher->events++;
	snprintf(watcher->last_kind, sizeof(watcher->last_kind), "%s", kind);
	snprintf(watcher->last_reason, sizeof(watcher->last_reason), "%s",
		 text_of(event, "reason"));
	watcher->last_pid = number_of(json_member(event, "registration"), "pid");
	if (strcmp(kind, "current") == 0) {
		cr_assert(!watcher->is_current, "\"current\" came twice");
		watcher->is_current = true;
		watcher->events_seen = watcher->fake_host->event_count;
	} else {
		watcher->check(watcher, kind, event);
	}
	json_free(reply);
	free(copy);
}

void watcher_ready(Session *session)
{
	container_of(session, Watcher, session)->is_ready = true;
}

void watcher_free(Watcher *watcher)
{
	session_deinit(&watcher->session);
	buffer_deinit(&watcher->out);
	texts_deinit(&watcher->derived);
	free(watcher);
}

static void receive_replies(Watcher *watcher)
{
	Buffer *out = &watcher->out;
	const char *end;

	while ((end = memchr(buffer_head(out), '\n', buffer_size(out)))) {
		size_t length = (size_t)(end - buffer_head(out));

		receive_reply(watcher, buffer_head(out), length);
		buffer_consume(out, length + 1);
	}
	cr_assert_eq(buffer_size(out), 0u, "the session wrote a partial reply");
}

void watcher_take(Watcher *watcher, size_t bytes)
{
	static const char blanks[LIMIT_UNREAD_PAUSE];
	size_t filling = bytes < LIMIT_UNREAD_PAUSE ? LIMIT_UNREAD_PAUSE - bytes : 0;

	if (!watcher->is_ready && watcher->state == SESSION_WATCHES)
		return;
	watcher->is_ready = false;
	/* The session pauses at LIMIT_UNREAD_PAUSE bytes of output, the filling included. */
	fake_host_must(buffer_append(&watcher->out, blanks, filling));
	watcher->state = session_pump(&watcher->session, &watcher->out);
	buffer_consume(&watcher->out, filling);
	receive_replies(watcher);
}

static Watcher *open_watch(FakeHost *fake_host, Caller *caller, const char *guid,
			   void (*check)(Watcher *, const char *, const JsonValue *))
{
	Watcher *watcher = calloc(1, sizeof(*watcher));
	char request[200];

	fake_host_must(watcher != NULL);
	watcher->fake_host = fake_host;
	watcher->check = check;
	snprintf(watcher->guid, sizeof(watcher->guid), "%s", guid ? guid : "");
	snprintf(request, sizeof(request), "{\"method\":\"" WATCH "\",\"more\":true%s%s%s}\n",
		 guid ? ",\"parameters\":{\"virtualMachineGuid\":\"" : "", guid ? guid : "",
		 guid ? "\"}" : "");
	session_init(&watcher->session, &fake_host->service, caller);
	fake_host_must(buffer_append(&watcher->session.input, request, strlen(request)));
	session_arrived(&watcher->session, &(InputMetadata){ 0 });
	watcher->is_ready = true;
	watcher_take(watcher, 1);
	return watcher;
}

Watcher *watcher_new(FakeHost *fake_host, Caller *caller, const char *guid)
{
	return open_watch(fake_host, caller, guid, check_state);
}

Watcher *watcher_new_expecting(FakeHost *fake_host, Caller *caller, const char *guid)
{
	return open_watch(fake_host, caller, guid, check_expected);
}

void watcher_drain(Watcher *watcher)
{
	do
		watcher_take(watcher, LIMIT_UNREAD_PAUSE);
	while (watcher->state == SESSION_PAUSED);
	cr_assert_eq(watcher->expected_count, 0u, "not received: %s", watcher->expected[0].text);
}

void watcher_stall(Watcher *watcher)
{
	if (watcher->is_ready)
		watcher->state = session_pump(&watcher->session, &watcher->out);
	watcher->is_ready = false;
}
