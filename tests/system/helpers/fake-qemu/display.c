/* SPDX-License-Identifier: MIT */
/*
 * The peer-to-peer display (org.qemu.Display1) of QEMU 10. QEMU is the server of all connections.
 */
#include <time.h>

#include "tests/system/helpers/fake-qemu/fake-qemu.h"

#define ROOT     "/org/qemu/Display1"
#define PREFIX   "org.qemu.Display1"
#define CONSOLE  PREFIX ".Console"
#define LISTENER PREFIX ".Listener"
#define MAP      LISTENER ".Unix.Map"

int qemu_check(int result, const char *what)
{
	if (result < 0)
		errx(2, "%s: %s", what, strerror(-result));
	return result;
}

sd_bus *qemu_serve_bus(sd_event *event, int socket)
{
	sd_id128_t id;
	sd_bus *bus;

	qemu_check(sd_id128_randomize(&id), "sd_id128_randomize");
	qemu_check(sd_bus_new(&bus), "sd_bus_new");
	qemu_check(sd_bus_set_fd(bus, socket, socket), "sd_bus_set_fd");
	qemu_check(sd_bus_set_server(bus, true, id), "sd_bus_set_server");
	qemu_check(sd_bus_negotiate_fds(bus, true), "sd_bus_negotiate_fds");
	qemu_check(sd_bus_set_trusted(bus, true), "sd_bus_set_trusted");
	qemu_check(sd_bus_start(bus), "sd_bus_start");
	qemu_check(sd_bus_attach_event(bus, event, 0), "sd_bus_attach_event");
	return bus;
}

/* ---- Listeners ---- */

sd_bus_message *qemu_listener_call(QemuConsole *console, const char *method)
{
	bool maps = strcmp(method, "ScanoutMap") == 0 || strcmp(method, "UpdateMap") == 0;
	sd_bus_message *call = NULL;

	if (console->listener)
		qemu_check(sd_bus_message_new_method_call(console->listener, &call, NULL,
							  ROOT "/Listener", maps ? MAP : LISTENER,
							  method),
			   method);
	return call;
}

static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *error)
{
	QemuConsole *console = context;

	(void)error;
	console->waiting--;
	if (sd_bus_message_is_method_error(answer, NULL)) {
		console->errors++;
		warnx("console %u: %s", console->number, sd_bus_message_get_error(answer)->message);
	}
	return 0;
}

void qemu_listener_send(QemuConsole *console, sd_bus_message *call)
{
	if (sd_bus_call_async(console->listener, NULL, call, on_answer, console, UINT64_MAX) >= 0)
		console->waiting++;
	else
		console->errors++; /* the listener has disconnected */
	sd_bus_message_unref(call);
}

void qemu_listener_close(QemuConsole *console)
{
	sd_bus_close_unref(console->listener);
	console->listener = NULL;
	console->takes_maps = false;
	console->waiting = 0;
}

static void show_map(QemuConsole *console)
{
	sd_bus_message *call = qemu_listener_call(console, "ScanoutMap");

	qemu_check(sd_bus_message_append(call, "huuuuu", console->memory, 0, console->map_width,
					 console->map_height, console->map_width * 4, QEMU_XRGB),
		   "ScanoutMap");
	qemu_listener_send(console, call);
}

static bool names_maps(sd_bus_message *answer)
{
	const char *name;
	bool found = false;

	qemu_check(sd_bus_message_enter_container(answer, 'v', "as"), "Interfaces");
	qemu_check(sd_bus_message_enter_container(answer, 'a', "s"), "Interfaces");
	while (sd_bus_message_read(answer, "s", &name) > 0)
		found = found || strcmp(name, MAP) == 0;
	return found;
}

static int on_interfaces(sd_bus_message *answer, void *context, sd_bus_error *error)
{
	QemuConsole *console = context;

	(void)error;
	if (sd_bus_message_is_method_error(answer, NULL))
		return 0; /* the listener has disconnected */
	console->takes_maps = names_maps(answer);
	console->listeners++;
	if (console->takes_maps && console->memory >= 0)
		show_map(console);
	return 0;
}

