/* SPDX-License-Identifier: MIT */
/*
 * Tests that a handle survives the loss of its connection at any byte of a conversation. Repeatable
 * calls are sent again once and answered. Other calls end with an unknown result. A watch reports
 * each entity once.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/fake-server.h"

#define GUID    "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define OBJECT1 "11111111111111111111111111111111"
#define OBJECT2 "22222222222222222222222222222222"
#define GPU1    "33333333333333333333333333333333"

/* ---- A server that restarts, in a second thread ---- */

typedef struct ServerThread {
	FakeServer server;
	size_t reads;       /* bytes of the first request to read before the restart */
	const char *answer; /* the reply to every request */
	size_t sends;       /* bytes of the first answer to send before the restart */
	bool keeps_socket;  /* as with systemd: connections made during the restart are queued */
	size_t requests;    /* number of requests read completely */
	char last[1024];    /* the last request */
	int stop_pipe[2];   /* a pipe; closing its write end stops the thread */
	pthread_t id;
	size_t open_before;
} ServerThread;

/* Reads up to the NUL or at most this many bytes. Returns whether the NUL was read. */
static bool read_request(ServerThread *thread, size_t at_most)
{
	size_t size = 0;
	char byte;

	while (size < at_most && recv(thread->server.connection, &byte, 1, 0) > 0) {
		if (size < sizeof(thread->last))
			thread->last[size++] = byte;
		if (byte == '\0')
			return true;
	}
	return false;
}

static void close_server(ServerThread *thread)
{
	close(thread->server.connection);
	thread->server.connection = -1;
	if (thread->keeps_socket)
		return;
	close(thread->server.listener);
	unlink(thread->server.path);
}

static void reopen_server(ServerThread *thread)
{
	if (!thread->keeps_socket)
		fake_server_listen(&thread->server);
}

static void answer_all(ServerThread *thread)
{
	FakeServer *own = &thread->server;

	own->connection = accept4(own->listener, NULL, NULL, SOCK_CLOEXEC);
	while (read_request(thread, SIZE_MAX)) {
		thread->requests++;
		fake_server_send(own, thread->answer, strlen(thread->answer) + 1, NULL, 0);
	}
	close(own->connection);
	own->connection = -1;
}

/* A request that arrives late still reaches the server before it closes the connection. */
static void wait_for_request(const ServerThread *thread)
{
	poll(&(struct pollfd){ .fd = thread->server.connection, .events = POLLIN }, 1, -1);
}

static void *run_server(void *context)
{
	ServerThread *thread = context;

	wait_for_request(thread);
	thread->requests += read_request(thread, thread->reads);
	if (thread->sends > 0)
		fake_server_send(&thread->server, thread->answer, thread->sends, NULL, 0);
	close_server(thread);
	reopen_server(thread);
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = thread->server.listener, .events = POLLIN },
			{ .fd = thread->stop_pipe[0], .events = POLLIN },
		};

		poll(fds, 2, -1);
		if (fds[0].revents)
			answer_all(thread);
		else if (fds[1].revents)
			return NULL;
	}
}

static void server_thread_start(ServerThread *thread)
{
	thread->open_before = count_open_fds();
	fake_server_init(&thread->server);
	cr_assert_eq(pipe2(thread->stop_pipe, O_CLOEXEC), 0);
	cr_assert_eq(pthread_create(&thread->id, NULL, run_server, thread), 0);
}

static void server_thread_stop(ServerThread *thread)
{
	vail_close(thread->server.vail);
	thread->server.vail = NULL;
	close(thread->stop_pipe[1]);
	cr_assert_eq(pthread_join(thread->id, NULL), 0);
	close(thread->stop_pipe[0]);
	thread->server.connection =
		open("/dev/null", O_RDONLY | O_CLOEXEC); /* for fake_server_deinit() to close */
	fake_server_deinit(&thread->server);
	cr_assert_eq(count_open_fds(), thread->open_before, "fds are left open");
}

/* ---- A server in the thread of the test ---- */

static FakeServer server;

static void set_up(void)
{
	fake_server_init(&server);
}

static void tear_down(void)
{
	fake_server_deinit(&server);
}

TestSuite(resume, .init = set_up, .fini = tear_down);

static bool store_status(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			 void *context)
{
	(void)vail;
	(void)parameters;
	*(NTSTATUS *)context = status;
	return continues;
}

