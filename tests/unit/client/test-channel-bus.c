/* SPDX-License-Identifier: MIT */
/* A client's end of a display channel bounds what the agent can send. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "client/common/channel-bus.h"
#include "proto/macros.h"

#define PATH        "/org/qemu/Display1/Test"
#define INTERFACE   "org.qemu.Display1.Test"
#define MESSAGE_MAX (1u << 20)

static ChannelBus client;
static sd_bus *agent;
static size_t received; /* bytes of the last signal; 0 before it has arrived */

static int on_message(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const void *bytes;

	(void)context, (void)error;
	if (sd_bus_message_is_signal(message, INTERFACE, "Bytes") > 0)
		cr_assert_geq(sd_bus_message_read_array(message, 'y', &bytes, &received), 0);
	return 0;
}

static void set_up(void)
{
	sd_id128_t id;
	int pair[2];

	received = 0;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	cr_assert_geq(channel_bus_init_client(&client, pair[0], MESSAGE_MAX), 0);
	cr_assert_geq(sd_bus_add_filter(client.bus, NULL, on_message, NULL), 0);
	cr_assert_geq(sd_bus_start(client.bus), 0);
	cr_assert_geq(sd_id128_randomize(&id), 0);
	cr_assert_geq(sd_bus_new(&agent), 0);
	cr_assert_geq(sd_bus_set_fd(agent, pair[1], pair[1]), 0);
	cr_assert_geq(sd_bus_set_server(agent, true, id), 0);
	cr_assert_geq(sd_bus_set_anonymous(agent, true), 0);
	cr_assert_geq(sd_bus_negotiate_fds(agent, true), 0);
	cr_assert_geq(sd_bus_start(agent), 0);
}

static void tear_down(void)
{
	channel_bus_deinit(&client);
	sd_bus_close_unref(agent);
}

TestSuite(channel_bus, .init = set_up, .fini = tear_down);

/* Lets both ends work until nothing is left. Returns what the client's end has returned last. */
static int work(void)
{
	int of_agent, of_client;

	do {
		of_agent = sd_bus_process(agent, NULL);
		of_client = channel_bus_process(&client);
	} while (of_client >= 0 && (of_agent > 0 || of_client > 0));
	return of_client;
}

static void send_bytes(size_t size)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;
	void *bytes;

	cr_assert_geq(sd_bus_message_new_signal(agent, &signal, PATH, INTERFACE, "Bytes"), 0);
	cr_assert_geq(sd_bus_message_append_array_space(signal, 'y', size, &bytes), 0);
	memset(bytes, 'x', size);
	cr_assert_geq(sd_bus_send(agent, signal, NULL), 0);
}

/* It is larger than the kernel's buffer between the two sides of the client's end. */
Test(channel_bus, a_large_message_arrives_in_parts)
{
	cr_assert_eq(work(), 0);
	send_bytes(MESSAGE_MAX - 1024);
	cr_assert_eq(work(), 0);
	cr_assert_eq(received, MESSAGE_MAX - 1024);
	send_bytes(7);
	cr_assert_eq(work(), 0);
	cr_assert_eq(received, 7u);
}

Test(channel_bus, a_message_that_is_too_large_ends_the_connection)
{
	cr_assert_eq(work(), 0);
	send_bytes(MESSAGE_MAX);
	cr_assert_eq(work(), -EMSGSIZE);
	cr_assert_eq(received, 0u);
}

Test(channel_bus, a_message_with_an_fd_ends_the_connection)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;

	cr_assert_eq(work(), 0);
	cr_assert_geq(sd_bus_message_new_signal(agent, &signal, PATH, INTERFACE, "Bytes"), 0);
	cr_assert_geq(sd_bus_message_append(signal, "h", STDERR_FILENO), 0);
	cr_assert_geq(sd_bus_send(agent, signal, NULL), 0);
	cr_assert_lt(work(), 0);
}

Test(channel_bus, the_end_of_the_connection_is_noticed)
{
	cr_assert_eq(work(), 0);
	sd_bus_close(agent);
	cr_assert_lt(channel_bus_process(&client), 0);
}