static int on_register(sd_bus_message *call, void *context, sd_bus_error *error)
{
	QemuConsole *console = context;
	int socket;

	if (console->refusals > 0) {
		console->refusals--;
		return sd_bus_error_set(error, "org.freedesktop.DBus.Error.InvalidArgs",
					"`p2p` is already registered!");
	}
	if (console->ignored > 0) {
		console->ignored--;
		console->listeners++;
		sd_bus_message_ref(call); /* leaked, so that its end of the listener stays open */
		return 1;
	}
	qemu_check(sd_bus_message_read(call, "h", &socket), "RegisterListener");
	qemu_listener_close(console);
	console->listener = qemu_serve_bus(sd_bus_get_event(sd_bus_message_get_bus(call)),
					   fcntl(socket, F_DUPFD_CLOEXEC, 0));
	qemu_check(sd_bus_call_method_async(console->listener, NULL, NULL, ROOT "/Listener",
					    "org.freedesktop.DBus.Properties", "Get", on_interfaces,
					    console, "ss", LISTENER, "Interfaces"),
		   "Interfaces");
	return sd_bus_reply_method_return(call, "");
}

/* ---- The VM and its consoles ---- */

static int get_label(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *context, sd_bus_error *error)
{
	char label[32];

	(void)bus, (void)path, (void)interface, (void)property, (void)error;
	snprintf(label, sizeof(label), "fake%u", ((const QemuConsole *)context)->number);
	return sd_bus_message_append(reply, "s", label);
}

static int get_console_ids(sd_bus *bus, const char *path, const char *interface,
			   const char *property, sd_bus_message *reply, void *context,
			   sd_bus_error *error)
{
	const QemuDisplay *display = context;
	uint32_t numbers[QEMU_CONSOLES_MAX];

	(void)bus, (void)path, (void)interface, (void)property, (void)error;
	for (size_t i = 0; i < display->console_count; i++)
		numbers[i] = display->consoles[i].number;
	return sd_bus_message_append_array(reply, 'u', numbers,
					   display->console_count * sizeof(numbers[0]));
}

#define OF_CONSOLE(field) offsetof(QemuConsole, field)

static const sd_bus_vtable console_methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("RegisterListener", "h", "", on_register, 0),
	SD_BUS_METHOD("SetUIInfo", "qqiiuu", "", qemu_on_set_ui_info, 0),
	SD_BUS_PROPERTY("Label", "s", get_label, 0, 0),
	SD_BUS_PROPERTY("Type", "s", NULL, OF_CONSOLE(type), 0),
	SD_BUS_PROPERTY("Width", "u", NULL, OF_CONSOLE(width), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Height", "u", NULL, OF_CONSOLE(height),
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};

static int on_touch(sd_bus_message *message, void *context, sd_bus_error *error)
{
	(void)context, (void)error;
	return sd_bus_reply_method_return(message, "");
}

static int get_max_slots(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *reply, void *context, sd_bus_error *error)
{
	(void)bus, (void)path, (void)interface, (void)property, (void)context, (void)error;
	return sd_bus_message_append(reply, "i", 10);
}

static const sd_bus_vtable touch_methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("SendEvent", "utdd", "", on_touch, 0),
	SD_BUS_PROPERTY("MaxSlots", "i", get_max_slots, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable machine_methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Name", "s", NULL, offsetof(QemuDisplay, name), 0),
	SD_BUS_PROPERTY("UUID", "s", NULL, offsetof(QemuDisplay, uuid), 0),
	SD_BUS_PROPERTY("ConsoleIDs", "au", get_console_ids, 0, 0),
	SD_BUS_VTABLE_END,
};

static void console_path(const QemuConsole *console, char path[static 48])
{
	snprintf(path, 48, ROOT "/Console_%u", console->number);
}

