/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-input.h"

#include <errno.h>
#include <math.h>

#include "client/common/display-names.h"
#include "proto/macros.h"

/* The kinds of MultiTouch.SendEvent. */
enum { TOUCH_BEGIN, TOUCH_UPDATE, TOUCH_END, TOUCH_CANCEL, TOUCH_DATA };

/* ---- Calls of QEMU, which sends no reply ---- */

static int begin_call(const ChannelInput *input, const char *interface, const char *member,
		      sd_bus_message **ret)
{
	const DisplayLink *link = &input->display->link;
	int result = sd_bus_message_new_method_call(link->bus, ret, link->peer,
						    input->console->path, interface, member);

	return result < 0 ? result : sd_bus_message_set_expect_reply(*ret, 0);
}

static int send_number(const ChannelInput *input, const char *interface, const char *member,
		       uint32_t number)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(input, interface, member, &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "u", number);
	return result < 0 ? result : sd_bus_send(input->display->link.bus, call, NULL);
}

static int send_touch(const ChannelInput *input, uint32_t kind, uint64_t slot)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(input, DISPLAY_MULTITOUCH, "SendEvent", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "utdd", kind, slot, input->touch_x[slot],
					       input->touch_y[slot]);
	return result < 0 ? result : sd_bus_send(input->display->link.bus, call, NULL);
}

/* Ends a call of the viewer. result: a negative errno if QEMU's display cannot be called. */
static int reply(sd_bus_message *message, int result)
{
	return result < 0 ? result : sd_bus_reply_method_return(message, "");
}

static int refuse(sd_bus_error *error, const char *reason)
{
	return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, reason);
}

/* ---- Keyboard ---- */

static int read_key(sd_bus_message *message, uint32_t *ret, sd_bus_error *error)
{
	int result = sd_bus_message_read(message, "u", ret);

	if (result >= 0 && (*ret == 0 || *ret >= INPUT_KEYS))
		return refuse(error, "a key has a number from 1 to 255");
	return result;
}

static int on_key_press(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelInput *input = context;
	uint32_t key;
	int result = read_key(message, &key, error);

	if (result < 0)
		return result;
	input->keys[key / 8] |= (uint8_t)(1u << key % 8);
	channel_clipboard_note_input(input->clipboard);
	return reply(message, send_number(input, DISPLAY_KEYBOARD, "Press", key));
}

/* Releases the key in QEMU if this viewer holds it down; another viewer may hold it too. */
static int release_key(ChannelInput *input, uint32_t key)
{
	const uint8_t bit = (uint8_t)(1u << key % 8);

	if (!(input->keys[key / 8] & bit))
		return 0;
	input->keys[key / 8] &= (uint8_t)~bit;
	return send_number(input, DISPLAY_KEYBOARD, "Release", key);
}

static int on_key_release(sd_bus_message *message, void *context, sd_bus_error *error)
{
	uint32_t key;
	int result = read_key(message, &key, error);

	return result < 0 ? result : reply(message, release_key(context, key));
}

static int get_modifiers(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *message, void *context, sd_bus_error *error)
{
	const ChannelInput *input = context;

	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	return sd_bus_message_append(message, "u", input->console->properties.modifiers);
}

