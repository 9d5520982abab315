/* SPDX-License-Identifier: MIT */
/*
 * vail-qemu's start: it reads whatever a monitor sends in whatever pieces, and waits for a monitor
 * or a display only for a limited time, which it logs. The test's clock is the monitor, too: each
 * time when vail-qemu waits, the monitor sends the next piece, or time passes.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/vail-qemu/display.h"
#include "client/vail-qemu/qmp.h"
#include "proto/fd-util.h"
#include "proto/macros.h"
#include "tests/unit/client/logged-messages.h"

/* ---- A monitor ---- */

typedef struct FakeMonitor {
	int listener;
	int connection; /* -1 until vail-qemu waits for the first time */
	char path[108];
	const char *text;     /* not sent yet */
	size_t piece;         /* number of bytes to send at a time */
	int pause;            /* milliseconds between two pieces */
	const char *repeated; /* sent again and again after the text; NULL for nothing */
	int waiting[16];      /* clients in the queue of the listener */
	size_t waiting_count;
	int64_t free_queue_at;
	int64_t now;
} FakeMonitor;

static FakeMonitor monitor;

static void free_queue(void)
{
	for (size_t i = 0; i < monitor.waiting_count; i++) {
		close(monitor.waiting[i]);
		close(accept(monitor.listener, NULL, NULL));
	}
	monitor.waiting_count = 0;
}

