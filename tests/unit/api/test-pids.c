/* SPDX-License-Identifier: MIT */
/*
 * Pids in requests and replies are those of the caller's pid namespace. The interface files say
 * where pids are: each of them is read by a caller on the host, by one in a container, and by one
 * in a container inside of that, and each parameter is tried with numbers of all three.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-display.h"
#include "tests/support/fake-gpu.h"
#include "tests/support/fake-share.h"
#include "tests/support/varlink-text.h"

#define SUCCESS "STATUS_SUCCESS"
#define INVALID "STATUS_INVALID_PARAMETER"

enum { HOST, BOX, INNER, PLACE_COUNT };

/*
 * The processes, with their pids in each place, or 0 if they are not visible there. Many numbers
 * mean different processes in different places.
 */
static const struct {
	pid_t pids[PLACE_COUNT];
	uid_t uid;
} people[] = {
	{ { 100, 0, 0 }, 0 },       /* root of the fixture */
	{ { 20, 0, 0 }, 1001 },     /* on the host, with the VMM's number in the box */
	{ { 30, 0, 0 }, 1001 },     /* and with the viewer's */
	{ { 1010, 10, 0 }, 0 },     /* an operator in the box */
	{ { 1020, 20, 0 }, 64055 }, /* a VMM in the box */
	{ { 1030, 30, 0 }, 1000 },  /* a viewer in the box */
	{ { 1040, 40, 10 }, 0 },    /* an operator in the inner box */
	{ { 1050, 50, 20 }, 1000 }, /* a viewer in the inner box */
};

#define OPERATORS       \
	{               \
		0, 3, 6 \
	} /* one in each place */

typedef struct Fixture {
	HostFixture base;
	FakeHost *fake_host;
	FakeProcess *processes[ARRAY_SIZE(people)];
	Caller *callers[ARRAY_SIZE(people)];
	Caller *operators[PLACE_COUNT];
	FakeAgent agent;
	FakeAgent incoming; /* serves for the incoming VMM */
	VarlinkService service;
} Fixture;

static Fixture fixture;

static void set_up(void)
{
	static const size_t operators[] = OPERATORS;

	fixture = (Fixture){ .base = host_fixture_new_quiet(), .service = varlink_service() };
	fixture.fake_host = fixture.base.fake_host;
	fixture.processes[0] = fixture.base.root;
	fixture.callers[0] = fixture.base.admin;
	for (size_t i = 1; i < ARRAY_SIZE(people); i++) {
		FakeProcess *process =
			fake_host_process(fixture.fake_host, people[i].pids[HOST], people[i].uid);

		for (PidNamespace place = BOX; place < PLACE_COUNT; place++)
			if (people[i].pids[place] != 0)
				fake_host_enter(process, place, people[i].pids[place]);
		process_set_context(process, GRAPHICS_CONTEXT_DRM);
		fixture.processes[i] = process;
		fixture.callers[i] = fake_host_connect(fixture.fake_host, process);
	}
	for (int place = 0; place < PLACE_COUNT; place++)
		fixture.operators[place] = fixture.callers[operators[place]];
}

static void end_agents(void)
{
	FakeAgent *agents[] = { &fixture.agent, &fixture.incoming };

	for (size_t i = 0; i < ARRAY_SIZE(agents); i++) {
		if (agents[i]->fake_host)
			fake_agent_end(agents[i]);
		agents[i]->fake_host = NULL;
	}
}

static void tear_down(void)
{
	end_agents();
	varlink_service_deinit(&fixture.service);
	host_fixture_free(&fixture.base);
}

TestSuite(pids, .init = set_up, .fini = tear_down);

static bool is_pid(const char *name)
{
	size_t length = strlen(name);

	return strcmp(name, "pid") == 0 || (length > 3 && strcmp(name + length - 3, "Pid") == 0);
}

/* --- all pids of the interface files --------------------------------------------------------- */

/* A set of names like "io.vaild.Holder.pid". */
typedef struct Names {
	char names[64][96];
	size_t count;
} Names;

static bool contains(const Names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->names[i], name) == 0)
			return true;
	return false;
}

static void add(Names *names, const char *type, const char *field)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.%s", type, field);
	if (contains(names, name))
		return;
	cr_assert_lt(names->count, ARRAY_SIZE(names->names));
	strcpy(names->names[names->count++], name);
}

