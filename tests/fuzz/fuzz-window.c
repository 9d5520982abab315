/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what an agent sends to the window of vail-view on its display channel, and on the
 * connections of its listeners for sound and microphone. The first byte of an input has the rights
 * (bits 0-4), whether the window has the focus (bit 5), whether the agent accepts the window as
 * D-Bus demands (bit 6) or the input says how, and whether the desktop has a text (bit 7). Each
 * message is a byte that selects the method, and then its arguments; it can also be a reply, a
 * change of the mouse, or an event of the desktop. The highest bit of that byte sends the rest of
 * the input as it is instead.
 *
 * The target plays the desktop: it defines the functions of SDL for clipboard and sound.
 *
 * Without the right to it, the agent gets no text, nothing is recorded, and the desktop gets
 * neither text nor sound. A text reaches the desktop only with the focus. Little waits in memory.
 * At the end, no fd and no sound device is left.
 */
#include <SDL.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"
#include "client/vail-view/window/desktop-clipboard.h"
#include "client/vail-view/window/microphone.h"
#include "client/vail-view/window/sound.h"
#include "proto/macros.h"
#include "tests/fuzz/common/dbus-message.h"

#define RAW          (1 << 7)
#define MESSAGES_MAX 64
#define GREETING     "OK 0123456789abcdef0123456789abcdef\r\n"
#define SECRET       "a text of the desktop"

/* Messages to the agent that may wait, of each connection. */
#define UNSENT_MAX 2048

const char program_name[] = "fuzz";

/* ---- The desktop ---- */

/* An output for each stream, a microphone, and the number 0, which none has. */
#define DEVICES (AUDIO_STREAMS + 2)

static struct {
	unsigned int rights; /* of the channel */
	bool has_focus;
	bool has_text;
	SDL_Window *window;
	uint32_t queued[DEVICES];     /* bytes that the device with this number has */
	uint64_t queued_max[DEVICES]; /* bytes of SOUND_LATENCY, and of the lead */
	bool is_open[DEVICES];
} desktop;

SDL_Window *SDL_GetKeyboardFocus(void)
{
	return desktop.has_focus ? desktop.window : NULL;
}

void SDL_PumpEvents(void)
{
}

char *SDL_GetClipboardText(void)
{
	return SDL_strdup(desktop.has_text ? SECRET : "");
}

int SDL_SetClipboardText(const char *text)
{
	fuzz_must(desktop.rights & VAIL_DISPLAY_CLIPBOARD);
	fuzz_must(desktop.has_focus);
	fuzz_must(clipboard_text_is_valid(text, strlen(text)));
	desktop.has_text = false;
	return 0;
}

int SDL_InitSubSystem(Uint32 flags)
{
	(void)flags;
	return 0;
}

void SDL_QuitSubSystem(Uint32 flags)
{
	(void)flags;
}

SDL_AudioDeviceID SDL_OpenAudioDevice(const char *device, int is_capture,
				      const SDL_AudioSpec *wanted, SDL_AudioSpec *ret_got,
				      int changes)
{
	SDL_AudioDeviceID id = 1;

	(void)device, (void)ret_got, (void)changes;
	fuzz_must(desktop.rights &
		  (is_capture ? VAIL_DISPLAY_AUDIO_INPUT : VAIL_DISPLAY_AUDIO_OUTPUT));
	fuzz_must(wanted->channels >= 1 && wanted->channels <= SOUND_CHANNELS);
	fuzz_must(wanted->freq >= 1000 && wanted->freq <= 384000);
	while (id < DEVICES && desktop.is_open[id])
		id++;
	fuzz_must(id < DEVICES);
	desktop.is_open[id] = true;
	desktop.queued_max[id] = (uint64_t)wanted->freq * (SOUND_LATENCY + SOUND_LEAD) / 1000 *
				 wanted->channels * sizeof(float);
	desktop.queued[id] = is_capture ? 100000 : 0;
	return id;
}

void SDL_PauseAudioDevice(SDL_AudioDeviceID id, int pauses)
{
	fuzz_must(desktop.is_open[id] && !pauses);
}

int SDL_QueueAudio(SDL_AudioDeviceID id, const void *data, Uint32 size)
{
	fuzz_must(desktop.is_open[id] && data);
	desktop.queued[id] += size;
	fuzz_must(desktop.queued[id] <= desktop.queued_max[id]);
	return 0;
}

Uint32 SDL_GetQueuedAudioSize(SDL_AudioDeviceID id)
{
	return desktop.queued[id];
}

