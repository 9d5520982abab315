/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the calls with which QEMU shows a console. Each call of an input is a byte that selects
 * the method, and then its arguments: 4 bytes for a number, 8 for a long one, and 2 bytes for the
 * size of an array. The highest bit of the first byte sends the rest of the input as the body
 * instead.
 *
 * After each call, the rectangles of the damage are inside the surface, the surface is inside its
 * memory, and only buffers of one mode are shared. At the end, no fd is left, and none was closed
 * twice.
 */
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/listener.h"
#include "proto/macros.h"
#include "tests/fuzz/common/dbus-message.h"
#include "tests/fuzz/common/fake-agent.h"

#define PATH      "/org/qemu/Display1/Listener"
#define INTERFACE "org.qemu.Display1.Listener"
#define MAP       INTERFACE ".Unix.Map"
#define RAW       (1 << 7)
#define CALLS_MAX 64

const char program_name[] = "fuzz";

static const struct {
	const char *interface;
	const char *member;
	const char *signature;
} methods[] = {
	{ INTERFACE, "Scanout", "uuuuay" },
	{ INTERFACE, "Update", "iiiiuuay" },
	{ INTERFACE, "ScanoutDMABUF", "huuuutb" },
	{ INTERFACE, "UpdateDMABUF", "iiii" },
	{ INTERFACE, "Disable", "" },
	{ INTERFACE, "MouseSet", "iii" },
	{ INTERFACE, "CursorDefine", "iiiiay" },
	{ MAP, "ScanoutMap", "huuuuu" },
	{ MAP, "UpdateMap", "iiii" },
	{ "org.freedesktop.DBus.Properties", "GetAll", "s" },
};

typedef struct Link {
	Agent agent;
	Console console;
	sd_bus *bus;
	int server;
	int memory; /* the fd that comes with a call */
} Link;

static void check_surface(const Surface *surface)
{
	for (size_t i = 0; i < surface->damage.count; i++) {
		const VailRectangle *damage = &surface->damage.rectangles[i];

		fuzz_must(surface_is_shown(surface));
		fuzz_must(damage->width > 0 && damage->height > 0);
		fuzz_must((uint64_t)damage->x + damage->width <= surface->object.width);
		fuzz_must((uint64_t)damage->y + damage->height <= surface->object.height);
	}
}

/* Only the current buffer has damage, and the others are of its mode. */
static void check_buffers(const ScreenBuffers *buffers)
{
	const VailObject *current = &buffers_surface(buffers)->object;

	fuzz_must(!buffers_surface(buffers)->is_idle);
	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++) {
		const Surface *surface = &buffers->items[i].surface;

		check_surface(surface);
		if (surface == buffers_surface(buffers) || !surface_is_shown(surface))
			continue;
		fuzz_must(surface->is_idle && surface->damage.count == 0);
		fuzz_must(surface->object.width == current->width &&
			  surface->object.height == current->height &&
			  surface->object.format == current->format);
	}
}

/* Writes an argument of each type in the signature. */
static void write_arguments(Buffer *body, const char *signature, Input *input)
{
	for (; *signature; signature++) {
		switch (*signature) {
		case 'h':
			dbus_body_number(body, 0);
			break;
		case 't':
			dbus_body_long_number(body, input_long_number(input));
			break;
		case 's':
			dbus_body_text(body, INTERFACE);
			break;
		case 'b':
			dbus_body_number(body, input_byte(input) & 1);
			break;
		case 'a':
			dbus_body_bytes(body, *input,
					input_byte(input) | (size_t)input_byte(input) << 8);
			signature++;
			break;
		default:
			dbus_body_number(body, input_number(input));
		}
	}
}

static void send_call(Link *link, uint8_t which, Input *input, uint32_t serial)
{
	size_t method = (which & ~RAW) % ARRAY_SIZE(methods);
	const char *signature = methods[method].signature;
	DbusHeader header = {
		.type = DBUS_CALL,
		.path = PATH,
		.interface = methods[method].interface,
		.member = methods[method].member,
		.signature = signature,
		.fd_count = signature[0] == 'h' ? 1 : 0,
	};
	Buffer body = BUFFER_INIT;

	if (which & RAW) {
		Input rest = input_take(input, input->size);

		fuzz_must(buffer_append(&body, rest.data, rest.size));
	} else {
		write_arguments(&body, signature, input);
	}
	dbus_send(link->server, &header, serial,
		  (Input){ (const uint8_t *)buffer_head(&body), buffer_size(&body) },
		  &link->memory);
	buffer_deinit(&body);
}

/* Handles all messages. Returns false if the listener has closed the connection. */
static bool process(sd_bus *bus)
{
	int result;

	do
		result = sd_bus_process(bus, NULL);
	while (result > 0);
	return result == 0;
}

static void link_init(Link *link)
{
	int socket = dbus_connection(&link->server);

	fake_agent_init(&link->agent);
	console_init(&link->console, 0, &link->agent);
	link->memory = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_must(link->memory >= 0 && ftruncate(link->memory, 65536) == 0);
	fuzz_must(sd_bus_new(&link->bus) >= 0 && sd_bus_set_fd(link->bus, socket, socket) >= 0 &&
		  sd_bus_start(link->bus) >= 0);
	fuzz_must(listener_serve(link->bus, &link->console) >= 0);
	/* The bus accepts no fds before it has read the greeting. */
	fuzz_must(process(link->bus));
}

static void link_deinit(Link *link)
{
	console_deinit(&link->console);
	sd_bus_close_unref(link->bus);
	close(link->server);
	close(link->memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	Link link = { 0 };
	bool is_connected = true;

	fuzz_silence();
	size_t before = fuzz_count_fds();
	link_init(&link);
	for (uint32_t serial = 1; serial <= CALLS_MAX && input.size > 0 && is_connected; serial++) {
		send_call(&link, input_byte(&input), &input, serial);
		is_connected = process(link.bus);
		check_buffers(&link.console.screen);
		check_buffers(&link.console.cursor);
	}
	link_deinit(&link);
	fuzz_must(fuzz_count_fds() == before);
	return 0;
}
