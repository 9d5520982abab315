/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what viewers send on display channels. The first byte of an input has the rights (bits
 * 0-4), whether the guest's mouse is absolute (bit 5), whether the viewer authenticates as D-Bus
 * demands (bit 6) or the input says how, and whether the guest has a text to paste (bit 7). Each
 * message is a byte that selects the method, and then its arguments, or it is the viewer's reply
 * with the text of its clipboard. The highest bit of that byte sends the rest of the input as it is
 * instead.
 *
 * Without the rights to input and to the clipboard, QEMU gets nothing for them. What vail-qemu
 * keeps of a viewer's clipboard is valid text, and little of its microphone. At the end, no fd is
 * left.
 */
#include <errno.h>
#include <sched.h>
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
#define AUDIO        "/org/qemu/Display1/Audio"
#define CLIPBOARD    "/org/qemu/Display1/Clipboard"
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
	{ CLIPBOARD, PREFIX ".Clipboard", "Register", "" },
	{ CLIPBOARD, PREFIX ".Clipboard", "Unregister", "" },
	{ CLIPBOARD, PREFIX ".Clipboard", "Grab", "uuas" },
	{ CLIPBOARD, PREFIX ".Clipboard", "Release", "u" },
	{ CLIPBOARD, PREFIX ".Clipboard", "Request", "uas" },
	{ AUDIO, PREFIX ".Audio", "RegisterOutListener", "h" },
	{ AUDIO, PREFIX ".Audio", "RegisterInListener", "h" },
};

/* The number of the reply, before that of the last method. */
#define REPLY (ARRAY_SIZE(methods) - 1)

typedef struct Link {
	Agent agent;
	Display display;
	Clipboard clipboard;
	GuestSound sounds[SOUND_DIRECTIONS];
	Channel *channel;
	int qemu;     /* QEMU's end of its display */
	int viewer;   /* the viewer's end of the channel */
	int listener; /* the viewer's end of its listener; -1 before it has one */
} Link;

/* ---- Messages ---- */

/* Writes an array with one text. The signature is at "as". */
static void write_mimes(Buffer *body, const char **signature, Input *input)
{
	const char *mime = input_byte(input) & 1 ? "image/png" : CLIPBOARD_MIME;

	dbus_body_number(body, (uint32_t)(4 + strlen(mime) + 1));
	dbus_body_text(body, mime);
	++*signature;
}