/* Adds the pids among the fields. A field of a type without a name belongs to where. */
static void add_declared(Names *names, const char *where, const VarlinkType *type)
{
	if (!type)
		return;
	if (type->kind == VARLINK_ARRAY)
		add_declared(names, where, type->element);
	if (type->kind != VARLINK_STRUCT)
		return;
	for (const VarlinkField *field = type->fields; field; field = field->next) {
		if (field->type->kind == VARLINK_INT && is_pid(field->name))
			add(names, where, field->name);
		add_declared(names, where, field->type);
	}
}

/* Collects all pids that a reply may contain, or all that a request may. */
static void collect(Names *replies, Names *requests)
{
	for (size_t i = 0; i < fixture.service.count; i++)
		for (size_t j = 0; j < fixture.service.texts[i]->count; j++) {
			const VarlinkDefinition *definition =
				&fixture.service.texts[i]->definitions[j];
			bool is_method = definition->word == VARLINK_METHOD;

			add_declared(is_method ? requests : replies, definition->name,
				     definition->in);
			add_declared(replies, definition->name, definition->out);
		}
}

/* --- reading --------------------------------------------------------------------------------- */

/* One caller's reading: which pids it has seen, and which values. */
typedef struct Reading {
	int place;
	Names fields;
	bool saw[ARRAY_SIZE(people)];
	const VarlinkText *text;
} Reading;

/* Checks that the number means a process where the reader is. 0 is one that it cannot see. */
static void read_pid(Reading *reading, const char *where, const char *name, uint64_t number)
{
	bool is_known = number == 0 && reading->place != HOST;

	add(&reading->fields, where, name);
	for (size_t i = 0; i < ARRAY_SIZE(people); i++) {
		if (number == 0 || (uint64_t)people[i].pids[reading->place] != number)
			continue;
		is_known = reading->saw[i] = true;
	}
	/* The daemon itself, which only the host sees. */
	is_known |= reading->place == HOST && strcmp(where, "GetStatus") == 0;
	cr_assert(is_known, "%s.%s is %lu in place %d", where, name, (unsigned long)number,
		  reading->place);
}

static void read_value(Reading *reading, const char *where, const VarlinkType *named,
		       const JsonValue *value)
{
	const VarlinkType *type = varlink_resolve(reading->text, named);

	if (named->kind == VARLINK_NAMED)
		where = named->name;
	for (size_t i = 0; type->kind == VARLINK_ARRAY && i < json_array_size(value); i++)
		read_value(reading, where, type->element, json_array_at(value, i));
	for (const VarlinkField *field = type->fields; field; field = field->next) {
		const JsonValue *member =
			type->kind == VARLINK_STRUCT ? json_member(value, field->name) : NULL;
		uint64_t number;

		if (member && is_pid(field->name) && json_read_unsigned(member, &number))
			read_pid(reading, where, field->name, number);
		else if (member)
			read_value(reading, where, field->type, member);
	}
}

/* Reads all replies of a method in the text, which it takes apart. */
static void read_replies(Reading *reading, const char *method, char *text)
{
	char interface[96];
	const char *name = strrchr(method, '.') + 1, *error;

	snprintf(interface, sizeof(interface), "%.*s", (int)(name - 1 - method), method);
	reading->text = varlink_interface(&fixture.service, interface);
	const VarlinkDefinition *definition = varlink_find(reading->text, VARLINK_METHOD, name);
	for (char *line; (line = strsep(&text, "\n")) && *line;) {
		JsonParser *parser = fixture.fake_host->service.parser;
		JsonValue *reply = json_parse(parser, line, strlen(line), &error);

		cr_assert_null(varlink_reply_flaw(&fixture.service, method, reply), "%s", line);
		cr_assert_null(json_member(reply, "error"), "%s", line);
		read_value(reading, name, definition->out, json_member(reply, "parameters"));
		json_free(reply);
	}
}

static void ask(Reading *reading, Caller *caller, const char *method, const char *parameters,
		const char *more)
{
	char request[512];

	snprintf(request, sizeof(request), "{\"method\":\"%s\"%s%s%s}\n", method,
		 parameters ? ",\"parameters\":" : "", parameters ? parameters : "", more);
	read_replies(reading, method, (char *)exchange(fixture.fake_host, caller, request));
}

/* --- what is there to read ------------------------------------------------------------------- */

/*
 * Processes of all places take part in one VM: VMM, agent, display clients, registrations, an
 * object with holders, GPU processes, an incoming VMM, display servers. A box inside sees only its
 * own.
 */