/* Processes the handle until it has connected, and accepts the connection. */
static void wait_for_connection(void)
{
	struct pollfd fds[] = { { .fd = server.listener, .events = POLLIN }, { .events = POLLIN } };

	for (;;) {
		fds[1].fd = vail_descriptor(server.vail);
		cr_assert_gt(poll(fds, 2, -1), 0);
		if (fds[0].revents)
			break;
		vail_process(server.vail);
	}
	fake_server_accept(&server);
}

/* Receives one message. Processes the handle, which may have to send the rest of it. */
static void read_message(ReceivedData *ret_received)
{
	size_t size = 0;
	char byte = 'x';

	while (byte != '\0') {
		vail_process(server.vail);
		cr_assert_eq(recv(server.connection, &byte, 1, 0), 1);
		cr_assert_lt(size, sizeof(ret_received->bytes));
		ret_received->bytes[size++] = byte;
	}
	ret_received->size = size;
}

/* ---- A conversation cut at each byte ---- */

static const char one_answer[] = "{\"parameters\":{\"a\":1}}";

static void cut_conversation(const char *method, size_t reads, size_t sends, bool keeps_socket,
			     bool is_repeatable)
{
	ServerThread thread = {
		.reads = reads, .answer = one_answer, .sends = sends, .keeps_socket = keeps_socket
	};
	char *reply = NULL;

	server_thread_start(&thread);
	NTSTATUS status = vail_call(thread.server.vail, method, NULL, &reply);
	cr_assert_eq(status, is_repeatable ? STATUS_SUCCESS : STATUS_CONNECTION_DISCONNECTED,
		     "%s, %zu bytes read, %zu sent: %s", method, reads, sends,
		     vail_error_message(thread.server.vail));
	server_thread_stop(&thread);
	if (is_repeatable)
		cr_assert_str_eq(reply, "{\"a\":1}");
	cr_assert_eq(thread.requests, (reads == SIZE_MAX ? 1u : 0u) + (is_repeatable ? 1u : 0u),
		     "%s, %zu bytes read, %zu sent: %zu requests", method, reads, sends,
		     thread.requests);
	free(reply);
}

Test(resume_of_cut_conversation, repeatable_calls_survive_a_cut_at_any_byte)
{
	static const char method[] = "io.vaild.ListRegistrations";
	size_t size = sizeof("{\"method\":\"\"}") + strlen(method);

	for (size_t reads = 0; reads < size; reads++)
		cut_conversation(method, reads, 0, reads % 2 == 0, true);
	/* An answer without its final NUL is already complete. */
	for (size_t sends = 0; sends < sizeof(one_answer) - 1; sends++)
		cut_conversation(method, SIZE_MAX, sends, sends % 2 == 0, true);
}

Test(resume_of_cut_conversation, creating_calls_are_never_repeated)
{
	static const char method[] = "io.vaild.Gpu.CreateContext";
	size_t size = sizeof("{\"method\":\"\"}") + strlen(method);

	for (size_t reads = 0; reads < size; reads++)
		cut_conversation(method, reads, 0, reads % 2 == 0, false);
	for (size_t sends = 0; sends < sizeof(one_answer) - 1; sends++)
		cut_conversation(method, SIZE_MAX, sends, sends % 2 == 0, false);
}

