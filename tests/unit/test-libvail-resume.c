/* SPDX-License-Identifier: MIT */
/*
 * Proves that a handle goes on over the end of its connection, wherever in a conversation that
 * comes: what may be asked again is, once, and answered; of what may not, nobody is told that it
 * was done or was not; and a watch tells each thing once.
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

#include "fake-server.h"

#define GUID    "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c"
#define OBJECT1 "11111111111111111111111111111111"
#define OBJECT2 "22222222222222222222222222222222"
#define GPU1    "33333333333333333333333333333333"

/* ---- A server that goes away and comes back, in a thread of its own ---- */

typedef struct Stage {
	FakeServer server;
	size_t reads;       /* bytes of the first request, before it goes */
	const char *answer; /* to each request */
	size_t sends;       /* bytes of the first answer */
	bool keeps_socket;  /* as with systemd: who connects meanwhile waits in the queue */
	size_t requests;    /* that were read whole */
	char last[1024];    /* of them */
	int over[2];        /* a pipe, whose end tells the thread to end */
	pthread_t thread;
	size_t open_before;
} Stage;

/* Reads until the NUL, or so many bytes. Returns whether the NUL came. */
static bool read_request(Stage *stage, size_t at_most)
{
	size_t size = 0;
	char byte;

	while (size < at_most && recv(stage->server.connection, &byte, 1, 0) > 0) {
		if (size < sizeof(stage->last))
			stage->last[size++] = byte;
		if (byte == '\0')
			return true;
	}
	return false;
}

static void go_away(Stage *stage)
{
	close(stage->server.connection);
	stage->server.connection = -1;
	if (stage->keeps_socket)
		return;
	close(stage->server.listener);
	unlink(stage->server.path);
}

static void come_back(Stage *stage)
{
	if (!stage->keeps_socket)
		fake_server_listen(&stage->server);
}

static void answer_all(Stage *stage)
{
	FakeServer *server = &stage->server;

	server->connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	while (read_request(stage, SIZE_MAX)) {
		stage->requests++;
		fake_server_send(server, stage->answer, strlen(stage->answer) + 1, NULL, 0);
	}
	close(server->connection);
	server->connection = -1;
}

static void *play(void *context)
{
	Stage *stage = context;

	stage->requests += read_request(stage, stage->reads);
	if (stage->sends > 0)
		fake_server_send(&stage->server, stage->answer, stage->sends, NULL, 0);
	go_away(stage);
	come_back(stage);
	for (;;) {
		struct pollfd descriptors[] = {
			{ .fd = stage->server.listener, .events = POLLIN },
			{ .fd = stage->over[0], .events = POLLIN },
		};

		poll(descriptors, 2, -1);
		if (descriptors[0].revents)
			answer_all(stage);
		else if (descriptors[1].revents)
			return NULL;
	}
}

static void stage_begin(Stage *stage)
{
	stage->open_before = count_open_descriptors();
	fake_server_init(&stage->server);
	cr_assert_eq(pipe2(stage->over, O_CLOEXEC), 0);
	cr_assert_eq(pthread_create(&stage->thread, NULL, play, stage), 0);
}

static void stage_end(Stage *stage)
{
	vail_close(stage->server.vail);
	stage->server.vail = NULL;
	close(stage->over[1]);
	cr_assert_eq(pthread_join(stage->thread, NULL), 0);
	close(stage->over[0]);
	stage->server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC); /* to be closed */
	fake_server_deinit(&stage->server);
	cr_assert_eq(count_open_descriptors(), stage->open_before, "descriptors are left open");
}

/* ---- A server that is played by the test ---- */

static bool keep_status(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
			void *context)
{
	(void)vail;
	(void)parameters;
	*(NTSTATUS *)context = status;
	return continues;
}

/* Lets the handle go on until it has made a connection. */
static void wait_for_connection(FakeServer *server)
{
	struct pollfd descriptors[] = { { .fd = server->listener, .events = POLLIN },
					{ .events = POLLIN } };

	for (;;) {
		descriptors[1].fd = vail_descriptor(server->vail);
		cr_assert_gt(poll(descriptors, 2, 10000), 0, "nobody comes");
		if (descriptors[0].revents)
			break;
		vail_process(server->vail);
	}
	fake_server_accept(server);
}

/* Receives one message, and lets the handle send the rest of it. */
static void read_message(const FakeServer *server, Received *ret_received)
{
	size_t size = 0;
	char byte = 'x';

	while (byte != '\0') {
		vail_process(server->vail);
		cr_assert_eq(recv(server->connection, &byte, 1, 0), 1);
		cr_assert_lt(size, sizeof(ret_received->bytes));
		ret_received->bytes[size++] = byte;
	}
	ret_received->size = size;
}

