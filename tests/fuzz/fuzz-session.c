/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the pure part of the daemon, from received bytes to replies. An input is a script of
 * several connections. A command is a control character, which JSON cannot contain, and an argument
 * byte; commands[] has them all. Other bytes are sent on the current connection, and arrive when
 * the next command follows that needs them.
 *
 * No assertion may fail. All replies must be complete, valid JSON, as the interface files declare
 * them. A reply ends in LF, in NUL, or in LF NUL. A restart must not change what an earlier restart
 * has restored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/session-fds.h"
#include "tests/fuzz/common/fuzz-input.h"
#include "tests/support/fake-share.h"
#include "tests/support/varlink-text.h"

#define CALLERS       4
#define SLOTS         4 /* connections of each caller at a time */
#define CONNECTIONS   (CALLERS * SLOTS)
#define CONNECTS_MAX  200 /* fake_host_connect() has room for 256 callers */
#define PROCESSES_MAX 48  /* leaves room in the fake host, which aborts beyond it */
#define QUARANTINES   200
#define OPEN_FDS_MAX  400
#define TURN_FDS_MAX  64
#define SNAPSHOTS_MAX 2 /* a snapshot is slow */
#define INSPECTOR_PID 90

typedef struct Connection {
	bool is_open;
	Session session;
	SessionState state;
	Caller *caller;
	size_t turn;   /* bytes that arrive at a time */
	Buffer unsent; /* bytes of the script that have not arrived yet */
	Buffer replies;
	char last_terminator;   /* of a reply */
	InputMetadata metadata; /* of the next turn */
	int fds[TURN_FDS_MAX];  /* that arrive with the next turn */
	size_t fd_count;
} Connection;

typedef struct Script {
	HostFixture fixture;
	FakeHost *fake_host;
	Caller *inspector;
	FakeProcess *processes[CALLERS];
	Connection connections[CONNECTIONS];
	Connection *current;
	size_t connects;
	size_t snapshots;
} Script;

/* ---- Replies ---- */

static const VarlinkService *interfaces(void)
{
	static VarlinkService service;

	if (service.count == 0)
		service = varlink_service();
	return &service;
}

static void check_reply(FakeHost *fake_host, char *text, size_t length)
{
	const char *error, *flaw;
	JsonValue *reply;

	text[length] = '\0';
	reply = json_parse(fake_host->service.parser, text, length, &error);
	fuzz_must(!error && json_type_of(reply) == JSON_OBJECT);
	fuzz_must(json_type_of(json_member(reply, "parameters")) == JSON_OBJECT);
	flaw = json_member(reply, "error") ? varlink_reply_flaw(interfaces(), NULL, reply) : NULL;
	if (flaw)
		fprintf(stderr, "%s\n%s\n", text, flaw);
	fuzz_must(!flaw);
	json_free(reply);
}

static void check_replies(Script *script, Connection *connection)
{
	Buffer *replies = &connection->replies;
	char *text = replies->data;
	size_t size = buffer_size(replies), begin = 0;

	for (size_t i = 0; i < size; i++) {
		char terminator = text[i];

		if (terminator != '\n' && terminator != '\0')
			continue;
		if (i == begin) /* the NUL of a request, or of malformed input, came late */
			fuzz_must(terminator == '\0' && connection->last_terminator == '\n');
		else
			check_reply(script->fake_host, text + begin, i - begin);
		connection->last_terminator = terminator;
		begin = i + 1;
	}
	fuzz_must(begin == size);
	buffer_consume(replies, size);
}

/* Takes the fds that go out with the replies, and closes them as the receiver would. */
static void take_outgoing(Script *script, Session *session, size_t size)
{
	for (OutgoingFds *offer = session_outgoing_fds(session); offer;
	     offer = STAILQ_NEXT(offer, link)) {
		fuzz_must(offer->begin < offer->end && offer->end <= size);
		for (size_t i = 0; i < offer->count; i++)
			fake_host_close(script->fake_host, offer->items[i]);
		offer->count = 0;
	}
	session_sent(session, size);
}

/* ---- Connections ---- */

