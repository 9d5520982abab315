/* SPDX-License-Identifier: MIT */
/*
 * vail-qemu's clipboard on a channel whose viewer does not read: few calls wait for it, and it
 * hears of the present state when it reads. The viewer is an sd-bus in this process.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "client/vail-qemu/channel-clipboard.h"
#include "client/vail-qemu/clipboard.h"

/* More calls than fit into the buffer of the socket. */
#define CALLS 100000

static Display display;
static Clipboard clipboard;
static ChannelClipboard channel;
static sd_bus *agent, *viewer;
static char last_call[32];   /* that the viewer has got */
static uint32_t last_serial; /* of its last grab */

static int on_call(sd_bus_message *message, void *context, sd_bus_error *error)
{
	uint32_t selection;

	(void)context;
	(void)error;
	snprintf(last_call, sizeof(last_call), "%s", sd_bus_message_get_member(message));
	if (strcmp(last_call, "Grab") == 0)
		sd_bus_message_read(message, "uu", &selection, &last_serial);
	return 1;
}

/* Handles all that has arrived at either end. */
static void exchange(void)
{
	int handled;

	do {
		handled = 0;
		for (int result; (result = sd_bus_process(viewer, NULL)) != 0; handled++)
			cr_assert_gt(result, 0);
		for (int result; (result = sd_bus_process(agent, NULL)) != 0; handled++)
			cr_assert_gt(result, 0);
		channel_clipboard_process(&channel);
	} while (handled > 0);
}

static void setup(void)
{
	const sd_id128_t id = { .bytes = { 1 } };
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_geq(sd_bus_new(&viewer), 0);
	cr_assert_geq(sd_bus_set_fd(viewer, pair[0], pair[0]), 0);
	cr_assert_geq(sd_bus_set_anonymous(viewer, true), 0);
	cr_assert_geq(sd_bus_add_filter(viewer, NULL, on_call, NULL), 0);
	cr_assert_geq(sd_bus_start(viewer), 0);
	cr_assert_geq(sd_bus_new(&agent), 0);
	cr_assert_geq(sd_bus_set_fd(agent, pair[1], pair[1]), 0);
	cr_assert_geq(sd_bus_set_server(agent, true, id), 0);
	cr_assert_geq(sd_bus_set_anonymous(agent, true), 0);
	cr_assert_geq(sd_bus_start(agent), 0);
	clipboard_init(&clipboard, &display);
	cr_assert_geq(channel_clipboard_serve(&channel, agent, &clipboard), 0);
	exchange();
	cr_assert_gt(sd_bus_is_ready(viewer), 0);
	channel.is_registered = true;
	clipboard_add(&clipboard, &channel);
}

static void teardown(void)
{
	channel_clipboard_deinit(&channel);
	sd_bus_close_unref(agent);
	sd_bus_close_unref(viewer);
}

TestSuite(qemu_channel_clipboard, .init = setup, .fini = teardown);

static uint64_t waiting(void)
{
	uint64_t count;

	cr_assert_geq(sd_bus_get_n_queued_write(agent, &count), 0);
	return count;
}

/* The guest copies texts until the calls no longer fit, and some more. */
static void copy_often(void)
{
	clipboard.content = CLIPBOARD_OF_GUEST;
	for (int i = 0; i < CALLS; i++) {
		channel_clipboard_tell_grab(&channel);
		cr_assert_leq(waiting(), 1u);
	}
	cr_assert_eq(waiting(), 1u);
}

Test(qemu_channel_clipboard, a_viewer_that_reads_hears_of_each_text)
{
	clipboard.content = CLIPBOARD_OF_GUEST;
	channel_clipboard_tell_grab(&channel);
	exchange();
	cr_assert_str_eq(last_call, "Grab");
	cr_assert_eq(last_serial, 1u);
}

Test(qemu_channel_clipboard, a_viewer_that_does_not_read_has_few_calls_waiting)
{
	copy_often();
	exchange();
	cr_assert_str_eq(last_call, "Grab");
	cr_assert_eq(last_serial, (uint32_t)CALLS);
	cr_assert_eq(waiting(), 0u);
}

Test(qemu_channel_clipboard, it_hears_that_the_text_is_gone)
{
	copy_often();
	clipboard.content = CLIPBOARD_EMPTY;
	channel_clipboard_tell_release(&channel);
	exchange();
	cr_assert_str_eq(last_call, "Release");
}

Test(qemu_channel_clipboard, it_hears_that_serials_begin_again)
{
	copy_often();
	channel_clipboard_tell_reset(&channel);
	channel_clipboard_tell_grab(&channel);
	cr_assert_leq(waiting(), 1u);
	exchange();
	cr_assert_str_eq(last_call, "Grab");
	cr_assert_eq(last_serial, 1u);
}