static void send_piece(void)
{
	size_t size = strlen(monitor.text);

	if (size > monitor.piece)
		size = monitor.piece;
	send(monitor.connection, monitor.text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	monitor.text += size;
	monitor.now += monitor.pause;
}

static int fake_poll(struct pollfd *poll_fds, nfds_t count, int milliseconds)
{
	bool waits_for_input = count == 1 && poll_fds[0].fd >= 0 && (poll_fds[0].events & POLLIN);

	cr_assert_geq(milliseconds, 0, "every wait has a limit");
	if (monitor.now >= monitor.free_queue_at)
		free_queue();
	if (waits_for_input && monitor.connection < 0 && monitor.listener >= 0)
		monitor.connection = accept(monitor.listener, NULL, NULL);
	if (*monitor.text == '\0' && monitor.repeated)
		monitor.text = monitor.repeated;
	if (waits_for_input && *monitor.text) {
		send_piece();
		return 1;
	}
	monitor.now += milliseconds > 0 ? milliseconds : 1;
	return 0;
}

static int64_t fake_now(void)
{
	return monitor.now;
}

static const WaitClock fake_clock = { .now = fake_now, .poll = fake_poll };

static void set_up(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	monitor = (FakeMonitor){ .connection = -1, .text = "", .piece = SIZE_MAX, .now = 5000 };
	monitor.free_queue_at = INT64_MAX;
	snprintf(monitor.path, sizeof(monitor.path), "/tmp/vail-monitor-%d", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", monitor.path);
	unlink(monitor.path);
	monitor.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(monitor.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(monitor.listener, 1), 0);
	logged_messages_clear();
}

static void tear_down(void)
{
	fd_close(&monitor.connection);
	fd_close(&monitor.listener);
	unlink(monitor.path);
}

TestSuite(qemu_monitor, .init = set_up, .fini = tear_down);

static bool join(QmpDisplay *ret)
{
	*ret = (QmpDisplay){ .pidfd = -1, .socket = -1 };
	return qmp_join_display(monitor.path, &fake_clock, NULL, NULL, ret);
}

static void display_free(QmpDisplay *display)
{
	fd_close(&display->pidfd);
	fd_close(&display->socket);
	free(display->name);
}

static void expect_joined(const char *name)
{
	QmpDisplay display;

	cr_assert(join(&display), "%s", logged_messages());
	cr_assert_eq(display.qemu, getpid());
	cr_assert_geq(display.pidfd, 0);
	cr_assert_geq(display.socket, 0);
	cr_assert(!display.is_old);
	if (name)
		cr_assert_str_eq(display.name, name);
	else
		cr_assert_null(display.name);
	display_free(&display);
}

/* Expects a failure with the message. passed: milliseconds. */
static void expect_failed(const char *message, int64_t passed)
{
	QmpDisplay display;
	int64_t begin = monitor.now;

	cr_assert_not(join(&display));
	cr_assert_eq(display.pidfd, -1);
	cr_assert_eq(display.socket, -1);
	cr_assert(logged_messages_have(message), "%s", logged_messages());
	cr_assert_eq(monitor.now - begin, passed, "%lld milliseconds have passed",
		     (long long)(monitor.now - begin));
}

/* ---- What the monitor sends ---- */

#define GREETING "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}, \"capabilities\": [\"oob\"]}}"
#define DONE     "{\"return\": {}}"
#define NAMED    "{\"return\": {\"name\": \"a guest\"}}"
#define EVENT    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"RESUME\"}"

static const char *const conversations[] = {
	GREETING "\r\n" DONE "\r\n" NAMED "\r\n" DONE "\r\n" DONE "\r\n",
	GREETING "\n" DONE "\n" NAMED "\n" DONE "\n" DONE "\n",
	GREETING DONE NAMED DONE DONE,
	"{\n    \"QMP\": {\n        \"version\": {\n        }\n    }\n}\r\n"
	"{\n    \"return\": {\n    }\n}\r\n"
	"{\n    \"return\": {\n        \"name\": \"a guest\"\n    }\n}\r\n"
	"{\n    \"return\": {\n    }\n}\r\n{\n    \"return\": {\n    }\n}\r\n",
	GREETING "\r\n" EVENT EVENT "\r\n" DONE "\r\n\r\n" EVENT NAMED EVENT DONE EVENT "\n" DONE,
};

Test(qemu_monitor, values_are_read_however_they_are_laid_out_and_cut)
{
	static const size_t pieces[] = { 1, 2, 7, 64, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(conversations); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(pieces); j++) {
			monitor.text = conversations[i];
			monitor.piece = pieces[j];
			expect_joined("a guest");
			fd_close(&monitor.connection);
		}
	}
	cr_assert_eq(logged_messages_count(), 0u);
}

Test(qemu_monitor, the_name_is_absent_if_QEMU_has_none)
{
	monitor.text = GREETING DONE DONE DONE DONE;
	expect_joined(NULL);
}

/* A QmpCheck. Refuses to join. */
static bool note_guest_state(const QmpDisplay *found, void *context)
{
	*(const char **)context = found->guest_state;
	return false;
}

Test(qemu_monitor, the_check_knows_whether_the_guest_runs)
{
	static const struct {
		const char *reply, *state;
	} rows[] = {
		{ "{\"return\": {\"status\": \"inmigrate\"}}", "incoming" },
		{ "{\"return\": {\"status\": \"running\"}}", "running" },
		{ "{\"return\": {\"status\": \"finish-migrate\"}}", "none" },
		{ "{\"error\": {\"class\": \"CommandNotFound\"}}", "none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		QmpDisplay display;
		const char *state = "unasked";
		char text[512];

		snprintf(text, sizeof(text), "%s", GREETING DONE NAMED DONE);
		strcat(text, rows[i].reply);
		monitor.text = text;
		cr_assert_not(qmp_join_display(monitor.path, &fake_clock, note_guest_state, &state,
					       &display));
		cr_assert_str_eq(state ? state : "none", rows[i].state);
		fd_close(&monitor.connection);
	}
	cr_assert_eq(logged_messages_count(), 0u);
}

Test(qemu_monitor, an_unknown_query_name_is_no_failure)
{
	QmpDisplay display;

	monitor.text = GREETING DONE "{\"error\": {\"class\": \"CommandNotFound\"}}" DONE DONE;
	cr_assert(join(&display));
	cr_assert(display.is_old);
	cr_assert_null(display.name);
	display_free(&display);
}

Test(qemu_monitor, a_refusal_is_logged_with_its_reason)
{
	monitor.text = GREETING DONE DONE DONE "{\"error\": {\"desc\": \"no such protocol\"}}";
	expect_failed("QEMU offers no display; start it with -display dbus,p2p=yes: no such "
		      "protocol",
		      0);
}

Test(qemu_monitor, a_name_of_128_KiB_is_read)
{
	size_t size = 6 * (128u << 10) / 2;
	char *text = malloc(size + 512), *name = malloc(size), *at;

	at = stpcpy(text, GREETING DONE "{\"return\": {\"name\": \"");
	for (size_t i = 0; i < size; i += 6)
		at = stpcpy(at, "\\u0436");
	strcpy(at, "\"}}" DONE DONE);
	*name = '\0';
	at = name;
	for (size_t i = 0; i < size; i += 6)
		at = stpcpy(at, "\xd0\xb6");
	monitor.text = text;
	monitor.piece = 50000;
	expect_joined(name);
	free(text);
	free(name);
}

Test(qemu_monitor, a_message_of_more_than_1_MiB_is_refused)
{
	size_t size = (1u << 20) + 65536;
	char *text = malloc(size + 1);

	memset(text, ' ', size);
	text[size] = '\0';
	monitor.text = text;
	monitor.piece = 50000;
	expect_failed("is not a QEMU monitor (QMP)", 0);
	free(text);
}

Test(qemu_monitor, other_programs_are_refused)
{
	static const char *const texts[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
		"{}\n",
		"[]\n",
		"null\n",
		"\"QMP\"\n",
		"{\"QMP\"}\n",
		"\xff\xfb\x01",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		logged_messages_clear();
		monitor.text = texts[i];
		expect_failed("is not a QEMU monitor (QMP); give the socket of QEMU's option -qmp",
			      0);
		fd_close(&monitor.connection);
	}
}

/* ---- Waits ---- */

#define GAVE_UP "gave up after 10 seconds of waiting for QEMU's monitor "

static void expect_waited(const char *what)
{
	char message[256];

	snprintf(message, sizeof(message), "waiting for QEMU's monitor %s to %s\n", monitor.path,
		 what);
	cr_assert(logged_messages_have(message), "%s", logged_messages());
	snprintf(message, sizeof(message), GAVE_UP "%s to %s: ", monitor.path, what);
	cr_assert(logged_messages_have(message), "%s", logged_messages());
}

Test(qemu_monitor, a_monitor_that_sends_nothing_is_given_up)
{
	expect_failed("disconnect its current client", WAIT_LIMIT);
	expect_waited("send its greeting");
}

Test(qemu_monitor, half_a_greeting_is_given_up)
{
	monitor.text = "{\"QMP\": {\"version\": {";
	expect_failed(GAVE_UP, WAIT_LIMIT);
	expect_waited("send its greeting");
}

Test(qemu_monitor, a_greeting_that_arrives_too_slowly_is_given_up)
{
	monitor.text = "{                                              ";
	monitor.piece = 1;
	monitor.pause = 999;
	expect_failed(GAVE_UP, 11 * 999);
	expect_waited("send its greeting");
}

Test(qemu_monitor, commands_without_an_answer_are_given_up)
{
	static const struct {
		const char *text, *command;
	} rows[] = {
		{ GREETING, "answer qmp_capabilities" },
		{ GREETING DONE, "answer query-name" },
		{ GREETING DONE NAMED, "answer getfd" },
		{ GREETING DONE NAMED DONE, "answer add_client" },
		{ GREETING DONE NAMED DONE EVENT "{\"return\":\n", "answer add_client" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		logged_messages_clear();
		monitor.text = rows[i].text;
		expect_failed(GAVE_UP, WAIT_LIMIT);
		expect_waited(rows[i].command);
		fd_close(&monitor.connection);
	}
}

Test(qemu_monitor, events_without_end_are_given_up)
{
	monitor.text = GREETING;
	monitor.repeated = EVENT;
	monitor.pause = 500;
	expect_failed(GAVE_UP, 500 + WAIT_LIMIT);
	expect_waited("answer qmp_capabilities");
}

Test(qemu_monitor, a_long_answer_in_time_is_no_failure)
{
	monitor.text = GREETING DONE NAMED DONE DONE;
	monitor.piece = 1;
	monitor.pause = 70;
	expect_joined("a guest");
	cr_assert(logged_messages_have("to send its greeting\n"), "the wait is logged");
	cr_assert_not(logged_messages_have(GAVE_UP));
}

/* Fills the listener's queue with clients that the monitor does not accept. */
static void fill_queue(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", monitor.path);
	for (;;) {
		int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (connect(client, (struct sockaddr *)&address, sizeof(address)) < 0) {
			close(client);
			return;
		}
		cr_assert_lt(monitor.waiting_count, ARRAY_SIZE(monitor.waiting));
		monitor.waiting[monitor.waiting_count++] = client;
	}
}

Test(qemu_monitor, a_full_queue_is_given_up)
{
	fill_queue();
	expect_failed("others are waiting; disconnect them", WAIT_LIMIT);
	expect_waited("accept the connection");
	free_queue();
}

Test(qemu_monitor, a_queue_that_gets_room_is_used)
{
	fill_queue();
	monitor.free_queue_at = monitor.now + 5000;
	monitor.text = conversations[0];
	expect_joined("a guest");
	cr_assert(logged_messages_have("to accept the connection\n"), "the wait is logged");
	cr_assert_not(logged_messages_have(GAVE_UP));
}

Test(qemu_monitor, a_closed_monitor_is_reported_at_once)
{
	monitor.text = GREETING;
	monitor.piece = 10;
	shutdown(monitor.listener, SHUT_RDWR);
	expect_failed("cannot connect to QEMU's monitor", 0);
}

/* Runs a listener in a child that is stopped. Returns its pid. */
static pid_t start_stopped_listener(void)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		listen(monitor.listener, 1); /* makes the child the peer */
		raise(SIGSTOP);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, NULL, WUNTRACED), child);
	fd_close(&monitor.listener);
	return child;
}