static void connection_close(Script *script, Connection *connection)
{
	if (!connection->is_open)
		return;
	connection->is_open = false;
	session_deinit(&connection->session);
	fake_host_disconnect(script->fake_host, connection->caller);
	for (size_t i = 0; i < connection->fd_count; i++)
		fake_host_close(script->fake_host, connection->fds[i]);
	buffer_deinit(&connection->unsent);
	buffer_deinit(&connection->replies);
}

/* Answers all complete requests, and closes the connection if the session has ended. */
static void connection_pump(Script *script, Connection *connection)
{
	Session *session = &connection->session;
	Buffer out = BUFFER_INIT;

	do {
		connection->state = session_pump(session, &out);
		fuzz_must(buffer_size(&out) <= LIMIT_UNREAD_PAUSE + LIMIT_UNREAD_PER_CONNECTION);
		if (connection->state != SESSION_BROKEN)
			fuzz_must(buffer_append(&connection->replies, buffer_head(&out),
						buffer_size(&out)));
		take_outgoing(script, session, buffer_size(&out));
		buffer_consume(&out, buffer_size(&out));
	} while (connection->state == SESSION_PAUSED);
	buffer_deinit(&out);
	check_replies(script, connection);
	if (connection->state == SESSION_FINISHED || connection->state == SESSION_BROKEN)
		connection_close(script, connection);
}

/* Passes one turn's bytes, with the metadata and the fds that wait for them. */
static void connection_receive(Script *script, Connection *connection, size_t size)
{
	InputMetadata metadata = connection->metadata;
	Session *session = &connection->session;

	fuzz_must(buffer_append(&session->input, buffer_head(&connection->unsent), size));
	buffer_consume(&connection->unsent, size);
	for (size_t i = 0; i < connection->fd_count; i++)
		session_fd_arrived(session, connection->fds[i], &metadata);
	connection->fd_count = 0;
	connection->metadata = (InputMetadata){ 0 };
	session_arrived(session, &metadata);
	connection_pump(script, connection);
}

/* Lets the unsent bytes arrive while the session reads. */
static void connection_flush(Script *script, Connection *connection)
{
	size_t size;

	while (connection->is_open && connection->state == SESSION_READS &&
	       (size = buffer_size(&connection->unsent)) > 0)
		connection_receive(script, connection,
				   size < connection->turn ? size : connection->turn);
}

/* Sends events to watches. A watch that ends continues with the bytes that wait behind it. */
static void pump_watches(Script *script)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		Connection *connection = &script->connections[i];

		if (connection->is_open && connection->state == SESSION_WATCHES)
			connection_pump(script, connection);
		connection_flush(script, connection);
	}
}

static void close_all(Script *script)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		connection_close(script, &script->connections[i]);
}

/* ---- Commands ---- */

/* Bits 0-1: the caller, as in callers(); bits 2-3: the slot; bit 4: closes it first. */
static void select_connection(Script *script, uint8_t argument)
{
	Connection *connection = &script->connections[argument % CONNECTIONS];

	if (argument & 1 << 4)
		connection_close(script, connection);
	script->current = connection;
	if (connection->is_open || script->connects == CONNECTS_MAX)
		return;
	*connection = (Connection){ .is_open = true, .turn = SIZE_MAX, .state = SESSION_READS };
	connection->caller =
		fake_host_connect(script->fake_host, script->processes[argument % CALLERS]);
	session_init(&connection->session, &script->fake_host->service, connection->caller);
	script->connects++;
}

/* Metadata of the next turn. Bits 0-3: one flag each; bits 4-5: fds that were not expected. */
static void set_metadata(Script *script, uint8_t argument)
{
	script->current->metadata = (InputMetadata){
		.foreign = argument & 1 << 0,
		.lost = argument & 1 << 1,
		.too_many = argument & 1 << 2,
		.closing_too_many = argument & 1 << 3,
		.had_fds = (argument >> 4 & 3) != 0,
	};
}

static int make_fd(FakeHost *fake_host, uint8_t kind)
{
	static const struct {
		FdKind kind;
		uint64_t size;
	} kinds[] = {
		{ FD_MEMFD, IMAGE_SIZE }, { FD_MEMFD, 0 },           { FD_SYNC_FILE, 0 },
		{ FD_OTHER, 0 },          { FD_DMABUF, IMAGE_SIZE }, { FD_DMABUF, UINT64_MAX },
		{ FD_MEMFD, 1 },
	};

	return kind < ARRAY_SIZE(kinds)
		       ? fake_host_fd(fake_host, kinds[kind].kind, kinds[kind].size)
		       : sealed_memory(fake_host);
}