Uint32 SDL_DequeueAudio(SDL_AudioDeviceID id, void *ret_data, Uint32 size)
{
	Uint32 count = size < desktop.queued[id] ? size : desktop.queued[id];

	fuzz_must(desktop.is_open[id]);
	memset(ret_data, 0x3f, count);
	desktop.queued[id] -= count;
	return count;
}

void SDL_ClearQueuedAudio(SDL_AudioDeviceID id)
{
	desktop.queued[id] = 0;
}

void SDL_CloseAudioDevice(SDL_AudioDeviceID id)
{
	fuzz_must(desktop.is_open[id]);
	desktop.is_open[id] = false;
}

/* The user does something with the desktop. */
static void act_on_desktop(uint8_t what)
{
	desktop.has_focus = what & 1;
	desktop.has_text = what >> 1 & 1;
	for (size_t i = 0; what & 4 && i < ARRAY_SIZE(desktop.queued); i++)
		desktop.queued[i] = 0; /* it was played */
}

/* ---- Messages ---- */

static const struct {
	const char *path;
	const char *interface;
	const char *member;
	const char *signature;
} methods[] = {
	{ DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD, "Register", "" },
	{ DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD, "Unregister", "" },
	{ DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD, "Grab", "uuas" },
	{ DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD, "Release", "u" },
	{ DISPLAY_CLIPBOARD_PATH, DISPLAY_CLIPBOARD, "Request", "uas" },
	{ DISPLAY_CLIPBOARD_PATH, "org.freedesktop.DBus.Introspectable", "Introspect", "" },
	{ DISPLAY_CLIPBOARD_PATH, DISPLAY_PROPERTIES, "GetAll", "s" },
	{ DISPLAY_ROOT, "org.freedesktop.DBus.Peer", "Ping", "" },
	{ DISPLAY_SOUND_LISTENER_PATH, DISPLAY_SOUND_LISTENER, "Init", "tybbuyuub" },
	{ DISPLAY_SOUND_LISTENER_PATH, DISPLAY_SOUND_LISTENER, "Fini", "t" },
	{ DISPLAY_SOUND_LISTENER_PATH, DISPLAY_SOUND_LISTENER, "SetEnabled", "tb" },
	{ DISPLAY_SOUND_LISTENER_PATH, DISPLAY_SOUND_LISTENER, "SetVolume", "tbay" },
	{ DISPLAY_SOUND_LISTENER_PATH, DISPLAY_SOUND_LISTENER, "Write", "tay" },
	{ DISPLAY_MICROPHONE_PATH, DISPLAY_MICROPHONE, "Init", "tybbuyuub" },
	{ DISPLAY_MICROPHONE_PATH, DISPLAY_MICROPHONE, "Fini", "t" },
	{ DISPLAY_MICROPHONE_PATH, DISPLAY_MICROPHONE, "SetEnabled", "tb" },
	{ DISPLAY_MICROPHONE_PATH, DISPLAY_MICROPHONE, "SetVolume", "tbay" },
	{ DISPLAY_MICROPHONE_PATH, DISPLAY_MICROPHONE, "Read", "tt" },
};

/* Numbers of what an input can select after the methods. */
enum {
	SELECT_TEXT = ARRAY_SIZE(methods), /* a reply with a text */
	SELECT_REPLY,                      /* an empty one */
	SELECT_ERROR,
	SELECT_MOUSE, /* a reply or a signal with the property of the mouse */
	SELECT_DESKTOP,
	SELECT_COUNT,
};

typedef struct Link {
	GuestChannel channel;
	DesktopClipboard clipboard;
	Sound sound;
	Microphone microphone;
	Notice notice;
	int agent;        /* the agent's end of the channel */
	int listeners[2]; /* the agent's ends of those for sound and microphone; -1 without one */
	uint32_t serial;
} Link;

static void write_mimes(Buffer *body, Input *input)
{
	const char *mime = input_byte(input) & 1 ? "image/png" : CLIPBOARD_MIME;

	dbus_body_number(body, (uint32_t)(4 + strlen(mime) + 1));
	dbus_body_text(body, mime);
}

static void write_bytes(Buffer *body, Input *input)
{
	size_t size = input_number(input) % (2 * CHANNEL_MESSAGE_MAX);
	Input pattern = input_take(input, input_byte(input) % 8u);

	dbus_body_bytes(body, pattern, pattern.size > 0 ? size : 0);
}