static void populate(void)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter;
	char handle[64];

	fake_host_user(fake_host, "alice", 1000);
	fake_host_user(fake_host, "bob", 1001);
	cr_assert_str_eq(call(fake_host, fixture.operators[BOX], REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":20,"
			      "\"agent\":{\"pid\":40},\"displayClients\":[{\"pid\":30},"
			      "{\"pid\":50},{\"user\":\"bob\"}]}"),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.operators[HOST], ASSIGN, NAMES_A), SUCCESS);
	int fd = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.callers[4], IMAGE, &fd, 1, handle), SUCCESS);
	for (size_t i = 0; i < ARRAY_SIZE(people); i++) {
		if (people[i].uid != 1000 && people[i].uid != 1001)
			continue;
		cr_assert_str_eq(call(fake_host, fixture.callers[i], REGISTER, NAMES_A), SUCCESS);
		cr_assert_str_eq(open_and_close_fds(fake_host, fixture.callers[i], handle, NULL),
				 SUCCESS);
		cr_assert_str_eq(call(fake_host, fixture.callers[i], CREATE_CONTEXT, NULL),
				 SUCCESS);
	}
	fake_agent_serve(&fixture.agent, fake_host, fixture.callers[4], NAMES_A);
	cr_assert_str_eq(open_display(fake_host, fixture.callers[2], NULL, NULL, &fd), SUCCESS);
	fake_host_close(fake_host, fd);
	adapter = fake_running_adapter(fake_host, fixture.operators[BOX], "9,9,9,9");
	cr_assert_str_eq(create_gpu_process(fake_host, fixture.operators[BOX], &adapter,
					    ",\"pid\":30", handle),
			 SUCCESS);
	cr_assert_str_eq(call(fake_host, fixture.operators[BOX], REGISTER_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":50}"),
			 SUCCESS);
	fake_agent_serve(&fixture.incoming, fake_host, fixture.callers[7], NAMES_A);
}

/* Reads everything that an operator in the place can read. */
static void read_all(Reading *reading)
{
	Caller *caller = fixture.operators[reading->place];
	static const char *const lists[] = { LIST_REGISTRATIONS, LIST_OBJECTS,   LIST_MACHINES,
					     LIST_DISPLAYS,      LIST_PROCESSES, LIST_GPU_HOLDERS };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		ask(reading, caller, lists[i], NULL, "");
		ask(reading, caller, lists[i], NULL, ",\"more\":true");
	}
	ask(reading, caller, DESCRIBE, NAMES_A, "");
	ask(reading, caller, WATCH, NULL, ",\"more\":true");
	ask(reading, caller, "io.vaild.Monitor.GetStatus", NULL, "");
}

Test(pids, each_reply_has_the_pids_of_its_readers_namespace)
{
	Names requests = { 0 }, replies = { 0 };

	populate();
	collect(&replies, &requests);
	cr_assert_gt(replies.count, 5u);
	for (int place = 0; place < PLACE_COUNT; place++) {
		Reading reading = { .place = place };

		read_all(&reading);
		for (size_t i = 0; i < replies.count; i++)
			cr_assert(contains(&reading.fields, replies.names[i]),
				  "no reply had %s; extend the test", replies.names[i]);
		/* Operators do nothing here that a reply would show, except for the agent. */
		for (size_t i = 1; i < ARRAY_SIZE(people); i++)
			cr_assert_eq(reading.saw[i], people[i].pids[place] != 0 && i != 3,
				     "process %zu in place %d", i, place);
	}
}

Test(pids, restart_changes_no_pid)
{
	Reading before = { .place = BOX }, after = { .place = BOX };

	populate();
	ask(&before, fixture.operators[BOX], LIST_REGISTRATIONS, NULL, "");
	end_agents();
	fake_host_restart(fixture.fake_host);
	ask(&after, fixture.operators[BOX], LIST_REGISTRATIONS, NULL, "");
	cr_assert_eq(memcmp(before.saw, after.saw, sizeof(before.saw)), 0);
	ask(&after, fixture.operators[BOX], DESCRIBE, NAMES_A, "");
	cr_assert(after.saw[4] && after.saw[6], "VMM and agent");
}

/* --- events ---------------------------------------------------------------------------------- */

/* A watch in each place, at the same time. */
typedef struct Watcher {
	Session session;
	Buffer out;
	Reading reading;
} Watcher;

static void watcher_read(Watcher *watcher)
{
	cr_assert_eq(session_pump(&watcher->session, &watcher->out), SESSION_WATCHES);
	buffer_append(&watcher->out, "", 1);
	read_replies(&watcher->reading, WATCH, (char *)buffer_head(&watcher->out));
	buffer_truncate(&watcher->out, 0);
}

