/* SPDX-License-Identifier: MIT */
#include "display.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "fd-util.h"
#include "listener.h"
#include "say.h"

#define ROOT    "/org/qemu/Display1"
#define PREFIX  "org.qemu.Display1"
#define CONSOLE PREFIX ".Console"

/* QEMU's main loop may be busy with its guest. */
#define MICROSECONDS_TO_ANSWER 10000000u

/* How often QEMU may refuse a listener before that is worth a sentence, and after how long it is
 * offered one again, in milliseconds. */
#define REFUSALS_TO_SAY 20
#define OFFER_AGAIN     50

/* A connection without a bus behind it, of which we are the client. The socket is taken. */
static int start_peer(int socket, sd_bus **ret_bus)
{
	_cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
	int result = sd_bus_new(&bus);

	if (result >= 0)
		result = sd_bus_set_fd(bus, socket, socket);
	if (result < 0) {
		fd_close(&socket);
		return result;
	}
	result = sd_bus_set_method_call_timeout(bus, MICROSECONDS_TO_ANSWER);
	if (result >= 0)
		result = sd_bus_start(bus);
	if (result < 0)
		return result;
	*ret_bus = TAKE_POINTER(bus);
	return 0;
}

static bool failed(int result, const char *what)
{
	if (result < 0)
		say("%s: %s", what, strerror(-result));
	return result < 0;
}

bool display_init(Display *display, int socket)
{
	const char *machine = ROOT "/VM", *interface = PREFIX ".VM";

	*display = (Display){ 0 };
	return !failed(start_peer(socket, &display->bus), "cannot speak with QEMU's display") &&
	       !failed(sd_bus_get_property_string(display->bus, NULL, machine, interface, "Name",
						  NULL, &display->name),
		       "QEMU does not tell the VM's name") &&
	       !failed(sd_bus_get_property_string(display->bus, NULL, machine, interface, "UUID",
						  NULL, &display->uuid),
		       "QEMU does not tell the VM's UUID");
}

static void stop_listening(DisplayConsole *console)
{
	sd_bus_close_unref(TAKE_POINTER(console->bus));
}

void display_deinit(Display *display)
{
	for (size_t i = 0; i < display->console_count; i++) {
		console_deinit(&display->consoles[i].console);
		stop_listening(&display->consoles[i]);
	}
	free(display->consoles);
	free(display->name);
	free(display->uuid);
	sd_bus_close_unref(display->bus);
}

/* ---- Listening ---- */

static int on_answer(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	DisplayConsole *console = context;
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);

	(void)error;
	console->is_offered = false;
	if (!refusal) {
		console->refusals = 0;
		return 0;
	}
	stop_listening(console);
	if (++console->refusals == REFUSALS_TO_SAY)
		say("QEMU does not tell what is on console %u: %s", console->console.number,
		    refusal->message ? refusal->message : refusal->name);
	return 0;
}

/* QEMU speaks on the listener's connection before it answers. */
static int offer_listener(Display *display, DisplayConsole *console)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_close_ int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	int result = start_peer(pair[0], &console->bus);
	if (result >= 0)
		result = listener_serve(console->bus, &console->console);
	if (result >= 0)
		result = sd_bus_message_new_method_call(display->bus, &call, NULL, console->path,
							CONSOLE, "RegisterListener");
	if (result >= 0)
		result = sd_bus_message_append(call, "h", theirs);
	if (result >= 0)
		result = sd_bus_call_async(display->bus, NULL, call, on_answer, console, 0);
	console->is_offered = result >= 0;
	return result;
}

void display_listen(Display *display)
{
	for (size_t i = 0; i < display->console_count; i++) {
		DisplayConsole *console = &display->consoles[i];

		if (console->is_offered)
			continue;
		if (console->console.is_stale)
			stop_listening(console);
		console->console.is_stale = false;
		if (!console->bus &&
		    failed(offer_listener(display, console), "a console cannot be listened to"))
			stop_listening(console);
	}
}

/* ---- Consoles ---- */