/* ---- One conversation, cut at each byte ---- */

static const char one_answer[] = "{\"parameters\":{\"a\":1}}";

static void cut(const char *method, size_t reads, size_t sends, bool keeps_socket,
		bool is_repeatable)
{
	Stage stage = {
		.reads = reads, .answer = one_answer, .sends = sends, .keeps_socket = keeps_socket
	};
	char *reply = NULL;

	stage_begin(&stage);
	NTSTATUS status = vail_call(stage.server.vail, method, NULL, &reply);
	cr_assert_eq(status, is_repeatable ? STATUS_SUCCESS : STATUS_CONNECTION_DISCONNECTED,
		     "%s, %zu bytes read, %zu sent: %s", method, reads, sends,
		     vail_error_message(stage.server.vail));
	stage_end(&stage);
	if (is_repeatable)
		cr_assert_str_eq(reply, "{\"a\":1}");
	cr_assert_eq(stage.requests, (reads == SIZE_MAX ? 1u : 0u) + (is_repeatable ? 1u : 0u),
		     "%s, %zu bytes read, %zu sent: %zu requests", method, reads, sends,
		     stage.requests);
	free(reply);
}

Test(libvail_resume, a_question_is_asked_again_wherever_it_was_cut)
{
	static const char method[] = "io.vaild.ListRegistrations";
	size_t size = sizeof("{\"method\":\"\"}") + strlen(method);

	for (size_t reads = 0; reads < size; reads++)
		cut(method, reads, 0, reads % 2 == 0, true);
	/* The NUL is the last byte of an answer, and all that it needs is before it. */
	for (size_t sends = 0; sends < sizeof(one_answer) - 1; sends++)
		cut(method, SIZE_MAX, sends, sends % 2 == 0, true);
}

Test(libvail_resume, what_makes_something_is_not_made_twice)
{
	static const char method[] = "io.vaild.Gpu.CreateContext";
	size_t size = sizeof("{\"method\":\"\"}") + strlen(method);

	for (size_t reads = 0; reads < size; reads++)
		cut(method, reads, 0, reads % 2 == 0, false);
	for (size_t sends = 0; sends < sizeof(one_answer) - 1; sends++)
		cut(method, SIZE_MAX, sends, sends % 2 == 0, false);
}

Test(libvail_resume, a_call_that_ends_each_connection_is_given_up)
{
	FakeServer server;
	bool goes_on = true;

	fake_server_init(&server);
	NTSTATUS status = STATUS_SUCCESS;
	cr_assert_eq(vail_submit(server.vail, "io.vaild.ListRegistrations", NULL, false,
				 keep_status, &status),
		     STATUS_SUCCESS);
	for (int connections = 1; goes_on; connections++) {
		cr_assert_leq(connections, 6);
		close(server.connection);
		server.connection = -1;
		vail_process(server.vail); /* it is lost, and made again after a while */
		goes_on = vail_descriptor(server.vail) >= 0;
		if (!goes_on)
			break;
		cr_assert_eq(
			poll(&(struct pollfd){ .fd = server.listener, .events = POLLIN }, 1, 0), 0,
			"it is not asked all the time");
		wait_for_connection(&server);
	}
	cr_assert_eq(status, STATUS_CONNECTION_DISCONNECTED);
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fake_server_deinit(&server);
}

/* ---- While vaild is away ---- */

/* The server is gone, with its socket. */
static void leave(FakeServer *server)
{
	close(server->connection);
	close(server->listener);
	unlink(server->path);
	server->connection = -1;
}

Test(libvail_resume, what_is_asked_meanwhile_waits_as_long_as_it_may)
{
	FakeServer server;
	struct vail *stranger;

	fake_server_init(&server);
	leave(&server);
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
		     "who has never seen vaild waits for nobody");
	vail_close(stranger);
	server.connection = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fake_server_deinit(&server);
}

Test(libvail_resume, without_resuming_all_is_as_the_connection_is)
{
	FakeServer server;
	NTSTATUS status = STATUS_SUCCESS;

	fake_server_init(&server);
	vail_set_resume(server.vail, false);
	vail_submit(server.vail, "io.vaild.ListRegistrations", NULL, false, keep_status, &status);
	shutdown(server.connection, SHUT_RDWR);
	cr_assert_eq(vail_process(server.vail), STATUS_CONNECTION_DISCONNECTED);
	cr_assert_eq(status, STATUS_CONNECTION_DISCONNECTED);
	cr_assert_eq(vail_descriptor(server.vail), -1);
	fake_server_deinit(&server);
}

#define PIPELINED 64

/* Of what stood in the socket's buffer nobody knows what became of it; of what did not, everybody.
 */