static void write_arguments(Buffer *body, const char *signature, Input *input)
{
	for (; *signature; signature++) {
		if (*signature == 't' || *signature == 'd')
			dbus_body_long_number(body, input_long_number(input));
		else if (*signature == 'a')
			write_mimes(body, &signature, input);
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

/* Sends the viewer's text, as the reply to the call with a serial of the input. */
static void send_text(const Link *link, Input *input, uint32_t serial)
{
	uint32_t reply_to = input_byte(input) % 16u + 1;
	size_t size = input_number(input) % (2 * CHANNEL_MESSAGE_MAX);
	Input pattern = input_take(input, input_byte(input) % 8u);
	DbusHeader header = { .type = DBUS_REPLY, .reply_to = reply_to, .signature = "say" };
	Buffer body = BUFFER_INIT;

	dbus_body_text(&body, input_byte(input) & 1 ? "text/plain" : CLIPBOARD_MIME);
	dbus_body_bytes(&body, pattern, pattern.size > 0 ? size : 0);
	dbus_send(link->viewer, &header, serial,
		  (Input){ (const uint8_t *)buffer_head(&body), buffer_size(&body) }, NULL);
	buffer_deinit(&body);
}

static void send_call(Link *link, uint8_t which, Input *input, uint32_t serial)
{
	size_t method = which % (ARRAY_SIZE(methods) + 1);

	if (method == REPLY) {
		send_text(link, input, serial);
		return;
	}
	if (method > REPLY)
		method--;
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
	clipboard_init(&link->clipboard, &link->display);
	link->clipboard.state = CLIPBOARD_JOINED;
	for (SoundDirection i = 0; i < SOUND_DIRECTIONS; i++) {
		guest_sound_init(&link->sounds[i], &link->display, i);
		link->sounds[i].state = SOUND_JOINED;
		link->sounds[i].streams[0] = (SoundStream){ .id = 1,
							    .bits = 16,
							    .bytes_per_frame = 2,
							    .bytes_per_second = 88200,
							    .is_enabled = true,
							    .has_volume = true };
		link->sounds[i].stream_count = 1;
	}
	link->clipboard.content = how >> 7 & 1 ? CLIPBOARD_OF_GUEST : CLIPBOARD_EMPTY;
	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	link->viewer = pair[1];
	const ChannelGuest guest = { &link->display, &link->clipboard, link->sounds, "fuzz" };
	link->channel = channel_open(pair[0], "0", (how & 31) | VAIL_DISPLAY_VIEW, &guest);
	fuzz_must(link->channel != NULL);
	if (how >> 6 & 1)
		say(link->viewer, hello, sizeof(hello) - 1);
}

/* The guest reads from the microphone. */
static void check_record(ChannelSound *sound)
{
	char data[4410];
	size_t count = channel_sound_record(sound, &sound->guest->streams[0], data, sizeof(data));

	fuzz_must(count <= sizeof(data) && count % 2 == 0);
	fuzz_must(buffer_size(&sound->record) <= 88200 / 5);
}

static void turn(Link *link)
{
	const ClipboardText *text = &link->channel->clipboard.text;

	channel_note(link->channel);
	if (link->channel->sounds[SOUND_PLAYED])
		channel_sound_write(link->channel->sounds[SOUND_PLAYED], 1, "sound", 5);
	if (link->channel->sounds[SOUND_RECORDED])
		check_record(link->channel->sounds[SOUND_RECORDED]);
	channel_process(link->channel, true, 1);
	fuzz_must(!text->bytes || clipboard_text_is_valid(text->bytes, text->size));
}

/* Reads everything that QEMU has got into the buffer. */
static void read_as_qemu(const Link *link, Buffer *heard)
{
	char bytes[4096];
	ssize_t count;

	while ((count = recv(link->qemu, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		fuzz_must(buffer_append(heard, bytes, (size_t)count));
}

static bool has_text(const Buffer *heard, const char *text)
{
	return memmem(buffer_head(heard), buffer_size(heard), text, strlen(text));
}

/* Checks that QEMU has got nothing to which the viewer has no right. */
static void check_heard(const Link *link, unsigned int rights)
{
	Buffer heard = BUFFER_INIT;

	read_as_qemu(link, &heard);
	fuzz_must(rights & VAIL_DISPLAY_INPUT || !has_text(&heard, CONSOLE));
	fuzz_must(rights & VAIL_DISPLAY_CLIPBOARD || !has_text(&heard, CLIPBOARD));
	fuzz_must(rights & (VAIL_DISPLAY_INPUT | VAIL_DISPLAY_CLIPBOARD) ||
		  buffer_size(&heard) == 0);
	buffer_deinit(&heard);
}

static void link_deinit(Link *link)
{
	channel_close(link->channel);
	clipboard_deinit(&link->clipboard);
	for (size_t i = 0; i < SOUND_DIRECTIONS; i++)
		guest_sound_deinit(&link->sounds[i]);
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
	Buffer hello = BUFFER_INIT;
	Link link;

	fuzz_silence();
	size_t before = fuzz_count_fds();
	link_init(&link, how);
	read_as_qemu(&link, &hello);
	buffer_deinit(&hello);
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
	check_heard(&link, how);
	link_deinit(&link);
	while (close_aside_count() > 0)
		sched_yield();
	fuzz_must(fuzz_count_fds() == before);
	return 0;
}
