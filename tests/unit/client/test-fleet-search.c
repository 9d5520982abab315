/* SPDX-License-Identifier: MIT */
/* The search for a VM that has ended here never waits for the vaild-fleet of this host. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/common/fleet-search.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

#define GUID "11111111-1111-4111-8111-111111111111"

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int listener;
static FleetMove move;

static void set_up(void)
{
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test-fleet-search-%d",
		 (int)getpid());
	unlink(address.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 4), 0);
	cr_assert_eq(setenv("VAILD_FLEET_SOCKET", address.sun_path, 1), 0);
}

static void tear_down(void)
{
	fleet_move_deinit(&move);
	fd_close(&listener);
	unlink(address.sun_path);
}

TestSuite(fleet_search, .init = set_up, .fini = tear_down);

/* Accepts the next question. */
static int accept_question(void)
{
	char question[512];
	int fd;

	while (fd_poll(listener, POLLIN) == 0)
		cr_assert_not(fleet_move_process(&move));
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(fd, 0);
	while (fd_poll(fd, POLLIN) == 0)
		cr_assert_not(fleet_move_process(&move));
	ssize_t size = read(fd, question, sizeof(question) - 1);
	cr_assert_gt(size, 0);
	question[size] = '\0';
	cr_assert(strstr(question, "io.vaild.Fleet.Where"), "%s", question);
	cr_assert(strstr(question, GUID), "%s", question);
	return fd;
}

/* Answers the next question with these parameters. */
static void answer(const char *parameters)
{
	_cleanup_close_ int fd = accept_question();
	char reply[256];
	int length = snprintf(reply, sizeof(reply), "{\"parameters\":%s}", parameters);

	cr_assert_eq(write(fd, reply, (size_t)length + 1), length + 1);
}

static void expect_note(const char *expected)
{
	_cleanup_free_ char *note = NULL;

	fleet_move_finish(&move);
	note = fleet_move_note(&move, "vm", "vail-view");
	if (expected)
		cr_assert_str_eq(note, expected);
	else
		cr_assert_null(note);
}

Test(fleet_search, a_fleet_that_does_not_answer_delays_nothing)
{
	struct pollfd poll_fd;

	fleet_move_begin(&move, GUID);
	int fd = accept_question();
	cr_assert_not(fleet_move_process(&move));
	cr_assert_neq(fleet_move_poll_for(&move, &poll_fd), INT64_MAX);
	cr_assert_geq(poll_fd.fd, 0);
	cr_assert_eq(poll_fd.events & POLLIN, POLLIN);
	expect_note(NULL);
	cr_assert(fleet_move_process(&move));
	cr_assert_eq(fleet_move_poll_for(&move, &poll_fd), INT64_MAX);
	close(fd);
}

/* The queue is full, and nobody accepts. */
Test(fleet_search, a_fleet_that_does_not_accept_delays_nothing)
{
	int fds[8], count = 0;

	cr_assert_eq(listen(listener, 0), 0);
	do
		fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	while (connect(fds[count++], (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       count < 8);
	fleet_move_begin(&move, GUID);
	cr_assert(move.is_answered);
	expect_note(NULL);
	while (count > 0)
		close(fds[--count]);
}

Test(fleet_search, the_other_host_is_named)
{
	fleet_move_begin(&move, GUID);
	answer("{\"host\":\"id2\",\"hostName\":\"host2\",\"self\":false}");
	expect_note("virtual machine vm has moved to the host host2; run vail-view there");
}

Test(fleet_search, a_fleet_that_notices_a_move_late_is_asked_again)
{
	fleet_move_begin(&move, GUID);
	answer("{\"hostName\":\"host1\",\"self\":true}");
	answer("{\"hostName\":\"host2\",\"self\":false,\"unreachable\":12.5}");
	expect_note("virtual machine vm was last on the host host2, which cannot be reached now");
}

Test(fleet_search, without_a_fleet_the_search_is_over_at_once)
{
	unlink(address.sun_path);
	fleet_move_begin(&move, GUID);
	cr_assert(fleet_move_process(&move));
	expect_note(NULL);
}
