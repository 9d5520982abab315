/* SPDX-License-Identifier: MIT */
/* Requests to the fake host as text, and access to replies by path. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/session-fds.h"
#include "tests/support/fake-host.h"

/* Takes the fds of the output, as the peer would. */
static void take_fds(FakeHost *fake_host, Session *session, size_t size)
{
	OutgoingFds *offer = session_outgoing_fds(session);

	for (; offer; offer = STAILQ_NEXT(offer, link)) {
		fake_host_must(offer->begin < offer->end && offer->end <= size);
		for (size_t i = 0; i < offer->count; i++) {
			fake_host_must(fake_host->offered.count < CALL_FDS_MAX);
			fake_host->offered.items[fake_host->offered.count++] = offer->items[i];
		}
		offer->count = 0; /* they are sent */
	}
	session_sent(session, size);
}

/* Pumps until the session reads, watches or has finished, and appends its output to taken. */
static SessionState pump_all(FakeHost *fake_host, Session *session, Buffer *taken)
{
	Buffer out = BUFFER_INIT;
	SessionState state;

	do {
		if (fake_host->own_code)
			fake_host->own_code(true);
		fake_host->must_ask_fdstore = true;
		state = session_pump(session, &out);
		fake_host->must_ask_fdstore = false;
		if (fake_host->own_code)
			fake_host->own_code(false);
		fake_host_must(buffer_append(taken, buffer_head(&out), buffer_size(&out)));
		take_fds(fake_host, session, buffer_size(&out));
		buffer_consume(&out, buffer_size(&out));
		/* The turn of the daemon itself. */
		if (state == SESSION_PAUSED)
			broker_end_some(fake_host->service.broker, ENDING_MICROSECONDS);
	} while (state == SESSION_PAUSED || state == SESSION_WAITS);
	buffer_deinit(&out);
	return state;
}

const char *exchange_bytes(FakeHost *fake_host, Caller *caller, const char *bytes, size_t size,
			   size_t *ret_size)
{
	Session session;
	InputMetadata metadata = { 0 };
	Buffer taken = BUFFER_INIT;

	session_init(&session, &fake_host->service, caller);
	fake_host_must(buffer_append(&session.input, bytes, size));
	for (size_t i = 0; i < fake_host->sent_count; i++)
		session_fd_arrived(&session, fake_host->sent[i], &metadata);
	session_arrived(&session, &metadata);
	fake_host->sent_count = 0;
	fake_host->offered.count = 0;
	if (pump_all(fake_host, &session, &taken) == SESSION_READS) {
		session_end_of_input(&session);
		fake_host_must(pump_all(fake_host, &session, &taken) == SESSION_FINISHED);
	}
	fake_host->was_broken = session.state == SESSION_BROKEN;
	session_deinit(&session);
	if (ret_size)
		*ret_size = buffer_size(&taken);
	fake_host_must(buffer_append(&taken, "", 1));
	fake_host_must(taken.start == 0);
	free(fake_host->reply_text);
	fake_host->reply_text = taken.data;
	return fake_host->reply_text;
}

const char *exchange(FakeHost *fake_host, Caller *caller, const char *text)
{
	return exchange_bytes(fake_host, caller, text, strlen(text), NULL);
}

const char *call(FakeHost *fake_host, Caller *caller, const char *method, const char *parameters)
{
	char *request;
	const char *error;

	fake_host_must(asprintf(&request, "{\"method\":\"%s\"%s%s}\n", method,
				parameters ? ",\"parameters\":" : "",
				parameters ? parameters : "") > 0);
	const char *text = exchange(fake_host, caller, request);
	free(request);
	json_free(fake_host->reply);
	fake_host->reply = json_parse(fake_host->service.parser, text, strcspn(text, "\n"), &error);
	fake_host_must(fake_host->reply != NULL);

	const char *status = reply_string(fake_host, "status");
	if (status[0] != '\0')
		return status;
	const char *name = json_string(json_member(fake_host->reply, "error"));
	return name ? name : "";
}

const char *call_with_fds(FakeHost *fake_host, Caller *caller, const char *method,
			  const char *parameters, const int *fds, size_t count,
			  ReceivedFds *ret_offered)
{
	fake_host->sent = fds;
	fake_host->sent_count = count;
	const char *status = call(fake_host, caller, method, parameters);
	if (ret_offered)
		*ret_offered = fake_host->offered;
	else
		fake_host_must(fake_host->offered.count == 0);
	return status;
}

