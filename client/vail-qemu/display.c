/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/display.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client/common/dbus-time.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-qemu/listener.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Time without a screen after which that is logged, in milliseconds. */
#define SILENCE_LIMIT 5000

/* Number of refused listeners in a row after which an error is logged. */
#define REFUSALS_TO_LOG 20

/* Time between attempts to register a listener, in milliseconds. */
#define RETRY_INTERVAL 50

bool display_init(Display *display, const DisplayLink *link)
{
	*display = (Display){ .link = *link };
	return link_get_string(&display->link, DISPLAY_ROOT "/VM", DISPLAY_VM, "UUID",
			       &display->uuid);
}

bool display_read_name(const Display *display, char **ret)
{
	return link_get_string(&display->link, DISPLAY_ROOT "/VM", DISPLAY_VM, "Name", ret);
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
	free(display->uuid);
	link_close(&display->link);
}

/* ---- Listeners ---- */

static int on_registered(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	DisplayConsole *console = context;
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);

	(void)error;
	console->is_registering = false;
	if (!refusal) {
		console->is_accepted = true;
		console->refusals = 0;
		return 0;
	}
	stop_listening(console);
	/* A closed display is the same error to sd-bus; display_process() logs it. */
	if (sd_bus_is_open(sd_bus_message_get_bus(reply)) <= 0)
		return 0;
	bool is_timeout = sd_bus_error_has_name(refusal, SD_BUS_ERROR_NO_REPLY);
	if (++console->refusals == 1 && is_timeout)
		log_message("QEMU has not answered for %u seconds, so console %u is not shared; "
			    "trying again, in case QEMU is only stopped or busy",
			    DBUS_CALL_TIMEOUT / 1000000u, console->console.number);
	else if (console->refusals == REFUSALS_TO_LOG && !is_timeout)
		log_message("QEMU does not accept a listener for console %u: %s",
			    console->console.number,
			    refusal->message ? refusal->message : refusal->name);
	return 0;
}

/* Registers a listener, asynchronously because QEMU calls the listener before it replies. */
static int register_listener(Display *display, DisplayConsole *console)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_close_ int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	int result = dbus_start_peer(pair[0], &console->bus);
	if (result >= 0)
		result = listener_serve(console->bus, &console->console);
	if (result >= 0)
		result = sd_bus_message_new_method_call(display->link.bus, &call,
							display->link.peer, console->path,
							DISPLAY_CONSOLE, "RegisterListener");
	if (result >= 0)
		result = sd_bus_message_append(call, "h", theirs);
	if (result >= 0)
		result =
			sd_bus_call_async(display->link.bus, NULL, call, on_registered, console, 0);
	console->is_registering = result >= 0;
	return result;
}

void display_listen(Display *display)
{
	for (size_t i = 0; i < display->console_count; i++) {
		DisplayConsole *console = &display->consoles[i];

		if (console->is_registering)
			continue;
		if (console->console.is_stale)
			stop_listening(console);
		console->console.is_stale = false;
		if (console->bus)
			continue;
		int result = register_listener(display, console);
		/* If QEMU has closed the display, display_process() tells. */
		if (result == -ENOTCONN ||
		    dbus_failed(result, "cannot register a listener for a console"))
			stop_listening(console);
	}
}

/* ---- A display without a screen ---- */

static void log_silence(void)
{
	log_message("QEMU has shown no screen for %d seconds, so nothing is shared; if the guest's "
		    "display is on, QEMU cannot export it: gl=on needs a GPU whose driver exports "
		    "textures, and access to its render node and to /dev/udmabuf; without them, "
		    "start QEMU without gl=on",
		    SILENCE_LIMIT / 1000);
}

/*
 * Logs once that QEMU neither shows a screen nor says that it is off, although it has accepted a
 * listener some time ago. QEMU does not report textures that it cannot export.
 */
static void check_silence(Display *display)
{
	bool is_accepted = false, is_heard = false;

	for (size_t i = 0; i < display->console_count; i++) {
		is_accepted = is_accepted || display->consoles[i].is_accepted;
		is_heard = is_heard || console_is_heard(&display->consoles[i].console);
	}
	if (is_heard || !is_accepted) {
		display->silence_at = 0;
		display->has_logged_silence = false;
		return;
	}
	int64_t now = display->link.clock->now();
	if (display->silence_at == 0)
		display->silence_at = now + SILENCE_LIMIT;
	if (display->has_logged_silence || now < display->silence_at)
		return;
	log_silence();
	display->has_logged_silence = true;
}

/* Returns the milliseconds until check_silence() must be called, or -1. */
static int silence_timeout(const Display *display)
{
	if (display->has_logged_silence || display->silence_at == 0)
		return -1;
	int64_t left = display->silence_at - display->link.clock->now();
	return left > 0 ? (int)left : 0;
}

/* ---- Consoles ---- */