Test(resume, call_that_ends_every_connection_fails)
{
	bool goes_on = true;

	NTSTATUS status = STATUS_SUCCESS;
	cr_assert_eq(vail_submit(server.vail, "io.vaild.ListRegistrations", NULL, false,
				 store_status, &status),
		     STATUS_SUCCESS);
	for (int connections = 1; goes_on; connections++) {
		cr_assert_leq(connections, 6);
		close(server.connection);
		server.connection = -1;
		vail_process(server.vail); /* notices the loss, and connects again later */
		goes_on = vail_descriptor(server.vail) >= 0;
		if (!goes_on)
			break;
		cr_assert_eq(
			poll(&(struct pollfd){ .fd = server.listener, .events = POLLIN }, 1, 0), 0,
			"the handle connects again only after a delay");
		wait_for_connection();
	}
	cr_assert_eq(status, STATUS_CONNECTION_DISCONNECTED);
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* ---- Calls while vaild is away ---- */

/* Closes the server's sockets and removes the socket file. */
static void stop_server(void)
{
	close(server.connection);
	close(server.listener);
	unlink(server.path);
	server.connection = -1;
}

Test(resume, calls_while_vaild_is_away_wait_until_the_timeout)
{
	struct vail *stranger;

	stop_server();
	vail_set_timeout(server.vail, 50);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_IO_TIMEOUT);
	cr_assert_not_null(strstr(vail_error_message(server.vail), "has stopped"));
	cr_assert_eq(vail_descriptor(server.vail), -1);
	cr_assert_eq(vail_send_oneway(server.vail, "a.B", NULL), STATUS_CONNECTION_REFUSED);
	vail_set_resume(server.vail, false);
	vail_set_timeout(server.vail, VAIL_TIMEOUT_NONE);
	cr_assert_eq(vail_call(server.vail, "a.B", NULL, NULL), STATUS_CONNECTION_REFUSED);

	cr_assert_eq(vail_new(server.path, &stranger), STATUS_SUCCESS);
	vail_set_timeout(stranger, VAIL_TIMEOUT_NONE);
	cr_assert_eq(vail_call(stranger, "a.B", NULL, NULL), STATUS_CONNECTION_REFUSED,
		     "a handle that was never connected does not wait");
	vail_close(stranger);
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

Test(resume, without_resume_calls_end_with_the_connection)
{
	NTSTATUS status = STATUS_SUCCESS;

	vail_set_resume(server.vail, false);
	vail_submit(server.vail, "io.vaild.ListRegistrations", NULL, false, store_status, &status);
	shutdown(server.connection, SHUT_RDWR);
	cr_assert_eq(vail_process(server.vail), STATUS_CONNECTION_DISCONNECTED);
	cr_assert_eq(status, STATUS_CONNECTION_DISCONNECTED);
	cr_assert_eq(vail_descriptor(server.vail), -1);
}

#define PIPELINED 64

/* Calls in the socket's buffer may have been executed; later ones were certainly not. */
Test(resume, unsent_calls_are_resent_in_order)
{
	static ReceivedData received;
	static NTSTATUS statuses[PIPELINED];
	char *parameters = NULL;
	size_t lost = 0;

	fake_server_answer_once(&server);
	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%030000d\"}", 0), 0);
	for (size_t i = 0; i < PIPELINED; i++) {
		char method[16];

		statuses[i] = STATUS_IO_TIMEOUT; /* until the reply */
		snprintf(method, sizeof(method), "a.B%zu", i);
		cr_assert_eq(vail_submit(server.vail, method, parameters, false, store_status,
					 &statuses[i]),
			     STATUS_SUCCESS);
	}
	free(parameters);
	cr_assert(vail_events(server.vail) & POLLOUT, "the calls do not fit into the socket");
	close(server.connection);
	server.connection = -1;
	cr_assert_eq(vail_process(server.vail), STATUS_SUCCESS);
	while (lost < PIPELINED && statuses[lost] == STATUS_CONNECTION_DISCONNECTED)
		lost++;
	cr_assert(lost > 0 && lost < PIPELINED, "%zu", lost);
	fake_server_accept(&server);
	for (size_t i = lost; i < PIPELINED; i++) {
		char wanted[32];

		snprintf(wanted, sizeof(wanted), "{\"method\":\"a.B%zu\",", i);
		read_message(&received);
		cr_assert_eq(strncmp(received.bytes, wanted, strlen(wanted)), 0, "%zu: %.30s", i,
			     received.bytes);
		cr_assert_eq(statuses[i], STATUS_IO_TIMEOUT, "%zu: the call is pending", i);
		fake_server_reply(&server, "", NULL, 0);
		vail_process(server.vail);
		cr_assert_eq(statuses[i], STATUS_SUCCESS);
	}
}

/* ---- Watches ---- */

#define SINCE(seconds) "\"since\":" #seconds
#define MACHINE(since) \
	"\"kind\":\"virtualMachineAdded\",\"virtualMachineGuid\":\"" GUID "\"," SINCE(since)
#define GPU(handle)                                                      \
	"\"kind\":\"virtualGpuAssigned\",\"virtualMachineGuid\":\"" GUID \
	"\",\"virtualGpu\":\"" handle "\""