static void write_argument(Buffer *body, char type, Input *input)
{
	uint8_t byte;

	switch (type) {
	case 't':
		dbus_body_long_number(body, input_byte(input));
		break;
	case 'b':
		dbus_body_number(body, input_byte(input) & 1);
		break;
	case 'y':
		byte = input_byte(input);
		fuzz_must(buffer_append(body, &byte, 1));
		break;
	case 's':
		dbus_body_text(body, input_byte(input) & 1 ? DISPLAY_CLIPBOARD : "");
		break;
	default:
		dbus_body_number(body, input_number(input));
	}
}

static void write_arguments(Buffer *body, const char *signature, Input *input)
{
	for (; *signature; signature++) {
		if (*signature != 'a')
			write_argument(body, *signature, input);
		else if (*++signature == 's')
			write_mimes(body, input);
		else
			write_bytes(body, input);
	}
}

static void send_message(Link *link, int fd, const DbusHeader *header, Buffer *body)
{
	dbus_send(fd, header, ++link->serial,
		  (Input){ (const uint8_t *)buffer_head(body), buffer_size(body) }, NULL);
	buffer_deinit(body);
}

static void send_call(Link *link, size_t method, Input *input)
{
	const DbusHeader header = { .type = DBUS_CALL,
				    .path = methods[method].path,
				    .interface = methods[method].interface,
				    .member = methods[method].member,
				    .signature = methods[method].signature };
	Buffer body = BUFFER_INIT;
	int fd = link->agent;

	if (strcmp(header.path, DISPLAY_SOUND_LISTENER_PATH) == 0 && link->listeners[0] >= 0)
		fd = link->listeners[0];
	if (strcmp(header.path, DISPLAY_MICROPHONE_PATH) == 0 && link->listeners[1] >= 0)
		fd = link->listeners[1];
	write_arguments(&body, header.signature, input);
	send_message(link, fd, &header, &body);
}

/* Writes "b", and the changed properties around it if it is a signal. */
static void write_mouse(Buffer *body, bool is_signal, Input *input)
{
	static const char variant[] = { 1, 'b', '\0' };

	if (is_signal) {
		dbus_body_text(body, DISPLAY_MOUSE);
		dbus_body_number(body, 28); /* the size of the array, which begins at offset 32 */
		while (buffer_size(body) % 8 != 0)
			fuzz_must(buffer_append(body, "", 1));
		dbus_body_text(body, "IsAbsolute");
	}
	fuzz_must(buffer_append(body, variant, sizeof(variant)));
	dbus_body_number(body, input_byte(input) & 1);
	if (is_signal)
		dbus_body_number(body, 0); /* no property without a value */
}

static void send_signal(Link *link, Input *input)
{
	const DbusHeader header = { .type = DBUS_SIGNAL,
				    .path = link->channel.console,
				    .interface = DISPLAY_PROPERTIES,
				    .member = "PropertiesChanged",
				    .signature = "sa{sv}as" };
	Buffer body = BUFFER_INIT;

	write_mouse(&body, true, input);
	send_message(link, link->agent, &header, &body);
}

/* Sends a reply to the call with a serial of the input. */
static void send_reply(Link *link, size_t kind, Input *input)
{
	uint8_t serial = input_byte(input);
	DbusHeader header = { .type = DBUS_REPLY, .reply_to = serial % 16u + 1, .signature = "" };
	Buffer body = BUFFER_INIT;

	if (kind == SELECT_MOUSE && serial & 1 << 7) {
		send_signal(link, input);
		return;
	}
	if (kind == SELECT_MOUSE) {
		header.signature = "v";
		write_mouse(&body, false, input);
	} else if (kind == SELECT_TEXT) {
		header.signature = "say";
		dbus_body_text(&body, CLIPBOARD_MIME);
		write_bytes(&body, input);
	} else if (kind == SELECT_ERROR) {
		header.type = DBUS_ERROR;
		header.error = "org.freedesktop.DBus.Error.UnknownObject";
	}
	send_message(link, link->agent, &header, &body);
}

