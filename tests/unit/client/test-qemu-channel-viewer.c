/* SPDX-License-Identifier: MIT */
/*
 * vail-qemu's viewers on display channels: the screen comes first, then its changes, which are
 * merged while the viewer does not reply. The viewer is an sd-bus in this process. The agent is the
 * fake one of test-qemu-console.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "client/vail-qemu/channel-viewer.h"
#include "proto/macros.h"

#define PATH      "/org/qemu/Display1/Listener"
#define INTERFACE "org.qemu.Display1.Listener"
#define MAP       INTERFACE ".Unix.Map"
#define XRGB      0x20020888u
#define WIDTH     64
#define HEIGHT    48

typedef struct Fixture {
	Agent agent;
	Console console;
	sd_bus *bus; /* of the viewer */
	ChannelViewer *viewer;
	char calls[512]; /* that the viewer has got, separated by ";" */
	bool takes_map;
} Fixture;

static Fixture fixture;

static void note(const char *text)
{
	size_t length = strlen(fixture.calls);

	snprintf(fixture.calls + length, sizeof(fixture.calls) - length, "%s;", text);
}

static int on_rectangle(sd_bus_message *message, void *context, sd_bus_error *error)
{
	int32_t values[4];
	char text[80];

	(void)context;
	(void)error;
	sd_bus_message_read(message, "iiii", &values[0], &values[1], &values[2], &values[3]);
	snprintf(text, sizeof(text), "%s %d,%d,%d,%d", sd_bus_message_get_member(message),
		 values[0], values[1], values[2], values[3]);
	note(text);
	return sd_bus_reply_method_return(message, "");
}

static int on_other(sd_bus_message *message, void *context, sd_bus_error *error)
{
	(void)context;
	(void)error;
	note(sd_bus_message_get_member(message));
	return sd_bus_reply_method_return(message, "");
}

static int get_interfaces(sd_bus *bus, const char *path, const char *interface,
			  const char *property, sd_bus_message *reply, void *context,
			  sd_bus_error *error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)context;
	(void)error;
	return sd_bus_message_append(reply, "as", fixture.takes_map ? 1 : 0, MAP);
}