const char *callf(FakeHost *fake_host, Caller *caller, const char *method, const char *format, ...)
{
	va_list arguments;
	char *parameters;

	va_start(arguments, format);
	fake_host_must(vasprintf(&parameters, format, arguments) >= 0);
	va_end(arguments);
	const char *status = call(fake_host, caller, method, parameters);
	free(parameters);
	return status;
}

JsonValue *reply_value(FakeHost *fake_host, const char *path)
{
	JsonValue *value = json_member(fake_host->reply, "parameters");
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

const char *reply_string(FakeHost *fake_host, const char *path)
{
	const char *text = json_string(reply_value(fake_host, path));

	return text ? text : "";
}

uint64_t reply_number(FakeHost *fake_host, const char *path)
{
	uint64_t number;

	return json_read_unsigned(reply_value(fake_host, path), &number) ? number : UINT64_MAX;
}

size_t reply_count(FakeHost *fake_host, const char *path)
{
	return json_array_size(reply_value(fake_host, path));
}

static size_t events_kept(const FakeHost *fake_host)
{
	return fake_host->event_count < FAKE_HOST_EVENT_MAX ? fake_host->event_count
							    : FAKE_HOST_EVENT_MAX;
}

size_t fake_host_events(const FakeHost *fake_host, EventKind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < events_kept(fake_host); i++)
		count += fake_host->events[i].kind == kind;
	return count;
}

const FakeEvent *fake_host_last_event(const FakeHost *fake_host, EventKind kind)
{
	for (size_t i = 1; i <= events_kept(fake_host); i++) {
		const FakeEvent *event =
			&fake_host->events[(fake_host->event_count - i) % FAKE_HOST_EVENT_MAX];

		if (event->kind == kind)
			return event;
	}
	return NULL;
}

const FakeAuditRecord *fake_host_last_audit_record(const FakeHost *fake_host)
{
	if (fake_host->record_count == 0)
		return NULL;
	return &fake_host->records[(fake_host->record_count - 1) % FAKE_HOST_AUDIT_RECORD_MAX];
}

const FakeQuarantine *fake_host_find_quarantine(const FakeHost *fake_host, const char *text)
{
	Guid guid;

	fake_host_must(guid_parse(text, &guid));
	for (size_t i = 0; i < fake_host->quarantine_count; i++)
		if (guid_compare(&fake_host->quarantines[i].guid, &guid) == 0)
			return &fake_host->quarantines[i];
	return NULL;
}

HostFixture host_fixture_new_quiet(void)
{
	FakeHost *fake_host = fake_host_new();
	HostFixture fixture = { .fake_host = fake_host };

	fake_host_user(fake_host, "root", 0);
	fake_host_user(fake_host, "alice", 1000);
	fake_host_user(fake_host, "bob", 1001);
	fake_host_user(fake_host, "libvirt-qemu", 64055);
	fixture.root = fake_host_process(fake_host, 100, 0);
	fixture.vmm = fake_host_process(fake_host, 200, 64055);
	fixture.viewer = fake_host_process(fake_host, 300, 1000);
	fixture.mallory = fake_host_process(fake_host, 400, 1001);
	process_set_context(fixture.viewer, GRAPHICS_CONTEXT_DRM);
	process_set_context(fixture.mallory, GRAPHICS_CONTEXT_DRM);
	fixture.admin = fake_host_connect(fake_host, fixture.root);
	fixture.machine = fake_host_connect(fake_host, fixture.vmm);
	fixture.client = fake_host_connect(fake_host, fixture.viewer);
	fixture.stranger = fake_host_connect(fake_host, fixture.mallory);
	return fixture;
}

HostFixture host_fixture_new(void)
{
	HostFixture fixture = host_fixture_new_quiet();
	const char *status = call(fixture.fake_host, fixture.admin, REGISTER_MACHINE,
				  "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
				  "\"displayClients\":[{\"user\":\"alice\"}]}");

	fake_host_must(strcmp(status, "STATUS_SUCCESS") == 0);
	status = call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A);
	fake_host_must(strcmp(status, "STATUS_SUCCESS") == 0);
	return fixture;
}

void host_fixture_free(HostFixture *fixture)
{
	broker_check(fixture->fake_host->service.broker);
	fake_host_free(fixture->fake_host);
}