Test(libvail_resume, what_was_not_sent_is_asked_again_in_order)
{
	static Received received;
	static NTSTATUS statuses[PIPELINED];
	char *parameters = NULL;
	FakeServer server;
	size_t lost = 0;

	fake_server_init(&server);
	fake_server_know(&server);
	cr_assert_gt(asprintf(&parameters, "{\"padding\":\"%030000d\"}", 0), 0);
	for (size_t i = 0; i < PIPELINED; i++) {
		char method[16];

		statuses[i] = STATUS_IO_TIMEOUT; /* so far */
		snprintf(method, sizeof(method), "a.B%zu", i);
		cr_assert_eq(vail_submit(server.vail, method, parameters, false, keep_status,
					 &statuses[i]),
			     STATUS_SUCCESS);
	}
	free(parameters);
	cr_assert(vail_events(server.vail) & POLLOUT, "there is more than the socket holds");
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
		read_message(&server, &received);
		cr_assert_eq(strncmp(received.bytes, wanted, strlen(wanted)), 0, "%zu: %.30s", i,
			     received.bytes);
		cr_assert_eq(statuses[i], STATUS_IO_TIMEOUT, "%zu: it is under way", i);
		fake_server_reply(&server, "", NULL, 0);
		vail_process(server.vail);
		cr_assert_eq(statuses[i], STATUS_SUCCESS);
	}
	fake_server_deinit(&server);
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

/* What was told, a word each: kind, and what tells one from the other. */
static char heard[4096];
static NTSTATUS ended;

static bool hear(struct vail *vail, NTSTATUS status, const VailEvent *event, bool continues,
		 void *context)
{
	size_t length = strlen(heard);

	(void)vail;
	(void)context;
	if (!event) {
		cr_assert_not(continues);
		ended = status;
		return false;
	}
	length += (size_t)snprintf(heard + length, sizeof(heard) - length, "%s%s",
				   length > 0 ? " " : "", vail_event_name(event->kind));
	if (event->shared_object)
		length += (size_t)snprintf(heard + length, sizeof(heard) - length, "=%c/%zu",
					   *event->shared_object->handle,
					   event->shared_object->holder_count);
	if (event->pid > 0 || event->holder_pid > 0)
		length += (size_t)snprintf(heard + length, sizeof(heard) - length, "=%d",
					   (int)(event->pid > 0 ? event->pid : event->holder_pid));
	if (event->virtual_gpu)
		snprintf(heard + length, sizeof(heard) - length, "=%c", *event->virtual_gpu);
	return strcmp(vail_event_name(event->kind), context ? context : "") != 0;
}

/* The server tells these; what the watcher is told for that is the words. */
static void expect_heard(FakeServer *server, const char *const *events, size_t count,
			 const char *words)
{
	for (size_t i = 0; i < count; i++) {
		char *text = NULL;
		int length = asprintf(&text, "{\"parameters\":{\"event\":{%s}},\"continues\":true}",
				      events[i]);

		cr_assert_gt(length, 0);
		fake_server_send(server, text, (size_t)length + 1, NULL, 0);
		free(text);
	}
	vail_process(server->vail);
	cr_assert_str_eq(heard, words);
	heard[0] = '\0';
}

#define EXPECT_HEARD(words, ...)                                    \
	expect_heard(&server, (const char *const[]){ __VA_ARGS__ }, \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *), words)

static void begin_watch(FakeServer *server, void *context)
{
	heard[0] = '\0';
	ended = STATUS_SUCCESS;
	fake_server_init(server);
	cr_assert_eq(vail_watch(server->vail, GUID, hear, context), STATUS_SUCCESS);
}

/* The server goes; it is there again at once. */
static void interrupt(FakeServer *server, const char *words)
{
	static Received received;

	shutdown(server->connection, SHUT_RDWR);
	vail_process(server->vail);
	cr_assert_str_eq(heard, words);
	heard[0] = '\0';
	wait_for_connection(server);
	read_message(server, &received);
	cr_assert_str_eq(received.bytes, "{\"method\":\"io.vaild.Watch\",\"parameters\":{"
					 "\"virtualMachineGuid\":\"" GUID "\"},\"more\":true}");
}