static const sd_bus_vtable listener[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Scanout", "uuuuay", "", on_other, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Update", "iiiiuuay", "", on_rectangle, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Disable", "", "", on_other, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("MouseSet", "iii", "", on_other, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_PROPERTY("Interfaces", "as", get_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable map[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("ScanoutMap", "huuuuu", "", on_other, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("UpdateMap", "iiii", "", on_rectangle, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void connect_viewer(bool takes_map)
{
	int pair[2];

	fixture.takes_map = takes_map;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_geq(sd_bus_new(&fixture.bus), 0);
	cr_assert_geq(sd_bus_set_fd(fixture.bus, pair[0], pair[0]), 0);
	cr_assert_geq(sd_bus_set_anonymous(fixture.bus, true), 0);
	cr_assert_geq(sd_bus_negotiate_fds(fixture.bus, true), 0);
	cr_assert_geq(sd_bus_add_object_vtable(fixture.bus, NULL, PATH, INTERFACE, listener, NULL),
		      0);
	cr_assert_geq(sd_bus_add_object_vtable(fixture.bus, NULL, PATH, MAP, map, NULL), 0);
	cr_assert_geq(sd_bus_start(fixture.bus), 0);
	fixture.viewer = channel_viewer_new(pair[1], &fixture.console, 0);
	cr_assert_not_null(fixture.viewer);
}

static void set_up(void)
{
	fixture = (Fixture){ 0 };
	LIST_INIT(&fixture.agent.surfaces);
	console_init(&fixture.console, 0, &fixture.agent);
}

static void tear_down(void)
{
	channel_viewer_free(fixture.viewer);
	sd_bus_close_unref(fixture.bus);
	console_deinit(&fixture.console);
}

TestSuite(qemu_channel_viewer, .init = set_up, .fini = tear_down);

/* One turn of vail-qemu: damage is noted, and dropped as if vaild had got it. */
static void turn(int64_t now)
{
	channel_viewer_note(fixture.viewer);
	buffers_surface(&fixture.console.screen)->damage.count = 0;
	channel_viewer_process(fixture.viewer, now);
}

/* Lets both sides talk until nothing is left to say. */
static void settle(void)
{
	for (int i = 0; i < 50; i++) {
		turn(0);
		while (sd_bus_process(fixture.bus, NULL) > 0)
			continue;
	}
}

static void show(void)
{
	static uint8_t data[4 * WIDTH * HEIGHT];
	const Pixels pixels = { WIDTH, HEIGHT, 4 * WIDTH, XRGB, data, sizeof(data) };

	console_show_pixels(&fixture.console, &pixels);
}

/* Draws pixels that differ from those before. */
static void draw(int32_t x, int32_t y)
{
	static uint8_t shade;
	uint8_t data[4];
	const Pixels pixels = { 1, 1, 4, XRGB, data, sizeof(data) };

	memset(data, ++shade, sizeof(data));
	console_copy_pixels(&fixture.console, x, y, &pixels);
}

static void expect_calls(const char *expected)
{
	cr_assert_str_eq(fixture.calls, expected);
	fixture.calls[0] = '\0';
}

Test(qemu_channel_viewer, nothing_is_sent_before_qemu_has_said_anything)
{
	connect_viewer(true);
	settle();
	expect_calls("");
	console_disable(&fixture.console);
	settle();
	expect_calls("Disable;");
}

Test(qemu_channel_viewer, the_screen_comes_first_and_then_its_changes)
{
	show();
	connect_viewer(true);
	settle();
	expect_calls("ScanoutMap;");
	draw(3, 4);
	settle();
	expect_calls("UpdateMap 3,4,1,1;");
	console_disable(&fixture.console);
	settle();
	expect_calls("Disable;");
	show();
	settle();
	expect_calls("ScanoutMap;");
}

Test(qemu_channel_viewer, a_viewer_without_map_gets_bytes)
{
	show();
	connect_viewer(false);
	settle();
	expect_calls("Scanout;");
	draw(63, 47);
	settle();
	expect_calls("Update 63,47,1,1;");
}

/* The viewer has the first update, and does not reply while everything else is drawn. */
Test(qemu_channel_viewer, damage_of_a_slow_viewer_is_merged)
{
	show();
	connect_viewer(true);
	settle();
	expect_calls("ScanoutMap;");
	draw(0, 0);
	turn(0);
	for (int32_t i = 10; i < 40; i++) {
		draw(i, i);
		turn(0);
	}
	cr_assert_eq(fixture.viewer->unreplied, 1u);
	cr_assert_leq(fixture.viewer->damage.count, (size_t)DAMAGE_RECTANGLES_MAX);
	settle();
	cr_assert_eq(strncmp(fixture.calls, "UpdateMap 0,0,1,1;UpdateMap 10,10,17,17;", 40), 0,
		     "%s", fixture.calls);
}

Test(qemu_channel_viewer, damage_before_a_new_screen_is_not_sent)
{
	show();
	connect_viewer(true);
	settle();
	expect_calls("ScanoutMap;");
	draw(0, 0);
	turn(0);
	draw(5, 5);
	turn(0);
	console_disable(&fixture.console);
	turn(0);
	show();
	draw(7, 7);
	settle();
	expect_calls("UpdateMap 0,0,1,1;ScanoutMap;");
}

/* Damage that vaild does not take stays in the surface, and must not be sent again and again. */
Test(qemu_channel_viewer, damage_is_noted_once)
{
	show();
	connect_viewer(true);
	settle();
	expect_calls("ScanoutMap;");
	draw(1, 1);
	channel_viewer_note(fixture.viewer);
	channel_viewer_process(fixture.viewer, 0);
	channel_viewer_note(fixture.viewer);
	cr_assert_eq(fixture.viewer->damage.count, (size_t)0);
}

Test(qemu_channel_viewer, a_viewer_that_does_not_reply_for_ten_seconds_is_slow)
{
	show();
	connect_viewer(true);
	settle();
	draw(1, 1);
	turn(1000);
	cr_assert_eq(channel_viewer_timeout(fixture.viewer, 1000), 10000);
	turn(10999);
	cr_assert_not(fixture.viewer->is_slow);
	turn(11000);
	cr_assert(fixture.viewer->is_slow);
	cr_assert_not(fixture.viewer->is_lost);
}

Test(qemu_channel_viewer, a_viewer_that_says_nothing_at_first_is_slow)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fixture.viewer = channel_viewer_new(pair[1], &fixture.console, 0);
	turn(9999);
	cr_assert_not(fixture.viewer->is_slow);
	turn(10000);
	cr_assert(fixture.viewer->is_slow);
	close(pair[0]);
}

Test(qemu_channel_viewer, the_end_of_the_connection_is_noticed)
{
	connect_viewer(true);
	settle();
	fixture.bus = sd_bus_close_unref(fixture.bus);
	turn(0);
	cr_assert(fixture.viewer->is_lost);
}