void qemu_display_join(QemuDisplay *display, int socket)
{
	char path[48];

	for (size_t i = 0; i < display->console_count; i++)
		qemu_listener_close(&display->consoles[i]);
	sd_bus_close_unref(display->bus);
	display->bus = qemu_serve_bus(display->event, socket);
	display->joins++;
	qemu_check(sd_bus_add_object_vtable(display->bus, NULL, ROOT "/VM", PREFIX ".VM",
					    machine_methods, display),
		   "VM");
	qemu_clipboard_join(display);
	qemu_sound_join(display);
	for (size_t i = 0; i < display->console_count; i++) {
		console_path(&display->consoles[i], path);
		qemu_check(sd_bus_add_object_vtable(display->bus, NULL, path, CONSOLE,
						    console_methods, &display->consoles[i]),
			   path);
		qemu_input_serve(display->bus, &display->consoles[i], path);
		qemu_check(sd_bus_add_object_vtable(display->bus, NULL, path, PREFIX ".MultiTouch",
						    touch_methods, NULL),
			   path);
	}
}

void qemu_console_resize(QemuDisplay *display, QemuConsole *console, uint32_t width,
			 uint32_t height)
{
	char path[48];

	console->width = width;
	console->height = height;
	console_path(console, path);
	if (display->bus)
		sd_bus_emit_properties_changed(display->bus, path, CONSOLE, "Width", "Height",
					       NULL);
}

void qemu_console_set_absolute(QemuDisplay *display, QemuConsole *console, bool is_absolute)
{
	char path[48];

	console_path(console, path);
	qemu_input_set_absolute(display->bus, console, path, is_absolute);
}

/* ---- The screen of a console ---- */

/* Makes memory as QEMU does: its size can change, because it is sealed against more seals. */
static int new_memory(size_t size)
{
	int memory = memfd_create("virtio-gpu res", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memory < 0 || ftruncate(memory, (off_t)size) < 0 ||
	    fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL) < 0)
		err(2, "memfd");
	return memory;
}

/* Closes the former memory after it has sent the new memory to the listener, as QEMU does. */
void qemu_console_map(QemuDisplay *display, QemuConsole *console, uint32_t width, uint32_t height)
{
	size_t former_size = (size_t)console->map_width * console->map_height * 4;
	size_t size = (size_t)width * height * 4;
	int former = console->memory;
	uint8_t *former_pixels = console->pixels;

	console->memory = new_memory(size);
	console->pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, console->memory, 0);
	if (console->pixels == MAP_FAILED)
		err(2, "mmap");
	for (size_t i = 0; i < size; i++)
		console->pixels[i] = (uint8_t)i;
	console->map_width = width;
	console->map_height = height;
	qemu_console_resize(display, console, width, height);
	if (console->takes_maps)
		show_map(console);
	if (former >= 0) {
		munmap(former_pixels, former_size);
		close(former);
	}
}

static uint32_t clamp(int64_t position, uint32_t size)
{
	return position < 0 ? 0 : position < size ? (uint32_t)position : size;
}

void qemu_console_draw(QemuConsole *console, const int32_t rectangle[static 4])
{
	uint32_t left = clamp(rectangle[0], console->map_width),
		 right = clamp((int64_t)rectangle[0] + rectangle[2], console->map_width),
		 top = clamp(rectangle[1], console->map_height),
		 bottom = clamp((int64_t)rectangle[1] + rectangle[3], console->map_height);
	struct timespec now;

	if (left >= right || top >= bottom)
		return;
	console->drawings++;
	uint8_t *first = console->pixels + ((size_t)top * console->map_width + left) * 4;
	for (uint32_t y = 0; y < bottom - top; y++)
		memset(first + (size_t)y * console->map_width * 4, (int)(console->drawings & 0xff),
		       (size_t)(right - left) * 4);
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (right - left >= 2)
		memcpy(first, &time, sizeof(time));
}

void qemu_console_notify(QemuConsole *console, const int32_t rectangle[static 4])
{
	sd_bus_message *call = qemu_listener_call(console, "UpdateMap");

	if (!call)
		return;
	qemu_check(sd_bus_message_append(call, "iiii", rectangle[0], rectangle[1], rectangle[2],
					 rectangle[3]),
		   "UpdateMap");
	qemu_listener_send(console, call);
}

void qemu_console_update(QemuConsole *console, const int32_t rectangle[static 4])
{
	if (console->memory >= 0)
		qemu_console_draw(console, rectangle);
	qemu_console_notify(console, rectangle);
}