Test(qemu_monitor, a_stopped_QEMU_is_named)
{
	char message[80];
	pid_t child = start_stopped_listener();

	snprintf(message, sizeof(message), "QEMU is stopped; continue it with: kill -CONT %d",
		 (int)child);
	expect_failed(message, WAIT_LIMIT);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- The display's D-Bus ---- */

#define ACCEPTED "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n"

/* Expects the display to be given up, because QEMU sends nothing after the text. */
static void expect_display_given_up(const char *text, const char *what)
{
	char message[256];
	Display display = { 0 };
	DisplayLink link;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	monitor.connection = pair[1];
	monitor.text = text;
	int64_t begin = monitor.now;
	if (!link_open(&link, pair[0], getpid(), &fake_clock))
		link_close(&link);
	else
		cr_assert_not(display_init(&display, &link));
	cr_assert_eq(monitor.now - begin, WAIT_LIMIT);
	snprintf(message, sizeof(message),
		 "gave up after 10 seconds of waiting for QEMU's display to %s: restart QEMU if it "
		 "hangs",
		 what);
	cr_assert(logged_messages_have(message), "%s", logged_messages());
	snprintf(message, sizeof(message), "waiting for QEMU's display to %s\n", what);
	cr_assert(logged_messages_have(message), "%s", logged_messages());
	display_deinit(&display);
}

Test(qemu_monitor, a_display_that_does_not_authenticate_is_given_up)
{
	expect_display_given_up("", "accept the connection");
}

Test(qemu_monitor, a_display_that_does_not_answer_is_given_up)
{
	expect_display_given_up(ACCEPTED, "give the property UUID of /org/qemu/Display1/VM");
}

/* ---- A display socket from another program ---- */

/* Opens a display on one end of a socket pair, whose other end is QEMU. Returns false on failure.
 */
static bool open_passed(int end, pid_t *ret_qemu)
{
	_cleanup_(link_close) DisplayLink link = { 0 };
	_cleanup_close_ int pidfd = -1;
	bool is_open = link_open_passed(&link, end, &fake_clock, &pidfd);

	cr_assert_eq(is_open, pidfd >= 0);
	*ret_qemu = link.qemu;
	return is_open;
}

static int passed_end(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	monitor.connection = pair[1];
	return pair[0];
}

Test(qemu_monitor, a_passed_socket_names_the_process_that_answers)
{
	pid_t qemu;
	int end = passed_end();

	monitor.text = ACCEPTED;
	monitor.piece = 4;
	cr_assert(open_passed(end, &qemu), "%s", logged_messages());
	cr_assert_eq(qemu, getpid());
}

Test(qemu_monitor, a_passed_socket_that_does_not_answer_is_given_up)
{
	pid_t qemu;
	int end = passed_end();
	int64_t begin = monitor.now;

	cr_assert_not(open_passed(end, &qemu));
	cr_assert_eq(monitor.now - begin, WAIT_LIMIT);
	cr_assert(logged_messages_have("gave up after 10 seconds of waiting for QEMU's display to "
				       "answer on the passed socket: restart QEMU if it hangs"),
		  "%s", logged_messages());
}

Test(qemu_monitor, a_passed_socket_whose_other_end_is_closed_is_refused)
{
	pid_t qemu;
	int end = passed_end();

	fd_close(&monitor.connection);
	cr_assert_not(open_passed(end, &qemu));
	cr_assert(logged_messages_have("cannot connect to QEMU's display: Broken pipe"), "%s",
		  logged_messages());
}

Test(qemu_monitor, a_socket_that_is_not_connected_is_refused)
{
	pid_t qemu;

	cr_assert_not(open_passed(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &qemu));
	cr_assert(logged_messages_have("is not a connected Unix stream socket"), "%s",
		  logged_messages());
}