#define REGISTERED(pid, since)                                   \
	"\"kind\":\"registered\",\"virtualMachineGuid\":\"" GUID \
	"\",\"registration\":{\"pid\":" #pid ",\"uid\":7," SINCE(since) "}"
#define OBJECT(handle, holders)                                                      \
	"\"virtualMachineGuid\":\"" GUID "\",\"sharedObject\":{\"handle\":\"" handle \
	"\",\"object\":{\"type\":\"resource\"},\"holders\":[" holders "]}"
#define HOLDER(pid)             "{\"pid\":" #pid ",\"uid\":7," SINCE(4.5) "}"
#define SHARED(handle, holders) "\"kind\":\"shared\"," OBJECT(handle, holders)
#define QUARANTINED(reason) \
	"\"kind\":\"quarantined\",\"virtualMachineGuid\":\"" GUID "\",\"reason\":\"" reason "\""
#define CURRENT "\"kind\":\"current\""

/* The reported events, one word each: the kind, and a digit that identifies the entity. */
static char event_log[4096];
static NTSTATUS ended;

static bool log_event(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		      void *context)
{
	size_t length = strlen(event_log);

	(void)vail;
	(void)context;
	if (!event) {
		cr_assert_not(continues);
		ended = status;
		return false;
	}
	length += (size_t)snprintf(event_log + length, sizeof(event_log) - length, "%s%s",
				   length > 0 ? " " : "", vail_event_name(event->kind));
	if (event->shared_object)
		length += (size_t)snprintf(event_log + length, sizeof(event_log) - length,
					   "=%c/%zu", *event->shared_object->handle,
					   event->shared_object->holder_count);
	if (event->pid > 0 || event->holder_pid > 0)
		length += (size_t)snprintf(event_log + length, sizeof(event_log) - length, "=%d",
					   (int)(event->pid > 0 ? event->pid : event->holder_pid));
	if (event->virtual_gpu)
		snprintf(event_log + length, sizeof(event_log) - length, "=%c",
			 *event->virtual_gpu);
	return strcmp(vail_event_name(event->kind), context ? context : "") != 0;
}

/* Sends the events to the watch, and checks that it reports the expected ones. */
static void expect_events(const char *const *events, size_t count, const char *expected)
{
	for (size_t i = 0; i < count; i++) {
		char *text = NULL;
		int length = asprintf(&text, "{\"parameters\":{\"event\":{%s}},\"continues\":true}",
				      events[i]);

		cr_assert_gt(length, 0);
		fake_server_send(&server, text, (size_t)length + 1, NULL, 0);
		free(text);
	}
	vail_process(server.vail);
	cr_assert_str_eq(event_log, expected);
	event_log[0] = '\0';
}

#define EXPECT_EVENTS(expected, ...)                                                       \
	expect_events((const char *const[]){ __VA_ARGS__ },                                \
		      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *), \
		      expected)

static void begin_watch(void *context)
{
	event_log[0] = '\0';
	ended = STATUS_SUCCESS;
	cr_assert_eq(vail_watch(server.vail, GUID, log_event, context), STATUS_SUCCESS);
}

/* Closes the connection and accepts the next one. The watch must report the expected events. */
static void interrupt(const char *expected)
{
	static ReceivedData received;

	shutdown(server.connection, SHUT_RDWR);
	vail_process(server.vail);
	cr_assert_str_eq(event_log, expected);
	event_log[0] = '\0';
	wait_for_connection();
	read_message(&received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"io.vaild.Watch\",\"parameters\":{"
					 "\"virtualMachineGuid\":\"" GUID "\"},\"more\":true}");
}

