/* SPDX-License-Identifier: MIT */
/* The socket to the service manager, which tells when it takes messages without blocking. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>

#include "daemon/host/persist/notify-socket.h"
#include "proto/fd-util.h"
#include "tests/support/fake-service-manager.h"

static FakeServiceManager manager;

static void set_up(void)
{
	fake_service_manager_init(&manager, 100);
}

static void tear_down(void)
{
	fake_service_manager_deinit(&manager);
}

TestSuite(notify_socket, .init = set_up, .fini = tear_down);

/* Returns a socket whose messages fail instead of blocking. */
static int open_without_blocking(void)
{
	int notify = notify_socket_open();

	cr_assert(notify >= 0);
	cr_assert(fcntl(notify, F_SETFL, O_NONBLOCK) == 0);
	return notify;
}

static bool is_writable(int notify)
{
	return fd_poll(notify, POLLOUT) == POLLOUT;
}

static void send_burst(int notify)
{
	for (int i = 0; i < NOTIFY_BURST; i++)
		cr_assert_eq(notify_socket_send(notify, "FDSTOREREMOVE=1\nFDNAME=m1234567", -1), 0,
			     "message %d blocks", i);
}

/* However many messages are unread while it is writable, a burst fits behind them. */
Test(notify_socket, a_burst_fits_behind_the_messages_that_leave_it_writable)
{
	int notify = open_without_blocking();
	bool writable = true;
	size_t unread;

	for (unread = 0; writable; unread++) {
		for (size_t i = 0; i < unread; i++)
			cr_assert_eq(notify_socket_send(notify, "WATCHDOG=1", -1), 0);
		writable = is_writable(notify);
		if (writable)
			send_burst(notify);
		fake_service_manager_read(&manager);
	}
	cr_assert(unread > 2, "%zu", unread);
	close(notify);
}

Test(notify_socket, it_becomes_writable_when_messages_are_read)
{
	int notify = open_without_blocking();

	while (is_writable(notify))
		send_burst(notify);
	while (!is_writable(notify))
		cr_assert(fake_service_manager_read_one(&manager));
	send_burst(notify);
	close(notify);
}

Test(notify_socket, an_address_that_is_no_unix_socket_is_refused)
{
	static const char *const names[] = { "", "@", "vsock:2:1234", "relative" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		cr_assert_eq(notify_socket_open(), -EDESTADDRREQ, "%s", names[i]);
	}
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	cr_assert_eq(notify_socket_open(), -ENOENT);
}
