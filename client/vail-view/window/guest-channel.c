/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/guest-channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/common/user-message.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

/* Names of QEMU's display. */
#define DISPLAY_ROOT "/org/qemu/Display1"
#define CONSOLE      "org.qemu.Display1.Console"
#define KEYBOARD     "org.qemu.Display1.Keyboard"
#define MOUSE        "org.qemu.Display1.Mouse"
#define PROPERTIES   "org.freedesktop.DBus.Properties"

/* The names of errors about an object or interface that is not there begin with this. */
#define UNKNOWN "org.freedesktop.DBus.Error.Unknown"

/*
 * Delays after failures, in milliseconds. Each is twice as long as the one before. After the
 * longest one, only an occasion or the user starts another attempt, so that an idle window does
 * nothing.
 */
#define FIRST_DELAY 250
#define LAST_DELAY  32000

/* A channel that ends sooner counts as a failure, so that an agent cannot keep the window busy. */
#define SHORT_LIFE 2000

/* Messages that are handled in one turn, so that an agent cannot stop the drawing. */
#define MESSAGES_A_TURN 64

/* Calls that may wait for the agent to read. Beyond that, presses are dropped. */
#define CALLS_MAX 256

void guest_channel_init(GuestChannel *channel, const char *path, const char *guid)
{
	*channel = (GuestChannel){
		.path = path,
		.guid = guid,
		.retry_at = GUEST_CHANNEL_NEVER,
		.delay = FIRST_DELAY,
	};
}

void guest_channel_deinit(GuestChannel *channel)
{
	vail_close(TAKE_POINTER(channel->vail)); /* calls on_opened() */
	channel->bus = sd_bus_close_unref(channel->bus);
}

/* ---- The end of a channel ---- */

static void schedule_retry(GuestChannel *channel, int64_t now)
{
	bool gives_up = channel->delay > LAST_DELAY;

	channel->retry_at = gives_up ? GUEST_CHANNEL_NEVER : now + channel->delay;
	channel->delay *= gives_up ? 1 : 2;
}

static void refuse(GuestChannel *channel, GuestChannelLack lack, const char *reason)
{
	channel->state = GUEST_CHANNEL_CLOSED;
	channel->lack = lack;
	snprintf(channel->reason, sizeof(channel->reason), "%s", reason ? reason : "");
}

/* Closes the connection to the agent, which releases what is held down. */
static void close_bus(GuestChannel *channel, int64_t now)
{
	channel->bus = sd_bus_close_unref(channel->bus);
	channel->is_broken = false;
	if (channel->state == GUEST_CHANNEL_READY && now - channel->opened_at >= SHORT_LIFE) {
		channel->delay = FIRST_DELAY;
		channel->retry_at = now;
	} else {
		schedule_retry(channel, now);
	}
	if (channel->state != GUEST_CHANNEL_CLOSED)
		refuse(channel, LACK_NOTHING, NULL);
}

/* ---- The agent ---- */

/* Reads the property of a mouse, after its name. */
static int read_is_absolute(GuestChannel *channel, sd_bus_message *message)
{
	int is_absolute;
	int result = sd_bus_message_read(message, "v", "b", &is_absolute);

	if (result >= 0)
		channel->is_absolute = is_absolute;
	return result;
}

static bool starts_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* The first reply of the agent. */
static int on_mouse(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	GuestChannel *channel = context;

	const sd_bus_error *refusal = sd_bus_message_get_error(reply);

	(void)error;
	if (refusal || read_is_absolute(channel, reply) < 0) {
		if (refusal && starts_with(refusal->name, UNKNOWN))
			refuse(channel, LACK_CONSOLE, NULL);
		channel->is_broken = true;
	} else {
		channel->state = GUEST_CHANNEL_READY;
		channel->lack = LACK_NOTHING;
		channel->had_right = true;
	}
	return 1;
}

static int read_changes(GuestChannel *channel, sd_bus_message *signal)
{
	const char *interface, *name;
	int result = sd_bus_message_read(signal, "s", &interface);

	if (result < 0 || strcmp(interface, MOUSE) != 0)
		return result;
	result = sd_bus_message_enter_container(signal, 'a', "{sv}");
	while (result >= 0 && (result = sd_bus_message_enter_container(signal, 'e', "sv")) > 0) {
		result = sd_bus_message_read(signal, "s", &name);
		if (result >= 0)
			result = strcmp(name, "IsAbsolute") == 0 ? read_is_absolute(channel, signal)
								 : sd_bus_message_skip(signal, "v");
		if (result >= 0)
			result = sd_bus_message_exit_container(signal);
	}
	return result;
}

/* Sees all messages but replies. The window has nothing that an agent could call. */
static int on_message(sd_bus_message *message, void *context, sd_bus_error *error)
{
	GuestChannel *channel = context;
	const char *path = sd_bus_message_get_path(message);

	(void)error;
	if (sd_bus_message_is_signal(message, PROPERTIES, "PropertiesChanged") > 0 && path &&
	    strcmp(path, channel->console) == 0)
		read_changes(channel, message);
	return 1;
}