Test(libvail_resume, a_watch_tells_each_thing_once)
{
	FakeServer server;

	begin_watch(&server, NULL);
	EXPECT_HEARD(
		"virtualMachineAdded virtualGpuAssigned=3 registered=8 registered=9 shared=1/1 "
		"shared=2/0 current",
		MACHINE(1.5), GPU(GPU1), REGISTERED(8, 2.5), REGISTERED(9, 2.5),
		SHARED(OBJECT1, HOLDER(8)), SHARED(OBJECT2, ""), CURRENT);
	interrupt(&server, "interrupted");
	EXPECT_HEARD("", MACHINE(1.5), GPU(GPU1), REGISTERED(8, 2.5), REGISTERED(9, 2.5),
		     SHARED(OBJECT1, HOLDER(8)), SHARED(OBJECT2, ""));
	EXPECT_HEARD("resumed", CURRENT);
	/* 8 has gone and come again, 9 has gone; one object has gone and another is held. */
	interrupt(&server, "interrupted");
	EXPECT_HEARD("unshared=1/1 unregistered=9 unregistered=8 quarantined registered=8 "
		     "opened=2/1=7 resumed",
		     MACHINE(1.5), GPU(GPU1), QUARANTINED("why"), REGISTERED(8, 3.5),
		     SHARED(OBJECT2, HOLDER(7)), CURRENT);
	/* The VM is another: its things go before it does, and come behind it. */
	interrupt(&server, "interrupted");
	EXPECT_HEARD("released=2/0=7 unregistered=8 virtualGpuRemoved=3 virtualMachineRemoved "
		     "virtualMachineAdded quarantined resumed",
		     MACHINE(9.5), QUARANTINED("another"), SHARED(OBJECT2, ""), CURRENT);
	EXPECT_HEARD("registered=8", REGISTERED(8, 10.5));
	vail_close(server.vail);
	server.vail = NULL;
	cr_assert_eq(ended, STATUS_CONNECTION_DISCONNECTED);
	fake_server_deinit(&server);
}

/* Changes that come while what exists is still being told. */
Test(libvail_resume, what_changes_meanwhile_is_told_once)
{
	FakeServer server;

	begin_watch(&server, NULL);
	EXPECT_HEARD("virtualMachineAdded shared=1/0", MACHINE(1.5), SHARED(OBJECT1, ""));
	interrupt(&server, "interrupted"); /* before it was current */
	interrupt(&server, "");            /* and again, before anything was told */
	EXPECT_HEARD("", MACHINE(1.5), REGISTERED(5, 2.5));
	interrupt(&server, ""); /* and again, when something had been, which is no more */
	EXPECT_HEARD("", MACHINE(1.5), SHARED(OBJECT1, ""), SHARED(OBJECT2, HOLDER(8)),
		     "\"kind\":\"opened\"," OBJECT(OBJECT1, HOLDER(9)) ",\"holder\":" HOLDER(9),
		     "\"kind\":\"released\"," OBJECT(OBJECT2, "") ",\"holder\":" HOLDER(8),
		     "\"kind\":\"updated\"," OBJECT(OBJECT1, HOLDER(9)), REGISTERED(9, 2.5),
		     "\"kind\":\"unregistered\",\"virtualMachineGuid\":\"" GUID
		     "\",\"registration\":{\"pid\":9}");
	EXPECT_HEARD("shared=2/0 opened=1/1=9 current resumed", CURRENT);
	EXPECT_HEARD("updated=1/1", "\"kind\":\"updated\"," OBJECT(OBJECT1, HOLDER(9)));
	fake_server_deinit(&server);
	heard[0] = '\0';
}

Test(libvail_resume, a_watch_that_may_not_go_on_ends)
{
	static const char refusal[] =
		"{\"error\":\"io.vaild.NotFound\",\"parameters\":{\"status\":"
		"\"STATUS_NOT_FOUND\",\"code\":\"0xC0000225\",\"message\":\"\"}}";
	FakeServer server;

	begin_watch(&server, NULL);
	EXPECT_HEARD("virtualMachineAdded current", MACHINE(1.5), CURRENT);
	interrupt(&server, "interrupted");
	fake_server_send(&server, refusal, sizeof(refusal), NULL, 0);
	vail_process(server.vail);
	cr_assert_eq(ended, STATUS_NOT_FOUND);
	cr_assert_str_eq(heard, "");
	fake_server_deinit(&server);
}

Test(libvail_resume, who_wants_no_more_is_told_no_more)
{
	static const char *const stops[] = { "interrupted", "unregistered", "resumed" };
	FakeServer server;

	for (size_t i = 0; i < 3; i++) {
		begin_watch(&server, (void *)stops[i]);
		EXPECT_HEARD("virtualMachineAdded registered=8 current", MACHINE(1.5),
			     REGISTERED(8, 2.5), CURRENT);
		shutdown(server.connection, SHUT_RDWR);
		vail_process(server.vail);
		if (i > 0) {
			fake_server_accept(&server);
			heard[0] = '\0';
			EXPECT_HEARD(i == 1 ? "unregistered=8" : "unregistered=8 resumed",
				     MACHINE(1.5), CURRENT);
		}
		cr_assert_eq(vail_descriptor(server.vail), -1, "%s", stops[i]);
		cr_assert_eq(ended, STATUS_SUCCESS);
		fake_server_deinit(&server);
	}
}
