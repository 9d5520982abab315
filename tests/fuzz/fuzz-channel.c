/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what viewers send on display channels. The first byte of an input has the rights (bits
 * 0-4), whether the guest's mouse is absolute (bit 5), and whether the viewer authenticates as
 * D-Bus demands (bit 6) or the input says how. Each message is a byte that selects the method, and
 * then its arguments. The highest bit of that byte sends the rest of the input as it is instead.
 *
 * Without the right to input, QEMU gets nothing. At the end, no fd is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/channel.h"
#include "proto/macros.h"
#include "tests/fuzz/common/dbus-message.h"
#include "tests/fuzz/common/fake-agent.h"

#define VM           "/org/qemu/Display1/VM"
#define CONSOLE      "/org/qemu/Display1/Console_0"
#define PREFIX       "org.qemu.Display1"
#define PROPERTIES   "org.freedesktop.DBus.Properties"
#define RAW          (1 << 7)
#define MESSAGES_MAX 64
#define XRGB         0x20020888u

const char program_name[] = "fuzz";

static const struct {
	const char *path;
	const char *interface;
	const char *member;
	const char *signature;
} methods[] = {
	{ CONSOLE, PREFIX ".Console", "RegisterListener", "h" },
	{ CONSOLE, PREFIX ".Console", "SetUIInfo", "qqiiuu" },
	{ CONSOLE, PREFIX ".Keyboard", "Press", "u" },
	{ CONSOLE, PREFIX ".Keyboard", "Release", "u" },
	{ CONSOLE, PREFIX ".Mouse", "Press", "u" },
	{ CONSOLE, PREFIX ".Mouse", "Release", "u" },
	{ CONSOLE, PREFIX ".Mouse", "SetAbsPosition", "uu" },
	{ CONSOLE, PREFIX ".Mouse", "RelMotion", "ii" },
	{ CONSOLE, PREFIX ".MultiTouch", "SendEvent", "utdd" },
	{ CONSOLE, PROPERTIES, "GetAll", "s" },
	{ VM, PROPERTIES, "GetAll", "s" },
	{ CONSOLE, NULL, "Press", "u" },
	{ CONSOLE, "org.freedesktop.DBus.Introspectable", "Introspect", "" },
};

typedef struct Link {
	Agent agent;
	Display display;
	Channel *channel;
	int qemu;     /* QEMU's end of its display */
	int viewer;   /* the viewer's end of the channel */
	int listener; /* the viewer's end of its listener; -1 before it has one */
} Link;

/* ---- Messages ---- */

static void write_arguments(Buffer *body, const char *signature, Input *input)
{
	for (; *signature; signature++) {
		if (*signature == 't' || *signature == 'd')
			dbus_body_long_number(body, input_long_number(input));
		else if (*signature == 's')
			dbus_body_text(body, input_byte(input) & 1 ? PREFIX ".Keyboard" : "");
		else
			dbus_body_number(body, *signature == 'h' ? 0 : input_number(input));
	}
}

/* Two numbers of 16 bits fit into one of 32. */
static const char *wire_signature(const char *signature)
{
	return strcmp(signature, "qqiiuu") == 0 ? "uiiuu" : signature;
}

static void send_call(Link *link, uint8_t which, Input *input, uint32_t serial)
{
	size_t method = which % ARRAY_SIZE(methods);
	bool has_fd = methods[method].signature[0] == 'h';
	DbusHeader header = { .type = DBUS_CALL,
			      .path = methods[method].path,
			      .interface = methods[method].interface,
			      .member = methods[method].member,
			      .signature = methods[method].signature,
			      .fd_count = has_fd };
	Buffer body = BUFFER_INIT;
	int pair[2] = { -1, -1 };

	if (has_fd)
		fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				     pair) == 0);
	write_arguments(&body, wire_signature(header.signature), input);
	dbus_send(link->viewer, &header, serial,
		  (Input){ (const uint8_t *)buffer_head(&body), buffer_size(&body) }, pair);
	buffer_deinit(&body);
	if (!has_fd)
		return;
	close(pair[0]);
	if (link->listener >= 0)
		close(link->listener);
	link->listener = pair[1];
}

/* Sends the rest of the input on the listener's connection, if there is one, or on the channel. */
static void send_raw(const Link *link, Input *input)
{
	int fd = link->listener >= 0 && (input_byte(input) & 1) ? link->listener : link->viewer;
	Input rest = input_take(input, input->size);

	if (send(fd, rest.data, rest.size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		fuzz_must(errno == EAGAIN || errno == EPIPE);
}

static void say(int fd, const char *text, size_t size)
{
	fuzz_must(send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* ---- The link ---- */

static void show_screen(Link *link)
{
	static const uint8_t data[16 * 8 * 4];
	const Pixels pixels = { 16, 8, 64, XRGB, data, sizeof(data) };

	console_show_pixels(&link->display.consoles[0].console, &pixels);
}

static void link_init(Link *link, uint8_t how)
{
	static const char hello[] = "\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
	int pair[2];

	*link = (Link){ .listener = -1 };
	fake_agent_init(&link->agent);
	fuzz_must(link_open(&link->display.link, dbus_connection(&link->qemu), 0,
			    &wait_system_clock));
	link->display.uuid = strdup("af0dcd1a-a0fd-59a0-998e-cad0c3834a2c");
	link->display.consoles = calloc(1, sizeof(*link->display.consoles));
	link->display.console_count = 1;
	link->display.has_asked = true;
	DisplayConsole *console = link->display.consoles;
	console_init(&console->console, 0, &link->agent);
	strcpy(console->path, CONSOLE);
	console->properties.has_multitouch = true;
	console->properties.is_absolute = how >> 5 & 1;
	show_screen(link);
	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	link->viewer = pair[1];
	link->channel =
		channel_open(pair[0], "0", (how & 31) | VAIL_DISPLAY_VIEW, &link->display, "fuzz");
	fuzz_must(link->channel != NULL);
	if (how >> 6 & 1)
		say(link->viewer, hello, sizeof(hello) - 1);
}

static void turn(Link *link)
{
	channel_note(link->channel);
	channel_process(link->channel, true, 1);
}

/* Reads everything that QEMU has got. Returns the number of bytes. */
static size_t heard_by_qemu(const Link *link)
{
	char bytes[4096];
	size_t size = 0;
	ssize_t count;

	while ((count = recv(link->qemu, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		size += (size_t)count;
	return size;
}

static void link_deinit(Link *link)
{
	channel_close(link->channel);
	display_deinit(&link->display);
	fuzz_must(LIST_EMPTY(&link->agent.surfaces));
	close(link->qemu);
	close(link->viewer);
	if (link->listener >= 0)
		close(link->listener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	uint8_t how = input_byte(&input);
	Link link;

	fuzz_silence();
	size_t before = fuzz_count_fds();
	link_init(&link, how);
	heard_by_qemu(&link);
	for (uint32_t serial = 1; serial <= MESSAGES_MAX && input.size > 0; serial++) {
		uint8_t which = input_byte(&input);

		if (which & RAW)
			send_raw(&link, &input);
		else
			send_call(&link, which, &input, serial);
		turn(&link);
		if (link.channel->is_ended)
			break;
	}
	turn(&link);
	size_t heard = heard_by_qemu(&link);
	fuzz_must(heard == 0 || (how & VAIL_DISPLAY_INPUT));
	link_deinit(&link);
	fuzz_must(fuzz_count_fds() == before);
	return 0;
}