/* Starts D-Bus on the socket. Takes ownership of it, also on failure. */
static int start_bus(GuestChannel *channel, int socket)
{
	_cleanup_close_ int owned = socket;
	int result = sd_bus_new(&channel->bus);

	if (result >= 0)
		result = sd_bus_set_fd(channel->bus, owned, owned);
	if (result < 0)
		return result;
	TAKE_FD(owned);
	/* vaild has made the socket, and so the agent accepts whoever has it. */
	result = sd_bus_set_anonymous(channel->bus, true);
	if (result >= 0)
		result = sd_bus_add_filter(channel->bus, NULL, on_message, channel);
	if (result >= 0)
		result = sd_bus_start(channel->bus);
	if (result >= 0)
		result = sd_bus_call_method_async(channel->bus, NULL, NULL, channel->console,
						  PROPERTIES, "Get", on_mouse, channel, "ss", MOUSE,
						  "IsAbsolute");
	return result;
}

/* Handles messages of the agent. Returns a negative errno if the connection has ended. */
static int process_bus(GuestChannel *channel)
{
	int result = 1;

	for (int i = 0; i < MESSAGES_A_TURN && result > 0 && !channel->is_broken; i++)
		result = sd_bus_process(channel->bus, NULL);
	return channel->is_broken ? -ECONNRESET : result;
}

/* ---- vaild ---- */

/* Tests whether vaild has refused a right, and not the VM. */
static bool is_about_rights(const struct vail *vail, NTSTATUS status)
{
	const char *parameter = vail_error_parameter(vail);

	return status == STATUS_ACCESS_DENIED && parameter && strcmp(parameter, "rights") == 0;
}

static void refuse_status(GuestChannel *channel, const struct vail *vail, NTSTATUS status)
{
	_cleanup_free_ char *reason = NULL;

	if (is_about_rights(vail, status)) {
		refuse(channel, LACK_RIGHT, NULL);
		return;
	}
	if (status == STATUS_INVALID_DEVICE_STATE) {
		refuse(channel, LACK_AGENT, NULL);
		return;
	}
	reason = vail ? message_refusal(vail, status, NULL) : NULL;
	refuse(channel, LACK_OTHER, reason ? reason : "out of memory");
}

static bool on_opened(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		      void *context)
{
	GuestChannel *channel = context;

	(void)parameters;
	(void)continues;
	if (vail != channel->vail)
		return false; /* the handle is being closed */
	channel->is_answered = true;
	if (status != STATUS_SUCCESS) {
		refuse_status(channel, vail, status);
		return true;
	}
	int socket = vail_take_descriptor(vail, 0);
	channel->state = GUEST_CHANNEL_STARTING;
	if (socket < 0 || start_bus(channel, socket) < 0) {
		channel->bus = sd_bus_close_unref(channel->bus);
		refuse(channel, LACK_OTHER, "out of memory or file descriptors");
	}
	return true;
}

static void ask(GuestChannel *channel)
{
	char parameters[160];

	snprintf(parameters, sizeof(parameters),
		 "{\"virtualMachineGuid\":\"%s\",\"rights\":[\"view\",\"input\"]}", channel->guid);
	channel->state = GUEST_CHANNEL_ASKED;
	NTSTATUS status = vail_new(channel->path, &channel->vail);
	vail_set_resume(channel->vail, false);
	if (status == STATUS_SUCCESS)
		status = vail_submit(channel->vail, "io.vaild.Display.OpenDisplay", parameters,
				     false, on_opened, channel);
	if (status == STATUS_SUCCESS)
		return;
	refuse_status(channel, channel->vail, status);
	channel->is_answered = true;
}

/* Takes the answer of vaild, after on_opened(). */
static void finish_asking(GuestChannel *channel, int64_t now)
{
	channel->is_answered = false;
	vail_close(TAKE_POINTER(channel->vail));
	channel->opened_at = now;
	if (channel->state != GUEST_CHANNEL_CLOSED)
		return;
	if (channel->lack == LACK_RIGHT)
		channel->retry_at = GUEST_CHANNEL_NEVER; /* a change of the rights is an occasion */
	else
		schedule_retry(channel, now);
}

/* ---- Opening ---- */

/* Sets the path of the console that the picture shows. */
static void find_console(GuestChannel *channel, const char *name)
{
	unsigned int number;
	char end;

	channel->console[0] = '\0';
	if (sscanf(name, "console %u%c", &number, &end) == 1)
		snprintf(channel->console, CONSOLE_PATH_SIZE, DISPLAY_ROOT "/Console_%u", number);
}

/*
 * Shortens the delay after a failure, because an object was shared. An agent may share often, so
 * that starts no attempt at once, and leaves the delay after the next failure as it is.
 */
static void note_shares(GuestChannel *channel, uint64_t shares, int64_t now)
{
	if (shares == channel->shares_seen || channel->lack == LACK_RIGHT)
		return;
	channel->shares_seen = shares;
	if (channel->retry_at > now + FIRST_DELAY)
		channel->retry_at = now + FIRST_DELAY;
}

