/* SPDX-License-Identifier: MIT */
/*
 * How vail-qemu asks QEMU whether it has its guest: in short looks at the monitor, which never
 * block. This process is QEMU.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/vail-qemu/guest-watch.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define EVENT    "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"active\"}}\r\n"
#define DONE     "{\"return\": {}}\r\n"

static char path[108];
static int listener, client;
static int64_t now;
static GuestWatch watch;

static int64_t fake_now(void)
{
	return now;
}

static const WaitClock fake_clock = { .now = fake_now };

static void begin(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(path, sizeof(path), "/tmp/vail-guest-watch-%d", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	client = -1;
	now = 5000;
	cr_assert(guest_watch_init(&watch, path, path, getpid(), &fake_clock));
}

static void end(void)
{
	guest_watch_deinit(&watch);
	fd_close(&client);
	fd_close(&listener);
	unlink(path);
}

TestSuite(qemu_guest_watch, .init = begin, .fini = end);

/* Lets the watch begin a look. */
static void look(void)
{
	cr_assert_eq(guest_watch_timeout(&watch), 0);
	cr_assert_eq(guest_watch_poll_for(&watch).fd, -1);
	guest_watch_process(&watch);
	fd_close(&client);
	client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	cr_assert_geq(client, 0);
	cr_assert_geq(guest_watch_poll_for(&watch).fd, 0);
	cr_assert_eq(guest_watch_timeout(&watch), -1);
}

static void send_text(const char *text)
{
	cr_assert_eq(send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	guest_watch_process(&watch);
}

/* Answers a look. Expects it to end, and returns the milliseconds until the next one. */
static int answer(const char *status)
{
	char text[256];

	send_text(GREETING);
	snprintf(text, sizeof(text), EVENT DONE EVENT "{\"return\": {\"status\": \"%s\"}}\r\n",
		 status);
	send_text(text);
	cr_assert_eq(guest_watch_poll_for(&watch).fd, -1);
	return guest_watch_timeout(&watch);
}

Test(qemu_guest_watch, states)
{
	static const struct {
		const char *status, *state;
	} rows[] = {
		{ "finish-migrate", NULL }, /* nothing is known yet */
		{ "inmigrate", "incoming" },      { "running", "running" },
		{ "paused", "running" },          { "finish-migrate", "running" },
		{ "postmigrate", "migrated" },    { "finish-migrate", "migrated" },
		{ "of a later QEMU", "running" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		look();
		bool is_running = rows[i].state && strcmp(rows[i].state, "running") == 0;
		int next = answer(rows[i].status);
		if (rows[i].state)
			cr_assert_str_eq(watch.state, rows[i].state, "%s", rows[i].status);
		else
			cr_assert_null(watch.state);
		cr_assert_eq(next, is_running ? 1000 : 200, "%s", rows[i].status);
		now += next;
	}
}

Test(qemu_guest_watch, it_asks_once_behind_the_greeting)
{
	char text[256];

	look();
	guest_watch_process(&watch);
	cr_assert_lt(recv(client, text, sizeof(text), 0), 0);
	send_text("{\"QMP\":");
	cr_assert_lt(recv(client, text, sizeof(text), 0), 0);
	send_text("{}}" GREETING);
	ssize_t size = recv(client, text, sizeof(text) - 1, 0);
	cr_assert_gt(size, 0);
	text[size] = '\0';
	cr_assert_str_eq(text,
			 "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\"}\n");
}

Test(qemu_guest_watch, looks_become_rare_if_the_guest_stays_away)
{
	for (size_t i = 0; i < 300; i++) {
		look();
		int next = answer("inmigrate");
		cr_assert_eq(next, 200);
		now += next;
	}
	look();
	cr_assert_eq(answer("inmigrate"), 1000);
	now += 1000;
	look();
	cr_assert_eq(answer("postmigrate"), 200);
}

Test(qemu_guest_watch, nobody_is_woken_without_a_fleet)
{
	watch.fleet = "/nonexistent";
	look();
	cr_assert_eq(answer("running"), -1);
	now += 999;
	guest_watch_process(&watch);
	cr_assert_eq(guest_watch_poll_for(&watch).fd, -1);

	/* Something else has woken this process. */
	now += 1;
	guest_watch_process(&watch);
	cr_assert_geq(guest_watch_poll_for(&watch).fd, 0);
	fd_close(&client);
	client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	watch.fleet = path;
	cr_assert_eq(answer("running"), 1000);
}

Test(qemu_guest_watch, a_look_that_fails_is_repeated)
{
	look();
	answer("running");
	for (size_t i = 0; i < 3; i++) {
		now += 1000;
		look();
		if (i == 0)
			send_text("this is no monitor");
		else if (i == 1)
			send_text("{\"a\":\"\\u0000\"}");
		fd_close(&client);
		guest_watch_process(&watch);
		cr_assert_eq(guest_watch_timeout(&watch), 1000);
		cr_assert_str_eq(watch.state, "running");
	}
	fd_close(&listener);
	now += 1000;
	guest_watch_process(&watch);
	cr_assert_eq(guest_watch_timeout(&watch), 1000);
}

Test(qemu_guest_watch, an_endless_answer_ends_the_look)
{
	look();
	send_text("{\"QMP\":\"");
	for (size_t i = 0; i < 65536 / 16 && guest_watch_poll_for(&watch).fd >= 0; i++)
		send_text("aaaaaaaaaaaaaaaa");
	cr_assert_eq(guest_watch_poll_for(&watch).fd, -1);
}

Test(qemu_guest_watch, a_qemu_that_cannot_tell_is_not_asked_again)
{
	look();
	send_text(GREETING DONE "{\"error\": {\"class\": \"CommandNotFound\"}}\r\n");
	cr_assert_eq(guest_watch_poll_for(&watch).fd, -1);
	cr_assert_eq(guest_watch_timeout(&watch), -1);
	cr_assert_null(watch.state);
}

Test(qemu_guest_watch, another_program_is_not_asked)
{
	watch.qemu = getpid() + 1;
	guest_watch_process(&watch);
	cr_assert_eq(guest_watch_poll_for(&watch).fd, -1);
	cr_assert_eq(guest_watch_timeout(&watch), 200);
}

Test(qemu_guest_watch, without_a_monitor_nothing_happens)
{
	GuestWatch none;

	cr_assert(guest_watch_init(&none, NULL, path, getpid(), &fake_clock));
	guest_watch_process(&none);
	cr_assert_eq(guest_watch_timeout(&none), -1);
	cr_assert_eq(guest_watch_poll_for(&none).fd, -1);
	guest_watch_deinit(&none);
}