static void watcher_init(Watcher *watcher, int place)
{
	static const char request[] = "{\"method\":\"" WATCH "\",\"more\":true}\n";

	*watcher = (Watcher){ .out = BUFFER_INIT, .reading.place = place };
	session_init(&watcher->session, &fixture.fake_host->service, fixture.operators[place]);
	buffer_append(&watcher->session.input, request, strlen(request));
	session_arrived(&watcher->session, &(InputMetadata){ 0 });
	watcher_read(watcher);
	memset(watcher->reading.saw, 0, sizeof(watcher->reading.saw));
}

/* Checks that the watchers have just seen this process, as far as they can, and no other. */
static void expect_event_about(Watcher *watchers, size_t person)
{
	for (int place = 0; place < PLACE_COUNT; place++) {
		bool *saw = watchers[place].reading.saw;

		watcher_read(&watchers[place]);
		for (size_t i = 0; i < ARRAY_SIZE(people); i++)
			cr_assert_eq(saw[i], i == person && people[i].pids[place] != 0,
				     "process %zu in place %d", i, place);
		memset(saw, 0, sizeof(watchers[place].reading.saw));
	}
}

Test(pids, one_event_has_another_pid_in_each_namespace)
{
	Watcher watchers[PLACE_COUNT];
	FakeHost *fake_host = fixture.fake_host;

	populate();
	for (int place = 0; place < PLACE_COUNT; place++)
		watcher_init(&watchers[place], place);
	cr_assert_str_eq(call(fake_host, fixture.callers[5], UNREGISTER, NAMES_A), SUCCESS);
	expect_event_about(watchers, 5);
	cr_assert_str_eq(call(fake_host, fixture.callers[5], REGISTER, NAMES_A), SUCCESS);
	expect_event_about(watchers, 5);
	/* The number of a process is known after its exit. */
	cr_assert_str_eq(call(fake_host, fixture.callers[1], UNREGISTER, NAMES_A), SUCCESS);
	expect_event_about(watchers, 1);
	for (int place = 0; place < PLACE_COUNT; place++) {
		session_deinit(&watchers[place].session);
		buffer_deinit(&watchers[place].out);
	}
}

Test(pids, end_of_a_process_has_its_pid)
{
	Watcher watcher;

	populate();
	watcher_init(&watcher, BOX);
	fake_host_exit(fixture.fake_host, fixture.processes[7]);
	watcher_read(&watcher);
	cr_assert(watcher.reading.saw[7]);
	session_deinit(&watcher.session);
	buffer_deinit(&watcher.out);
}

/* --- requests -------------------------------------------------------------------------------- */

/* A request that names a pid, and the path of that parameter. */
static const struct {
	const char *field, *method, *path;
	const char *before, *after; /* the pid in the parameters */
} naming[] = {
	{ "RegisterVirtualMachine.vmmPid", REGISTER_MACHINE, "vmmPid",
	  "{\"virtualMachineGuid\":\"" GUID_B
	  "\",\"displayClients\":[{\"user\":\"alice\"}],\"vmmPid\":",
	  "}" },
	{ "Agent.pid", UPDATE_MACHINE, "agent.pid",
	  "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":", "}}" },
	{ "DisplayClient.pid", UPDATE_MACHINE, "displayClients[1].pid",
	  "{\"virtualMachineGuid\":\"" GUID_A
	  "\",\"displayClients\":[{\"user\":\"alice\"},{\"pid\":",
	  "}]}" },
	{ "CreateProcess.pid", CREATE_PROCESS, "pid", NULL, "}" },
	{ "UpdateVirtualMachine.vmmPid", UPDATE_MACHINE, "vmmPid",
	  "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":40},\"vmmPid\":", "}" },
};

static const char *name_pid(size_t row, Caller *caller, const char *adapter, uint64_t pid)
{
	char begin[160];

	snprintf(begin, sizeof(begin), "{\"adapter\":\"%s\",\"pid\":", adapter);
	return callf(fixture.fake_host, caller, naming[row].method, "%s%lu%s",
		     naming[row].before ? naming[row].before : begin, (unsigned long)pid,
		     naming[row].after);
}