void guest_channel_open_if_due(GuestChannel *channel, const char *name,
			       GuestChannelOccasions occasions, int64_t now)
{
	bool is_occasion = occasions.rights != channel->rights_seen;

	if (channel->state != GUEST_CHANNEL_CLOSED || channel->vail)
		return;
	note_shares(channel, occasions.shares, now);
	if (!is_occasion && now < channel->retry_at)
		return;
	if (is_occasion)
		channel->delay = FIRST_DELAY;
	channel->rights_seen = occasions.rights;
	channel->shares_seen = occasions.shares;
	channel->retry_at = GUEST_CHANNEL_NEVER;
	find_console(channel, name);
	if (*channel->console)
		ask(channel);
	else
		refuse(channel, LACK_CONSOLE, NULL);
}

void guest_channel_retry(GuestChannel *channel, int64_t now)
{
	if (channel->state == GUEST_CHANNEL_CLOSED && channel->lack != LACK_RIGHT)
		channel->retry_at = now;
}

void guest_channel_process(GuestChannel *channel, int64_t now)
{
	if (channel->vail && !channel->is_answered)
		vail_process(channel->vail); /* reports errors to on_opened() */
	if (channel->is_answered)
		finish_asking(channel, now);
	if (channel->bus && process_bus(channel) < 0)
		close_bus(channel, now);
}

int64_t guest_channel_poll_for(const GuestChannel *channel, bool may_open,
			       struct pollfd ret_fds[GUEST_CHANNEL_FDS])
{
	uint64_t microseconds;
	int64_t at = channel->state == GUEST_CHANNEL_CLOSED && may_open ? channel->retry_at
									: GUEST_CHANNEL_NEVER;

	ret_fds[0] = ret_fds[1] = (struct pollfd){ .fd = -1 };
	if (channel->is_answered)
		return 0;
	if (channel->vail)
		ret_fds[0] = (struct pollfd){ .fd = vail_descriptor(channel->vail),
					      .events = vail_events(channel->vail) };
	if (!channel->bus)
		return at;
	ret_fds[1] = (struct pollfd){ .fd = sd_bus_get_fd(channel->bus),
				      .events = (short)sd_bus_get_events(channel->bus) };
	if (sd_bus_get_timeout(channel->bus, &microseconds) > 0 && microseconds != UINT64_MAX)
		at = (int64_t)(microseconds / 1000) + 1;
	return at;
}

/* ---- Input ---- */

static uint64_t unsent(const GuestChannel *channel)
{
	uint64_t count;

	return sd_bus_get_n_queued_write(channel->bus, &count) < 0 ? 0 : count;
}

bool guest_channel_is_idle(const GuestChannel *channel)
{
	return channel->state == GUEST_CHANNEL_READY && unsent(channel) == 0;
}

/* Sends a call without a reply. The arguments have these types. */
static void call(GuestChannel *channel, const char *interface, const char *member,
		 const char *types, ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
	va_list arguments;

	if (channel->state != GUEST_CHANNEL_READY || channel->is_broken)
		return;
	int result = sd_bus_message_new_method_call(channel->bus, &message, NULL, channel->console,
						    interface, member);
	if (result >= 0)
		result = sd_bus_message_set_expect_reply(message, 0);
	va_start(arguments, types);
	if (result >= 0)
		result = sd_bus_message_appendv(message, types, arguments);
	va_end(arguments);
	if (result >= 0)
		result = sd_bus_send(channel->bus, message, NULL);
	channel->is_broken = result < 0; /* guest_channel_process() closes it */
}

void guest_channel_key(GuestChannel *channel, uint8_t code, bool is_down)
{
	if (!is_down)
		call(channel, KEYBOARD, "Release", "u", (uint32_t)code);
	else if (channel->bus && unsent(channel) < CALLS_MAX)
		call(channel, KEYBOARD, "Press", "u", (uint32_t)code);
}

void guest_channel_button(GuestChannel *channel, GuestButton button, bool is_down)
{
	if (!is_down)
		call(channel, MOUSE, "Release", "u", (uint32_t)button);
	else if (channel->bus && unsent(channel) < CALLS_MAX)
		call(channel, MOUSE, "Press", "u", (uint32_t)button);
}

void guest_channel_position(GuestChannel *channel, Point point)
{
	call(channel, MOUSE, "SetAbsPosition", "uu", (uint32_t)point.x, (uint32_t)point.y);
}

void guest_channel_motion(GuestChannel *channel, Point distance)
{
	call(channel, MOUSE, "RelMotion", "ii", distance.x, distance.y);
}

/* The size in millimetres is unknown, so QEMU uses its usual density. */
void guest_channel_size(GuestChannel *channel, Size size)
{
	call(channel, CONSOLE, "SetUIInfo", "qqiiuu", 0, 0, 0, 0, (uint32_t)size.width,
	     (uint32_t)size.height);
}