/* Fds that arrive with the next turn. Bits 0-2: their kind; bits 3-5: how many more than one. */
static void attach_fds(Script *script, uint8_t argument)
{
	Connection *connection = script->current;

	for (unsigned int i = 0; i <= (argument >> 3 & 7); i++) {
		/* The connection closes fds of callers that may not share before the session. */
		if (connection->caller->credentials.uid !=
		    script->processes[1]->credentials.uids[0])
			connection->metadata.had_fds = true;
		else if (connection->fd_count < TURN_FDS_MAX &&
			 fake_host_open_fds(script->fake_host) < OPEN_FDS_MAX)
			connection->fds[connection->fd_count++] =
				make_fd(script->fake_host, argument & 7);
	}
}

/* Bits 0-1: the size of the turns in which bytes arrive. */
static void set_turn(Script *script, uint8_t argument)
{
	static const size_t sizes[] = { SIZE_MAX, 1, 7, 64 };

	script->current->turn = sizes[argument & 3];
}

/* The peer closes its sending side. */
static void end_input(Script *script, uint8_t argument)
{
	Connection *connection = script->current;

	(void)argument;
	if (connection->state != SESSION_READS && connection->state != SESSION_WATCHES)
		return;
	session_end_of_input(&connection->session);
	connection_pump(script, connection);
}

static void close_current(Script *script, uint8_t argument)
{
	(void)argument;
	connection_close(script, script->current);
}

/* Bits 0-1: the caller; bit 2: the daemon notices at once. */
static void kill_process(Script *script, uint8_t argument)
{
	fake_host_kill(script->fake_host, script->processes[argument % CALLERS]);
	if (argument & 1 << 2)
		fake_host_report_exits(script->fake_host);
}

static void report_exits(Script *script, uint8_t argument)
{
	(void)argument;
	fake_host_report_exits(script->fake_host);
}

/* Bits 0-1: the caller, whose process has exited and whose pid a new process of the user takes. */
static void reuse_pid(Script *script, uint8_t argument)
{
	FakeProcess **process = &script->processes[argument % CALLERS];
	const FakeProcess *old = *process;

	if (old->alive || script->fake_host->process_count >= PROCESSES_MAX)
		return;
	*process = fake_host_process(script->fake_host, old->pid, old->credentials.uids[ID_REAL]);
	if (old->has_graphics_context)
		process_set_context(*process, old->graphics_context);
}

/* Advances the clock by 2^argument microseconds, and ends adapters whose drivers are overdue. */
static void advance_time(Script *script, uint8_t argument)
{
	script->fake_host->now += UINT64_C(1) << (argument & 31);
	adapters_end_overdue(script->fake_host->service.broker);
}

/* Each bit is a failure of the host, until the next such command. */
static void inject_failures(Script *script, uint8_t argument)
{
	FakeHost *fake_host = script->fake_host;

	fake_host->refuse_watch = argument & 1 << 0;
	fake_host->refuse_quarantine = argument & 1 << 1;
	fake_host->refuse_persist = argument & 1 << 2;
	fake_host->persists_before_refusal = argument >> 6;
	fake_host->refuse_fdstore_add = argument & 1 << 3;
	fake_host->exhaust_find = argument & 1 << 4;
	fake_host->fd_limit = argument & 1 << 5 ? 1 : 0;
}

/* Bit 0: users may have VMs; bit 1: sealed memory only; bit 2: limits of 2; bit 3: reservations. */
static void reload(Script *script, uint8_t argument)
{
	Settings *settings = &script->fake_host->service.settings;

	settings->allow_user_machines = argument & 1 << 0;
	settings->require_sealed_memory = argument & 1 << 1;
	settings->limits = limits_default;
	for (LimitKind kind = 0; argument & 1 << 2 && kind < LIMIT_MAX; kind++)
		settings->limits.per_uid[kind] = settings->limits.host_wide[kind] = 2;
	settings->software_adapter.of_processes = (ConfiguredReservations){
		.count = argument & 1 << 3 ? 1 : 0,
		.items = { { .size = 4u << 20,
			     .base_address = UINT64_C(0x10000000000),
			     .allow_user_mode_mapping = true } },
	};
	fake_host_reload(script->fake_host);
}