/* Handles PropertiesChanged of a console. A new size means that the screen was replaced. */
static int on_properties_changed(sd_bus_message *message, void *context, sd_bus_error *error)
{
	DisplayConsole *console = context;
	ConsoleProperties *properties = &console->properties;
	const VailObject *screen = &buffers_surface(&console->console.screen)->object;
	int result = sd_bus_message_skip(message, "s");

	(void)error;
	if (result >= 0)
		result = properties_read(properties, message);
	if (result >= 0 && properties->has_size)
		console_check_size(&console->console,
				   properties->width ? properties->width : screen->width,
				   properties->height ? properties->height : screen->height);
	return 0;
}

static int on_properties(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	DisplayConsole *console = context;

	(void)error;
	console->unread_properties--;
	if (!sd_bus_message_is_method_error(reply, NULL))
		properties_read(&console->properties, reply);
	return 0;
}

/* Older QEMUs have no such interface. */
static int on_multitouch(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	DisplayConsole *console = context;

	console->properties.has_multitouch = !sd_bus_message_is_method_error(reply, NULL);
	return on_properties(reply, context, error);
}

static void ask_for_properties(const Display *display, DisplayConsole *console,
			       const char *interface, sd_bus_message_handler_t handler)
{
	int result = sd_bus_call_method_async(display->link.bus, NULL, display->link.peer,
					      console->path, DISPLAY_PROPERTIES, "GetAll", handler,
					      console, "s", interface);

	if (result >= 0)
		console->unread_properties++;
}

void display_ask_for_properties(Display *display)
{
	for (size_t i = 0; !display->has_asked && i < display->console_count; i++) {
		DisplayConsole *console = &display->consoles[i];

		ask_for_properties(display, console, DISPLAY_CONSOLE, on_properties);
		ask_for_properties(display, console, DISPLAY_KEYBOARD, on_properties);
		ask_for_properties(display, console, DISPLAY_MOUSE, on_properties);
		ask_for_properties(display, console, DISPLAY_MULTITOUCH, on_multitouch);
	}
	display->has_asked = true;
}

bool display_knows_properties(const Display *display)
{
	for (size_t i = 0; i < display->console_count; i++)
		if (display->consoles[i].unread_properties > 0)
			return false;
	return display->has_asked;
}

/*
 * Adds the console if it is graphic. Text consoles belong to QEMU, for example its monitor. Returns
 * false after it has logged an error.
 */
static bool add_console(Display *display, uint32_t number, Agent *agent)
{
	DisplayConsole *console = &display->consoles[display->console_count];
	_cleanup_free_ char *type = NULL;

	snprintf(console->path, sizeof(console->path), DISPLAY_ROOT "/Console_%u", number);
	if (!link_get_string(&display->link, console->path, DISPLAY_CONSOLE, "Type", &type))
		return false;
	if (strcmp(type, "Graphic") != 0)
		return true;
	display->console_count++;
	console_init(&console->console, number, agent);
	return !dbus_failed(sd_bus_match_signal(display->link.bus, NULL, display->link.peer,
						console->path, DISPLAY_PROPERTIES,
						"PropertiesChanged", on_properties_changed,
						console),
			    "cannot find QEMU's consoles");
}

static bool add_consoles(Display *display, Agent *agent)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const void *numbers;
	size_t size;

	if (!link_get_property(&display->link, DISPLAY_ROOT "/VM", DISPLAY_VM, "ConsoleIDs", "au",
			       &reply) ||
	    dbus_failed(sd_bus_message_read_array(reply, 'u', &numbers, &size),
			"cannot find QEMU's consoles"))
		return false;
	size_t count = size / sizeof(uint32_t);
	display->consoles = calloc(count + 1, sizeof(*display->consoles));
	if (dbus_failed(display->consoles ? 0 : -ENOMEM, "cannot find QEMU's consoles"))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!add_console(display, ((const uint32_t *)numbers)[i], agent))
			return false;
	return true;
}

bool display_find_consoles(Display *display, Agent *agent)
{
	if (!add_consoles(display, agent))
		return false;
	if (display->console_count == 0)
		log_message("QEMU has no graphic console; give it a virtual GPU, like -device "
			    "virtio-vga");
	return display->console_count > 0;
}

/* ---- Input and output ---- */

static struct pollfd poll_for(sd_bus *bus)
{
	return (struct pollfd){ .fd = sd_bus_get_fd(bus), .events = (short)sd_bus_get_events(bus) };
}

int display_poll_for(const Display *display, struct pollfd *poll_fds)
{
	int milliseconds =
		shorter_timeout(dbus_time_left(display->link.bus), silence_timeout(display));

	poll_fds[0] = poll_for(display->link.bus);
	for (size_t i = 0; i < display->console_count; i++) {
		sd_bus *bus = display->consoles[i].bus;

		poll_fds[1 + i] = bus ? poll_for(bus) : (struct pollfd){ .fd = -1 };
		milliseconds =
			shorter_timeout(milliseconds, bus ? dbus_time_left(bus) : RETRY_INTERVAL);
	}
	return milliseconds;
}

/* Handles all messages. Returns false if the connection has ended. */
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
	bool is_connected = process(display->link.bus);

	for (size_t i = 0; i < display->console_count; i++) {
		DisplayConsole *console = &display->consoles[i];

		if (console->bus && !process(console->bus))
			stop_listening(console);
	}
	if (is_connected)
		check_silence(display);
	return is_connected;
}