/* Sends the rest of the input on a listener's connection, if there is one, or on the channel. */
static void send_raw(const Link *link, Input *input)
{
	uint8_t which = input_byte(input) % 3;
	int fd = which < 2 && link->listeners[which] >= 0 ? link->listeners[which] : link->agent;
	Input rest = input_take(input, input->size);

	if (send(fd, rest.data, rest.size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		fuzz_must(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
}

static void send_next(Link *link, Input *input)
{
	uint8_t which = input_byte(input);
	size_t selected = which % SELECT_COUNT;

	if (which & RAW)
		send_raw(link, input);
	else if (selected < ARRAY_SIZE(methods))
		send_call(link, selected, input);
	else if (selected == SELECT_DESKTOP)
		act_on_desktop(input_byte(input));
	else
		send_reply(link, selected, input);
}

/* ---- The link ---- */

/* Accepts the window, which has not closed the connection yet or has. */
static void greet(int fd, const char *greeting)
{
	fuzz_must(send(fd, greeting, strlen(greeting), MSG_NOSIGNAL) > 0 || errno == EPIPE);
}

static void use_listener(Link *link, size_t which, int fd)
{
	if (link->listeners[which] >= 0)
		close(link->listeners[which]);
	link->listeners[which] = fd;
	greet(fd, GREETING);
}

/* Reads what the window has sent: the fds of listeners, and no text without the right. */
static void read_as_agent(Link *link)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	static char bytes[2 * CHANNEL_MESSAGE_MAX];
	struct iovec vector = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr header = { .msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	ssize_t count;
	int fd;

	while ((count = recvmsg(link->agent, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) > 0) {
		const struct cmsghdr *part = CMSG_FIRSTHDR(&header);

		fuzz_must(desktop.rights & VAIL_DISPLAY_CLIPBOARD ||
			  !memmem(bytes, (size_t)count, SECRET, strlen(SECRET)));
		if (part && part->cmsg_type == SCM_RIGHTS) {
			memcpy(&fd, CMSG_DATA(part), sizeof(fd));
			use_listener(link, memmem(bytes, (size_t)count, "RegisterIn", 10) != NULL,
				     fd);
		}
		header.msg_controllen = sizeof(control);
	}
}

static void link_init(Link *link, uint8_t how)
{
	static const unsigned int wanted =
		VAIL_DISPLAY_INPUT | VAIL_DISPLAY_CLIPBOARD | VAIL_DISPLAY_AUDIO_OUTPUT;
	int pair[2];

	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	link->agent = pair[1];
	memset(&desktop, 0, sizeof(desktop));
	desktop.rights = (how & 31) | VAIL_DISPLAY_VIEW;
	desktop.window = (SDL_Window *)&desktop;
	desktop.has_focus = how >> 5 & 1;
	desktop.has_text = how >> 7 & 1;
	link->listeners[0] = link->listeners[1] = -1;
	if (how >> 6 & 1)
		greet(link->agent, GREETING "AGREE_UNIX_FD\r\n");
	guest_channel_init(&link->channel, NULL, "", wanted);
	strcpy(link->channel.console, DISPLAY_ROOT "/Console_0");
	desktop_clipboard_init(&link->clipboard, &link->channel, desktop.window, &link->notice,
			       true);
	sound_init(&link->sound, &link->channel, &link->notice, true);
	microphone_init(&link->microphone, &link->channel, &link->notice, true);
	guest_channel_use(&link->channel, pair[0], desktop.rights);
}

/* Tests whether little waits in memory. */
static bool is_short(const ChannelBus *bus)
{
	uint64_t unread = 0, unsent = 0;

	if (!bus->bus)
		return true;
	sd_bus_get_n_queued_read(bus->bus, &unread);
	sd_bus_get_n_queued_write(bus->bus, &unsent);
	return unread <= 1 && unsent <= UNSENT_MAX;
}

static void turn(Link *link)
{
	guest_channel_process(&link->channel, 1);
	desktop_clipboard_process(&link->clipboard);
	sound_process(&link->sound, now_milliseconds());
	microphone_process(&link->microphone, now_milliseconds());
	read_as_agent(link);
	fuzz_must(is_short(&link->channel.bus) && is_short(&link->sound.listener.bus) &&
		  is_short(&link->microphone.listener.bus));
}

static void link_deinit(Link *link)
{
	microphone_deinit(&link->microphone);
	sound_deinit(&link->sound);
	desktop_clipboard_deinit(&link->clipboard);
	guest_channel_deinit(&link->channel);
	for (size_t i = 0; i < ARRAY_SIZE(desktop.is_open); i++)
		fuzz_must(!desktop.is_open[i]);
	close(link->agent);
	for (size_t i = 0; i < ARRAY_SIZE(link->listeners); i++)
		if (link->listeners[i] >= 0)
			close(link->listeners[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	Link link = { 0 };

	fuzz_silence();
	size_t before = fuzz_count_fds();
	link_init(&link, input_byte(&input));
	for (size_t i = 0; i < MESSAGES_MAX && input.size > 0 && link.channel.bus.bus; i++) {
		send_next(&link, &input);
		turn(&link);
	}
	turn(&link);
	link_deinit(&link);
	while (close_aside_count() > 0)
		sched_yield();
	fuzz_must(fuzz_count_fds() == before);
	return 0;
}