/* Returns the pid of the process that the last successful request named, as the host sees it. */
static pid_t named_process(size_t row)
{
	FakeHost *fake_host = fixture.fake_host;
	Caller *admin = fixture.operators[HOST];
	uint64_t pid;

	if (row == 4) {
		call(fake_host, admin, DESCRIBE, NAMES_A);
		bool is_updated =
			reply_number(fake_host, "virtualMachine.incomingAgent.pid") == 1040;
		pid = is_updated ? reply_number(fake_host, "virtualMachine.incomingVmmPid") : 0;
	} else if (row == 3) {
		call(fake_host, admin, LIST_PROCESSES, NULL);
		pid = reply_number(fake_host, "processes[2].pid");
	} else {
		call(fake_host, admin, DESCRIBE, row == 0 ? NAMES_B : NAMES_A);
		pid = reply_number(fake_host, row == 0   ? "virtualMachine.vmmPid"
					      : row == 1 ? "virtualMachine.agent.pid"
							 : "virtualMachine.displayClients[1].pid");
	}
	return (pid_t)pid;
}

Test(pids, each_pid_in_a_request_is_one_of_the_callers_namespace)
{
	static const uint64_t nothing[] = {
		0, 1, 999, 1020, 1030, UINT64_C(4294967316), INT64_MAX
	};
	Names requests = { 0 }, replies = { 0 };

	collect(&replies, &requests);
	for (size_t row = 0; row < ARRAY_SIZE(naming); row++) {
		FakeAdapter adapter;

		tear_down();
		set_up();
		fake_host_user(fixture.fake_host, "alice", 1000);
		cr_assert_str_eq(call(fixture.fake_host, fixture.operators[BOX], REGISTER_MACHINE,
				      "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":20,"
				      "\"displayClients\":[{\"user\":\"alice\"}]}"),
				 SUCCESS);
		if (row == 4) /* 30 has to be a VMM of the VM */
			call(fixture.fake_host, fixture.operators[BOX], REGISTER_MACHINE,
			     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":30}");
		adapter = fake_running_adapter(fixture.fake_host, fixture.operators[BOX], "9,9");
		for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
			cr_assert_str_eq(
				name_pid(row, fixture.operators[BOX], adapter.adapter, nothing[i]),
				INVALID, "%s %lu", naming[row].field, nothing[i]);
			cr_assert_str_eq(reply_string(fixture.fake_host, "parameter"),
					 naming[row].path);
		}
		/* 30 is another process on the host. */
		fixture.processes[5]->find_turns = 2;
		cr_assert_str_eq(name_pid(row, fixture.operators[BOX], adapter.adapter, 30),
				 SUCCESS, "%s", naming[row].field);
		cr_assert_eq(named_process(row), 1030, "%s", naming[row].field);
		cr_assert_eq(fixture.processes[5]->find_turns, 0u);
	}
	for (size_t i = 0; i < requests.count; i++) {
		bool is_tried = strcmp(requests.names[i], "RevokeRegistration.pid") == 0;

		for (size_t row = 0; row < ARRAY_SIZE(naming); row++)
			is_tried |= strcmp(requests.names[i], naming[row].field) == 0;
		cr_assert(is_tried, "no request had %s; extend the test", requests.names[i]);
	}
}

Test(pids, revoked_process_is_one_of_the_callers_namespace)
{
	FakeHost *fake_host = fixture.fake_host;
	Caller *box = fixture.operators[BOX];

	populate();
	/* On the host, 30 is another registered process. 1030 is the host's number. */
	cr_assert_str_eq(callf(fake_host, box, REVOKE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":1030}"),
			 "STATUS_NOT_FOUND");
	cr_assert_str_eq(
		callf(fake_host, box, REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":0}"),
		"STATUS_NOT_FOUND", "that of a process which is not visible");
	cr_assert_str_eq(
		callf(fake_host, box, REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":30}"),
		SUCCESS);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_UNREGISTERED)->pid, 1030);
	cr_assert_str_eq(callf(fake_host, fixture.operators[HOST], REVOKE,
			       "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":30}"),
			 SUCCESS);
	cr_assert_eq(fake_host_last_event(fake_host, EVENT_UNREGISTERED)->pid, 30);
}

Test(pids, caller_of_an_unknown_namespace_sees_and_names_none)
{
	FakeHost *fake_host = fixture.fake_host;

	populate();
	fixture.operators[BOX]->pid_namespace = PID_NAMESPACE_UNKNOWN;
	cr_assert_str_eq(call(fake_host, fixture.operators[BOX], DESCRIBE, NAMES_A), SUCCESS);
	cr_assert_eq(reply_number(fake_host, "virtualMachine.vmmPid"), 0u);
	cr_assert_str_eq(call(fake_host, fixture.operators[BOX], UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":30}}"),
			 INVALID);
}