#define METHOD(name, arguments, handler) \
	SD_BUS_METHOD(name, arguments, "", handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable keyboard[] = {
	SD_BUS_VTABLE_START(0),
	METHOD("Press", "u", on_key_press),
	METHOD("Release", "u", on_key_release),
	SD_BUS_PROPERTY("Modifiers", "u", get_modifiers, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};

/* ---- Mouse ---- */

static int read_button(sd_bus_message *message, uint32_t *ret, sd_bus_error *error)
{
	int result = sd_bus_message_read(message, "u", ret);

	if (result >= 0 && *ret >= INPUT_BUTTONS)
		return refuse(error, "a button has a number from 0 to 8");
	return result;
}

static int on_button_press(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelInput *input = context;
	uint32_t button;
	int result = read_button(message, &button, error);

	if (result < 0)
		return result;
	input->buttons |= (uint16_t)(1u << button);
	channel_clipboard_note_input(input->clipboard);
	return reply(message, send_number(input, DISPLAY_MOUSE, "Press", button));
}

static int release_button(ChannelInput *input, uint32_t button)
{
	const uint16_t bit = (uint16_t)(1u << button);

	if (!(input->buttons & bit))
		return 0;
	input->buttons &= (uint16_t)~bit;
	return send_number(input, DISPLAY_MOUSE, "Release", button);
}

static int on_button_release(sd_bus_message *message, void *context, sd_bus_error *error)
{
	uint32_t button;
	int result = read_button(message, &button, error);

	return result < 0 ? result : reply(message, release_button(context, button));
}

/* The size of the console, or the largest one if QEMU has not said it. */
static uint32_t width_of(const DisplayConsole *console)
{
	return console->properties.width ? console->properties.width : INPUT_SIZE_MAX;
}

static uint32_t height_of(const DisplayConsole *console)
{
	return console->properties.height ? console->properties.height : INPUT_SIZE_MAX;
}

static int on_position(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const ChannelInput *input = context;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	uint32_t x, y;
	int result = sd_bus_message_read(message, "uu", &x, &y);

	if (result < 0)
		return result;
	if (!input->console->properties.is_absolute)
		return refuse(error, "the guest's mouse is relative; use RelMotion");
	if (x >= width_of(input->console) || y >= height_of(input->console))
		return refuse(error, "the position is outside the console");
	result = begin_call(input, DISPLAY_MOUSE, "SetAbsPosition", &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "uu", x, y);
	if (result >= 0)
		result = sd_bus_send(input->display->link.bus, call, NULL);
	return reply(message, result);
}

static bool is_motion(int32_t distance)
{
	return distance >= -INPUT_MOTION_MAX && distance <= INPUT_MOTION_MAX;
}

static int on_motion(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const ChannelInput *input = context;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int32_t x, y;
	int result = sd_bus_message_read(message, "ii", &x, &y);

	if (result < 0)
		return result;
	if (input->console->properties.is_absolute)
		return refuse(error, "the guest's mouse is absolute; use SetAbsPosition");
	if (!is_motion(x) || !is_motion(y))
		return refuse(error, "a motion has at most 32767 pixels");
	result = begin_call(input, DISPLAY_MOUSE, "RelMotion", &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "ii", x, y);
	if (result >= 0)
		result = sd_bus_send(input->display->link.bus, call, NULL);
	return reply(message, result);
}

static int get_is_absolute(sd_bus *bus, const char *path, const char *interface,
			   const char *property, sd_bus_message *message, void *context,
			   sd_bus_error *error)
{
	const ChannelInput *input = context;

	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	return sd_bus_message_append(message, "b", (int)input->console->properties.is_absolute);
}

static const sd_bus_vtable mouse[] = {
	SD_BUS_VTABLE_START(0),
	METHOD("Press", "u", on_button_press),
	METHOD("Release", "u", on_button_release),
	METHOD("SetAbsPosition", "uu", on_position),
	METHOD("RelMotion", "ii", on_motion),
	SD_BUS_PROPERTY("IsAbsolute", "b", get_is_absolute, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};

/* ---- Touch screen ---- */

static bool is_inside(double position, uint32_t size)
{
	return isfinite(position) && position >= 0 && position < size;
}

static int on_touch(sd_bus_message *message, void *context, sd_bus_error *error)
{
	ChannelInput *input = context;
	uint32_t kind;
	uint64_t slot;
	double x, y;
	int result = sd_bus_message_read(message, "utdd", &kind, &slot, &x, &y);

	if (result < 0)
		return result;
	if (kind > TOUCH_DATA || slot >= INPUT_TOUCHES)
		return refuse(error, "a touch has a kind from 0 to 4 and a slot from 0 to 9");
	if (!is_inside(x, width_of(input->console)) || !is_inside(y, height_of(input->console)))
		return refuse(error, "the position is outside the console");
	input->touch_x[slot] = x;
	input->touch_y[slot] = y;
	if (kind == TOUCH_BEGIN) {
		input->touches |= (uint16_t)(1u << slot);
		channel_clipboard_note_input(input->clipboard);
	} else if (kind == TOUCH_END || kind == TOUCH_CANCEL) {
		input->touches &= (uint16_t) ~(1u << slot);
	}
	return reply(message, send_touch(input, kind, slot));
}

static int get_max_slots(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *message, void *context, sd_bus_error *error)
{
	const ChannelInput *input = context;

	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	return sd_bus_message_append(message, "i", input->console->properties.max_slots);
}

static const sd_bus_vtable multitouch[] = {
	SD_BUS_VTABLE_START(0),
	METHOD("SendEvent", "utdd", on_touch),
	SD_BUS_PROPERTY("MaxSlots", "i", get_max_slots, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

/* ---- All ---- */

int channel_input_set_ui_info(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const ChannelInput *input = context;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	uint16_t width_mm, height_mm;
	int32_t x, y;
	uint32_t width, height;
	int result = sd_bus_message_read(message, "qqiiuu", &width_mm, &height_mm, &x, &y, &width,
					 &height);

	if (result < 0)
		return result;
	if (width > INPUT_SIZE_MAX || height > INPUT_SIZE_MAX || !is_motion(x) || !is_motion(y))
		return refuse(error, "a screen has at most 32768 pixels in each direction");
	result = begin_call(input, DISPLAY_CONSOLE, "SetUIInfo", &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "qqiiuu", width_mm, height_mm, x, y, width,
					       height);
	if (result >= 0)
		result = sd_bus_send(input->display->link.bus, call, NULL);
	return reply(message, result);
}

int channel_input_serve(sd_bus *bus, ChannelInput *input)
{
	const char *path = input->console->path;
	int result = sd_bus_add_object_vtable(bus, NULL, path, DISPLAY_KEYBOARD, keyboard, input);

	if (result >= 0)
		result = sd_bus_add_object_vtable(bus, NULL, path, DISPLAY_MOUSE, mouse, input);
	if (result >= 0 && input->console->properties.has_multitouch)
		result = sd_bus_add_object_vtable(bus, NULL, path, DISPLAY_MULTITOUCH, multitouch,
						  input);
	return result;
}

void channel_input_release_all(ChannelInput *input)
{
	for (uint32_t key = 1; key < INPUT_KEYS; key++)
		release_key(input, key);
	for (uint32_t button = 0; button < INPUT_BUTTONS; button++)
		release_button(input, button);
	for (uint64_t slot = 0; slot < INPUT_TOUCHES; slot++)
		if (input->touches & 1u << slot)
			send_touch(input, TOUCH_END, slot);
	input->touches = 0;
}