/* Properties of a console have changed: a{sv}. Where its size has, the screen is another. */
static int on_properties_changed(sd_bus_message *message, void *context, sd_bus_error *error)
{
	DisplayConsole *console = context;
	const VailObject *screen = &console->console.screen.object;
	uint32_t width = screen->width, height = screen->height;
	const char *name;
	int result = sd_bus_message_skip(message, "s");

	(void)error;
	if (result >= 0)
		result = sd_bus_message_enter_container(message, 'a', "{sv}");
	while (result >= 0 && (result = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		result = sd_bus_message_read(message, "s", &name);
		if (result >= 0 && strcmp(name, "Width") == 0)
			result = sd_bus_message_read(message, "v", "u", &width);
		else if (result >= 0 && strcmp(name, "Height") == 0)
			result = sd_bus_message_read(message, "v", "u", &height);
		else if (result >= 0)
			result = sd_bus_message_skip(message, "v");
		if (result >= 0)
			result = sd_bus_message_exit_container(message);
	}
	if (result >= 0)
		console_check_size(&console->console, width, height);
	return 0;
}

/* Text consoles are QEMU's own. */
static int is_graphic(Display *display, const char *path, bool *ret)
{
	_cleanup_free_ char *type = NULL;
	int result =
		sd_bus_get_property_string(display->bus, NULL, path, CONSOLE, "Type", NULL, &type);

	*ret = result >= 0 && strcmp(type, "Graphic") == 0;
	return result;
}

static int add_console(Display *display, uint32_t number, Agent *agent)
{
	DisplayConsole *console = &display->consoles[display->console_count];
	bool graphic;

	snprintf(console->path, sizeof(console->path), ROOT "/Console_%u", number);
	int result = is_graphic(display, console->path, &graphic);
	if (result < 0 || !graphic)
		return result;
	display->console_count++;
	console_init(&console->console, number, agent);
	return sd_bus_match_signal(display->bus, NULL, NULL, console->path,
				   "org.freedesktop.DBus.Properties", "PropertiesChanged",
				   on_properties_changed, console);
}

static int add_consoles(Display *display, Agent *agent)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const void *numbers;
	size_t size;
	int result = sd_bus_get_property(display->bus, NULL, ROOT "/VM", PREFIX ".VM", "ConsoleIDs",
					 NULL, &reply, "au");

	if (result >= 0)
		result = sd_bus_message_read_array(reply, 'u', &numbers, &size);
	if (result < 0)
		return result;
	size_t count = size / sizeof(uint32_t);
	display->consoles = calloc(count + 1, sizeof(*display->consoles));
	if (!display->consoles)
		return -ENOMEM;
	for (size_t i = 0; i < count && result >= 0; i++)
		result = add_console(display, ((const uint32_t *)numbers)[i], agent);
	return result;
}

bool display_find_consoles(Display *display, Agent *agent)
{
	if (failed(add_consoles(display, agent), "QEMU's consoles cannot be found"))
		return false;
	if (display->console_count == 0)
		say("QEMU has no graphic console; give it a virtual GPU, like -device virtio-vga");
	return display->console_count > 0;
}

/* ---- Speaking ---- */

static struct pollfd poll_for(sd_bus *bus)
{
	return (struct pollfd){ .fd = sd_bus_get_fd(bus), .events = (short)sd_bus_get_events(bus) };
}

/* Milliseconds until the bus has something to do though nothing comes: an answer is due. */
static int time_left(sd_bus *bus)
{
	struct timespec now;
	uint64_t at;

	if (sd_bus_get_timeout(bus, &at) < 0 || at == UINT64_MAX)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t passed = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
	uint64_t left = at > passed ? (at - passed + 999) / 1000 : 0;
	return left < INT_MAX ? (int)left : INT_MAX;
}

int display_poll_for(const Display *display, struct pollfd *descriptors)
{
	int milliseconds = time_left(display->bus);

	descriptors[0] = poll_for(display->bus);
	for (size_t i = 0; i < display->console_count; i++) {
		sd_bus *bus = display->consoles[i].bus;

		descriptors[1 + i] = bus ? poll_for(bus) : (struct pollfd){ .fd = -1 };
		milliseconds = sooner(milliseconds, bus ? time_left(bus) : OFFER_AGAIN);
	}
	return milliseconds;
}

/* Returns whether the connection goes on. */
static bool process(sd_bus *bus)
{
	int result;

	do
		result = sd_bus_process(bus, NULL);
	while (result > 0);
	return result == 0;
}

bool display_process(Display *display)
{
	bool goes_on = process(display->bus);

	for (size_t i = 0; i < display->console_count; i++) {
		DisplayConsole *console = &display->consoles[i];

		if (console->bus && !process(console->bus))
			stop_listening(console);
	}
	return goes_on;
}