Test(resume, watch_reports_each_entity_once)
{
	begin_watch(NULL);
	EXPECT_EVENTS(
		"virtualMachineAdded virtualGpuAssigned=3 registered=8 registered=9 shared=1/1 "
		"shared=2/0 current",
		MACHINE(1.5), GPU(GPU1), REGISTERED(8, 2.5), REGISTERED(9, 2.5),
		SHARED(OBJECT1, HOLDER(8)), SHARED(OBJECT2, ""), CURRENT);
	interrupt("interrupted");
	EXPECT_EVENTS("", MACHINE(1.5), GPU(GPU1), REGISTERED(8, 2.5), REGISTERED(9, 2.5),
		      SHARED(OBJECT1, HOLDER(8)), SHARED(OBJECT2, ""));
	EXPECT_EVENTS("resumed", CURRENT);
	/* 8 has registered again, 9 and an object have ended, another object has a holder. */
	interrupt("interrupted");
	EXPECT_EVENTS("unshared=1/1 unregistered=9 unregistered=8 quarantined registered=8 "
		      "opened=2/1=7 resumed",
		      MACHINE(1.5), GPU(GPU1), QUARANTINED("why"), REGISTERED(8, 3.5),
		      SHARED(OBJECT2, HOLDER(7)), CURRENT);
	/* A new VM has the GUID: its entities end before the VM, and begin after it. */
	interrupt("interrupted");
	EXPECT_EVENTS("released=2/0=7 unregistered=8 virtualGpuRemoved=3 virtualMachineRemoved "
		      "virtualMachineAdded quarantined resumed",
		      MACHINE(9.5), QUARANTINED("another"), SHARED(OBJECT2, ""), CURRENT);
	EXPECT_EVENTS("registered=8", REGISTERED(8, 10.5));
	vail_close(server.vail);
	server.vail = NULL;
	cr_assert_eq(ended, STATUS_CONNECTION_DISCONNECTED);
}

/* Changes that arrive before the event "current". */
Test(resume, changes_while_resuming_are_reported_once)
{
	begin_watch(NULL);
	EXPECT_EVENTS("virtualMachineAdded shared=1/0", MACHINE(1.5), SHARED(OBJECT1, ""));
	interrupt("interrupted"); /* before "current" */
	interrupt("");            /* again, before any event */
	EXPECT_EVENTS("", MACHINE(1.5), REGISTERED(5, 2.5));
	interrupt(""); /* again, after an event about a registration that has ended since */
	EXPECT_EVENTS("", MACHINE(1.5), SHARED(OBJECT1, ""), SHARED(OBJECT2, HOLDER(8)),
		      "\"kind\":\"opened\"," OBJECT(OBJECT1, HOLDER(9)) ",\"holder\":" HOLDER(9),
		      "\"kind\":\"released\"," OBJECT(OBJECT2, "") ",\"holder\":" HOLDER(8),
		      "\"kind\":\"updated\"," OBJECT(OBJECT1, HOLDER(9)), REGISTERED(9, 2.5),
		      "\"kind\":\"unregistered\",\"virtualMachineGuid\":\"" GUID
		      "\",\"registration\":{\"pid\":9}");
	EXPECT_EVENTS("shared=2/0 opened=1/1=9 current resumed", CURRENT);
	EXPECT_EVENTS("updated=1/1", "\"kind\":\"updated\"," OBJECT(OBJECT1, HOLDER(9)));
}

Test(resume, refused_watch_ends)
{
	static const char refusal[] =
		"{\"error\":\"io.vaild.NotFound\",\"parameters\":{\"status\":"
		"\"STATUS_NOT_FOUND\",\"code\":\"0xC0000225\",\"message\":\"\"}}";

	begin_watch(NULL);
	EXPECT_EVENTS("virtualMachineAdded current", MACHINE(1.5), CURRENT);
	interrupt("interrupted");
	fake_server_send(&server, refusal, sizeof(refusal), NULL, 0);
	vail_process(server.vail);
	cr_assert_eq(ended, STATUS_NOT_FOUND);
	cr_assert_str_eq(event_log, "");
}

Test(resume_repeated, callback_can_stop_a_resumed_watch)
{
	static const char *const stops[] = { "interrupted", "unregistered", "resumed" };

	for (size_t i = 0; i < 3; i++) {
		set_up();
		begin_watch((void *)stops[i]);
		EXPECT_EVENTS("virtualMachineAdded registered=8 current", MACHINE(1.5),
			      REGISTERED(8, 2.5), CURRENT);
		shutdown(server.connection, SHUT_RDWR);
		vail_process(server.vail);
		if (i > 0) {
			fake_server_accept(&server);
			event_log[0] = '\0';
			EXPECT_EVENTS(i == 1 ? "unregistered=8" : "unregistered=8 resumed",
				      MACHINE(1.5), CURRENT);
		}
		cr_assert_eq(vail_descriptor(server.vail), -1, "%s", stops[i]);
		cr_assert_eq(ended, STATUS_SUCCESS);
		tear_down();
	}
}
