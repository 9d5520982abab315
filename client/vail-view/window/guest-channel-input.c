/* SPDX-License-Identifier: MIT */
/* The input that the window sends on its display channel. */
#include <stdarg.h>

#include "client/common/display-names.h"
#include "client/vail-view/window/guest-channel.h"
#include "proto/macros.h"

/* Calls that may wait for the agent to read. Beyond that, presses are dropped. */
#define CALLS_MAX 256

bool guest_channel_is_idle(const GuestChannel *channel)
{
	return guest_channel_has(channel, VAIL_DISPLAY_INPUT) && guest_channel_unsent(channel) == 0;
}

/* Sends a call without a reply. The arguments have these types. */
static void call(GuestChannel *channel, const char *interface, const char *member,
		 const char *types, ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
	va_list arguments;

	if (!guest_channel_has(channel, VAIL_DISPLAY_INPUT) || channel->is_broken)
		return;
	int result = sd_bus_message_new_method_call(channel->bus.bus, &message, NULL,
						    channel->console, interface, member);
	if (result >= 0)
		result = sd_bus_message_set_expect_reply(message, 0);
	va_start(arguments, types);
	if (result >= 0)
		result = sd_bus_message_appendv(message, types, arguments);
	va_end(arguments);
	if (result >= 0)
		result = sd_bus_send(channel->bus.bus, message, NULL);
	channel->is_broken = result < 0; /* guest_channel_process() closes it */
}

void guest_channel_key(GuestChannel *channel, uint8_t code, bool is_down)
{
	if (!is_down)
		call(channel, DISPLAY_KEYBOARD, "Release", "u", (uint32_t)code);
	else if (guest_channel_unsent(channel) < CALLS_MAX)
		call(channel, DISPLAY_KEYBOARD, "Press", "u", (uint32_t)code);
}

void guest_channel_button(GuestChannel *channel, GuestButton button, bool is_down)
{
	if (!is_down)
		call(channel, DISPLAY_MOUSE, "Release", "u", (uint32_t)button);
	else if (guest_channel_unsent(channel) < CALLS_MAX)
		call(channel, DISPLAY_MOUSE, "Press", "u", (uint32_t)button);
}

void guest_channel_position(GuestChannel *channel, Point point)
{
	call(channel, DISPLAY_MOUSE, "SetAbsPosition", "uu", (uint32_t)point.x, (uint32_t)point.y);
}

void guest_channel_motion(GuestChannel *channel, Point distance)
{
	call(channel, DISPLAY_MOUSE, "RelMotion", "ii", distance.x, distance.y);
}

/* The size in millimetres is unknown, so QEMU uses its usual density. */
void guest_channel_size(GuestChannel *channel, Size size)
{
	call(channel, DISPLAY_CONSOLE, "SetUIInfo", "qqiiuu", 0, 0, 0, 0, (uint32_t)size.width,
	     (uint32_t)size.height);
}