/* Restarts once more, and checks that this changes nothing that an operator can see. */
static void check_second_restart(Script *script)
{
	FakeHost *fake_host = script->fake_host;
	char *before = fake_host_snapshot(fake_host, script->inspector);

	fake_host_restart(fake_host);
	char *after = fake_host_snapshot(fake_host, script->inspector);
	if (strcmp(before, after) != 0)
		fprintf(stderr, "before:\n%s\nafter:\n%s\n", before, after);
	fuzz_must(strcmp(before, after) == 0);
	fuzz_must(fake_host->report.drop_count == 0);
	free(before);
	free(after);
}

/* A start succeeds only if the host's resources suffice, so the injected failures end first. */
static void restart(Script *script, uint8_t argument)
{
	(void)argument;
	inject_failures(script, 0);
	/* As at a shutdown: adapters and display channels wait for their connections to come back.
	 */
	broker_stop(script->fake_host->service.broker);
	close_all(script);
	fake_host_restart(script->fake_host);
	if (script->snapshots++ < SNAPSHOTS_MAX)
		check_second_restart(script);
}

/* Sends the argument itself, which may be a control character. */
static void send_byte(Script *script, uint8_t argument)
{
	fuzz_must(buffer_append(&script->current->unsent, &argument, 1));
}

typedef struct ScriptCommand {
	void (*run)(Script *script, uint8_t argument);
	bool needs_connection;
	bool keeps_bytes; /* the bytes before it have not arrived yet */
} ScriptCommand;

static const ScriptCommand commands[0x20] = {
	[0x01] = { select_connection, false, false }, [0x02] = { set_metadata, true, false },
	[0x03] = { attach_fds, true, false },         [0x04] = { set_turn, true, false },
	[0x05] = { end_input, true, false },          [0x06] = { close_current, true, false },
	[0x07] = { kill_process, false, false },      [0x08] = { report_exits, false, false },
	[0x0b] = { advance_time, false, false },      [0x0c] = { restart, false, false },
	[0x0e] = { inject_failures, false, false },   [0x0f] = { reload, false, false },
	[0x10] = { reuse_pid, false, false },         [0x11] = { send_byte, true, true },
	[0x12] = { close_current, true, true },
};

static void run_command(Script *script, const ScriptCommand *command, uint8_t argument)
{
	if (!command->keeps_bytes)
		connection_flush(script, script->current);
	if (!command->needs_connection || script->current->is_open)
		command->run(script, argument);
	pump_watches(script);
}

static void run_script(Script *script, Input input)
{
	while (input.size > 0 && script->fake_host->quarantine_count < QUARANTINES) {
		uint8_t byte = input_byte(&input);
		const ScriptCommand *command = byte < ARRAY_SIZE(commands) ? &commands[byte] : NULL;

		if (command && command->run)
			run_command(script, command, input_byte(&input));
		else if (script->current->is_open)
			send_byte(script, byte);
	}
	connection_flush(script, script->current);
	pump_watches(script);
}

static void script_init(Script *script)
{
	FakeHost *fake_host;

	script->fixture = host_fixture_new();
	fake_host = script->fake_host = script->fixture.fake_host;
	fake_host->service.settings.allow_user_machines = true;
	script->inspector =
		fake_host_connect(fake_host, fake_host_process(fake_host, INSPECTOR_PID, 0));
	script->processes[0] = script->fixture.root;
	script->processes[1] = script->fixture.vmm;
	script->processes[2] = script->fixture.viewer;
	script->processes[3] = script->fixture.mallory;
	script->current = &script->connections[0];
	select_connection(script, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Script *script = calloc(1, sizeof(*script));

	fuzz_must(script != NULL);
	script_init(script);
	run_script(script, (Input){ data, size });
	close_all(script);
	host_fixture_free(&script->fixture);
	free(script);
	return 0;
}
