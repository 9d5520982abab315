/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/guest-channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client/common/client-list.h"
#include "client/common/display-names.h"
#include "client/common/user-message.h"
#include "client/vail-view/clock.h"
#include "proto/fd-util.h"
#include "proto/json.h"
#include "proto/macros.h"

/* Not in Debian 12's headers. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

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

/* Messages that may wait. Beyond that, an agent that calls the window has the channel closed. */
#define REPLIES_MAX 1024

void guest_channel_init(GuestChannel *channel, const char *path, const char *guid,
			unsigned int wanted)
{
	*channel = (GuestChannel){
		.path = path,
		.guid = guid,
		.wanted = wanted,
		.rights = VAIL_DISPLAY_VIEW,
		.retry_at = GUEST_CHANNEL_NEVER,
		.delay = FIRST_DELAY,
	};
}

void guest_channel_deinit(GuestChannel *channel)
{
	vail_close(TAKE_POINTER(channel->vail)); /* calls on_opened() */
	channel_bus_deinit(&channel->bus);
}

bool guest_channel_has(const GuestChannel *channel, unsigned int right)
{
	return channel->state == GUEST_CHANNEL_READY && channel->rights & right;
}

uint64_t guest_channel_unsent(const GuestChannel *channel)
{
	uint64_t count;

	return !channel->bus.bus || sd_bus_get_n_queued_write(channel->bus.bus, &count) < 0 ? 0
											    : count;
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

/* Closes the connection to the agent, which releases the held keys and buttons. */
static void close_bus(GuestChannel *channel, int64_t now)
{
	channel_bus_deinit(&channel->bus);
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

/* The first reply of the agent: a property of the mouse, or of the console without input. */
static int on_property(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	GuestChannel *channel = context;
	bool has_input = channel->rights & VAIL_DISPLAY_INPUT;
	const sd_bus_error *refusal = sd_bus_message_get_error(reply);

	(void)error;
	if (refusal || (has_input && read_is_absolute(channel, reply) < 0)) {
		if (refusal && starts_with(refusal->name, UNKNOWN))
			refuse(channel, LACK_CONSOLE, NULL);
		channel->is_broken = true;
	} else {
		channel->state = GUEST_CHANNEL_READY;
		channel->lack = has_input ? LACK_NOTHING : LACK_RIGHT;
		channel->had_rights |= channel->rights;
	}
	return 1;
}

static int ask_for_property(GuestChannel *channel)
{
	bool has_input = channel->rights & VAIL_DISPLAY_INPUT;

	return sd_bus_call_method_async(channel->bus.bus, NULL, NULL, channel->console,
					DISPLAY_PROPERTIES, "Get", on_property, channel, "ss",
					has_input ? DISPLAY_MOUSE : DISPLAY_CONSOLE,
					has_input ? "IsAbsolute" : "Label");
}

static int read_changes(GuestChannel *channel, sd_bus_message *signal)
{
	const char *interface, *name;
	int result = sd_bus_message_read(signal, "s", &interface);

	if (result < 0 || strcmp(interface, DISPLAY_MOUSE) != 0)
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

/*
 * Tests whether the message is a call of the window's clipboard, which is the only object that the
 * window may have on the bus.
 */
static bool is_clipboard_call(sd_bus_message *message)
{
	const char *path = sd_bus_message_get_path(message);

	return sd_bus_message_is_method_call(message, NULL, NULL) > 0 && path &&
	       strcmp(path, DISPLAY_CLIPBOARD_PATH) == 0;
}

/* Sees all messages but replies. */
static int on_message(sd_bus_message *message, void *context, sd_bus_error *error)
{
	GuestChannel *channel = context;
	const char *path = sd_bus_message_get_path(message);

	(void)error;
	if (is_clipboard_call(message)) {
		channel->is_broken =
			channel->is_broken || guest_channel_unsent(channel) > REPLIES_MAX;
		return channel->is_broken;
	}
	if (sd_bus_message_is_signal(message, DISPLAY_PROPERTIES, "PropertiesChanged") > 0 &&
	    path && strcmp(path, channel->console) == 0)
		read_changes(channel, message);
	return 1;
}

void guest_channel_refuse_fds(int socket)
{
	const int passes = 0;

	setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &passes, sizeof(passes));
}

/* Starts D-Bus on the socket. Takes ownership of it, also on failure. */
static int start_bus(GuestChannel *channel, int socket)
{
	guest_channel_refuse_fds(socket);
	int result = channel_bus_init_client(&channel->bus, socket, CHANNEL_MESSAGE_MAX);
	channel->openings++;
	if (result >= 0)
		result = sd_bus_add_filter(channel->bus.bus, NULL, on_message, channel);
	if (result >= 0)
		result = sd_bus_start(channel->bus.bus);
	if (result >= 0)
		result = ask_for_property(channel);
	return result;
}

/* Handles messages of the agent. Returns a negative errno if the connection has ended. */
static int process_bus(GuestChannel *channel)
{
	int result = 1;

	for (int i = 0; i < MESSAGES_A_TURN && result > 0 && !channel->is_broken; i++)
		result = channel_bus_process(&channel->bus);
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
		channel->may_have_more = channel->wanted & ~VAIL_DISPLAY_INPUT;
		return;
	}
	if (status == STATUS_INVALID_DEVICE_STATE) {
		refuse(channel, LACK_AGENT, NULL);
		return;
	}
	reason = vail ? message_refusal(vail, status, NULL) : NULL;
	refuse(channel, LACK_OTHER, reason ? reason : "out of memory");
}

/* Returns the rights of the channel that was opened. */
static unsigned int read_rights(const char *parameters)
{
	JsonParser *parser = json_parser_new();
	const char *problem;
	JsonValue *reply =
		parser ? json_parse(parser, parameters, strlen(parameters), &problem) : NULL;
	const JsonValue *display = json_member(reply, "display");
	unsigned int rights = display_rights_read(json_member(display, "rights"));

	json_free(reply);
	json_parser_free(parser);
	return rights;
}

void guest_channel_use(GuestChannel *channel, int socket, unsigned int rights)
{
	_cleanup_close_ int owned = socket;

	if (channel->bus.bus && !(rights & ~channel->rights))
		return; /* the new one is no better */
	channel_bus_deinit(&channel->bus);
	channel->is_broken = false;
	channel->rights = rights;
	if (!(rights & channel->wanted)) {
		refuse(channel, LACK_RIGHT, NULL);
		return;
	}
	channel->state = GUEST_CHANNEL_STARTING;
	if (owned >= 0 && start_bus(channel, TAKE_FD(owned)) >= 0)
		return;
	channel_bus_deinit(&channel->bus);
	refuse(channel, LACK_OTHER, "out of memory or file descriptors");
}

static bool on_opened(struct vail *vail, NTSTATUS status, const char *parameters, bool continues,
		      void *context)
{
	GuestChannel *channel = context;

	(void)continues;
	if (vail != channel->vail)
		return false; /* the handle is being closed */
	channel->is_answered = true;
	if (status == STATUS_SUCCESS)
		guest_channel_use(channel, vail_take_descriptor(vail, 0), read_rights(parameters));
	else if (!channel->bus.bus && status == STATUS_INVALID_DEVICE_STATE &&
		 !channel->is_about_input)
		channel->asks_again = true;
	else if (!channel->bus.bus)
		refuse_status(channel, vail, status);
	return true;
}

/*
 * Asks vaild for all rights that the user has. Without an agent, vaild names none. Then it is asked
 * for input alone, because a user who lacks that shall hear so, and is not waiting for an agent.
 */
static void ask(GuestChannel *channel)
{
	char parameters[160];

	snprintf(parameters, sizeof(parameters), "{\"virtualMachineGuid\":\"%s\"%s}", channel->guid,
		 channel->is_about_input ? ",\"rights\":[\"view\",\"input\"]" : "");
	channel->may_have_more = false;
	if (!channel->bus.bus)
		channel->state = GUEST_CHANNEL_ASKED;
	NTSTATUS status = vail_new(channel->path, &channel->vail);
	vail_set_resume(channel->vail, false);
	if (status == STATUS_SUCCESS)
		status = vail_submit(channel->vail, "io.vaild.Display.OpenDisplay", parameters,
				     false, on_opened, channel);
	if (status == STATUS_SUCCESS)
		return;
	if (!channel->bus.bus)
		refuse_status(channel, channel->vail, status);
	channel->is_answered = true;
}

/* Takes the answer of vaild, after on_opened(). */
static void finish_asking(GuestChannel *channel, int64_t now)
{
	channel->is_answered = false;
	vail_close(TAKE_POINTER(channel->vail));
	channel->is_about_input = channel->asks_again;
	channel->asks_again = false;
	if (channel->is_about_input) {
		ask(channel);
		return;
	}
	if (channel->state == GUEST_CHANNEL_STARTING)
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

/* Tests whether only a change of the rights can help. */
static bool is_hopeless(const GuestChannel *channel)
{
	return channel->lack == LACK_RIGHT && !channel->may_have_more;
}

/*
 * Shortens the delay after a failure, because an object was shared. An agent may share often, so
 * that starts no attempt at once, and leaves the delay after the next failure as it is.
 */
static void note_shares(GuestChannel *channel, uint64_t shares, int64_t now)
{
	if (shares == channel->shares_seen || is_hopeless(channel))
		return;
	channel->shares_seen = shares;
	if (channel->retry_at > now + FIRST_DELAY)
		channel->retry_at = now + FIRST_DELAY;
}

/* Asks for a channel with more rights if a right is missing. */
static void ask_for_more(GuestChannel *channel, uint64_t rights_seen)
{
	channel->rights_seen = rights_seen;
	if (channel->wanted & ~channel->rights)
		ask(channel);
}

void guest_channel_open_if_due(GuestChannel *channel, const char *name,
			       GuestChannelOccasions occasions, int64_t now)
{
	bool is_occasion = occasions.rights != channel->rights_seen;

	if (channel->state == GUEST_CHANNEL_READY && is_occasion && !channel->vail)
		ask_for_more(channel, occasions.rights);
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
	if (channel->state == GUEST_CHANNEL_CLOSED && !is_hopeless(channel))
		channel->retry_at = now;
}

void guest_channel_process(GuestChannel *channel, int64_t now)
{
	if (channel->vail && !channel->is_answered)
		vail_process(channel->vail); /* reports errors to on_opened() */
	if (channel->is_answered)
		finish_asking(channel, now);
	if (channel->bus.bus && process_bus(channel) < 0)
		close_bus(channel, now);
}

int64_t guest_channel_poll_for(const GuestChannel *channel, bool may_open,
			       struct pollfd ret_fds[GUEST_CHANNEL_FDS])
{
	int left;
	int64_t at = channel->state == GUEST_CHANNEL_CLOSED && may_open ? channel->retry_at
									: GUEST_CHANNEL_NEVER;

	ret_fds[0] = ret_fds[1] = (struct pollfd){ .fd = -1 };
	if (channel->is_answered)
		return 0;
	if (channel->vail)
		ret_fds[0] = (struct pollfd){ .fd = vail_descriptor(channel->vail),
					      .events = vail_events(channel->vail) };
	if (!channel->bus.bus)
		return at;
	left = channel_bus_poll_for(&channel->bus, true, &ret_fds[1]);
	return left < 0 ? at : now_milliseconds() + left;
}
