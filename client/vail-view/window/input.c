/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/input.h"

#include <stdio.h>

#include "client/vail-view/clock.h"
#include "client/vail-view/window/key-codes.h"

/* Time for which the window says why the guest gets no input, in milliseconds. */
#define SAID_FOR 8000

/* Steps of the wheel that one event can have. */
#define WHEEL_MAX 16

static bool is_ready(const Input *input)
{
	return guest_channel_has(&input->channel, VAIL_DISPLAY_INPUT);
}

/* The user has tried to use the guest in vain. Says why, and tries to open a channel. */
static void complain(Input *input)
{
	int64_t now = now_milliseconds();

	guest_channel_retry(&input->channel, now);
	input->said_until = now + SAID_FOR;
}

/* ---- Keys ---- */

static void send_key(void *context, uint8_t code, bool is_down)
{
	Input *input = context;

	if (is_ready(input))
		guest_channel_key(&input->channel, code, is_down);
	else if (is_down && !keyboard_is_modifier(code))
		complain(input);
}

static WindowRequested handle_press(Input *input, const SDL_KeyboardEvent *key)
{
	const SDL_Keysym *symbol = &key->keysym;
	uint8_t code = key_code((int)symbol->scancode);

	if (key->repeat) {
		if (is_ready(input)) /* otherwise, the press has said why not */
			keyboard_repeat(&input->keyboard, code);
		return REQUESTED_NOTHING;
	}
	if (!keyboard_press(&input->keyboard, code, window_has_shortcut(symbol),
			    now_milliseconds()))
		return REQUESTED_NOTHING;
	return window_obey(input->window, symbol);
}

/* ---- Grabbing ---- */

/* Tests whether motions of the pointer belong to the guest. */
static bool has_motions(const Input *input)
{
	return input->is_grabbed && is_ready(input) && !input->channel.is_absolute;
}

static void set_grab(Input *input, bool is_grabbed)
{
	input->is_grabbed = is_grabbed;
	SDL_SetWindowKeyboardGrab(input->window->window, is_grabbed);
	SDL_SetRelativeMouseMode(has_motions(input));
	input->motion_x = input->motion_y = 0;
}

void input_toggle_grab(Input *input)
{
	if (is_ready(input))
		set_grab(input, !input->is_grabbed);
	else
		complain(input);
}

/* ---- The pointer ---- */

/* Tests whether the guest gets the pointer where it is. */
static bool has_pointer(const Input *input)
{
	return is_ready(input) && (input->channel.is_absolute || input->is_grabbed);
}

/* Returns the part of a motion that can be sent at once, and subtracts it. */
static int32_t take_motion(int64_t *motion)
{
	int64_t part = *motion;

	if (part > GUEST_MOTION_MAX)
		part = GUEST_MOTION_MAX;
	if (part < -GUEST_MOTION_MAX)
		part = -GUEST_MOTION_MAX;
	*motion -= part;
	return (int32_t)part;
}

/* Sends where the pointer is, or how far it has moved. */
static void send_pointer(Input *input)
{
	if (input->channel.is_absolute && input->has_position)
		guest_channel_position(&input->channel, input->position);
	input->has_position = false;
	while (has_motions(input) && (input->motion_x != 0 || input->motion_y != 0))
		guest_channel_motion(&input->channel, (Point){ take_motion(&input->motion_x),
							       take_motion(&input->motion_y) });
}

/* Only the last position counts, and distances add up, until the agent has read the ones before. */
static void note_motion(Input *input, const SDL_MouseMotionEvent *motion)
{
	if (has_motions(input)) {
		input->motion_x += motion->xrel;
		input->motion_y += motion->yrel;
	} else if (window_picture_point(input->window, motion->x, motion->y, &input->position)) {
		input->has_position = true;
	}
}

/* Returns QEMU's number of SDL's button, or -1. */
static int button_number(uint8_t button)
{
	switch (button) {
	case SDL_BUTTON_LEFT:
		return BUTTON_LEFT;
	case SDL_BUTTON_MIDDLE:
		return BUTTON_MIDDLE;
	case SDL_BUTTON_RIGHT:
		return BUTTON_RIGHT;
	case SDL_BUTTON_X1:
		return BUTTON_SIDE;
	case SDL_BUTTON_X2:
		return BUTTON_EXTRA;
	default:
		return -1;
	}
}

static void release_button(Input *input, GuestButton button)
{
	if (!(input->buttons & 1u << button))
		return;
	input->buttons &= (uint16_t) ~(1u << button);
	guest_channel_button(&input->channel, button, false);
}

/* A click into a picture with a relative pointer only grabs it. */
static void press_button(Input *input, GuestButton button, const SDL_MouseButtonEvent *event)
{
	if (!is_ready(input)) {
		complain(input);
		return;
	}
	if (!has_pointer(input)) {
		set_grab(input, true);
		return;
	}
	if (window_picture_point(input->window, event->x, event->y, &input->position))
		input->has_position = true;
	send_pointer(input);
	keyboard_flush(&input->keyboard);
	input->buttons |= (uint16_t)(1u << button);
	guest_channel_button(&input->channel, button, true);
}

/*
 * SDL can miss the release of a button after the focus is lost. It then does not report the next
 * press, but only its release.
 */
static bool has_missed_press(Input *input, GuestButton button)
{
	bool is_stale = input->stale & 1u << button;

	input->stale &= (uint16_t) ~(1u << button);
	return is_stale && SDL_GetKeyboardFocus() == input->window->window;
}

static void handle_button(Input *input, const SDL_MouseButtonEvent *event)
{
	int number = button_number(event->button);
	GuestButton button = (GuestButton)number;

	if (number < 0)
		return;
	bool is_press = event->state == SDL_PRESSED;
	if (has_missed_press(input, button) || is_press)
		press_button(input, button, event);
	if (is_press)
		return;
	send_pointer(input);
	release_button(input, button);
}

/* Turns the wheel: each step is a press and a release. */
static void turn(Input *input, int steps, GuestButton button)
{
	for (int i = 0; i < steps && i < WHEEL_MAX; i++) {
		guest_channel_button(&input->channel, button, true);
		guest_channel_button(&input->channel, button, false);
	}
}

static void handle_wheel(Input *input, const SDL_MouseWheelEvent *wheel)
{
	if (!has_pointer(input))
		return;
	send_pointer(input);
	keyboard_flush(&input->keyboard);
	turn(input, wheel->y, BUTTON_WHEEL_UP);
	turn(input, -wheel->y, BUTTON_WHEEL_DOWN);
	turn(input, wheel->x, BUTTON_WHEEL_RIGHT);
	turn(input, -wheel->x, BUTTON_WHEEL_LEFT);
}

/* Hides the desktop's cursor where the guest draws its own. */
static void show_cursor(Input *input)
{
	const Canvas *canvas = &input->window->canvas;
	bool is_hidden = is_ready(input) && input->channel.is_absolute && canvas->cursor.texture &&
			 canvas->place.is_visible;

	if (is_hidden == input->is_cursor_hidden)
		return;
	input->is_cursor_hidden = is_hidden;
	SDL_ShowCursor(is_hidden ? SDL_DISABLE : SDL_ENABLE);
}

/* ---- Events ---- */

/* Releases all that is down in the guest. */
static void lose_focus(Input *input)
{
	keyboard_release_all(&input->keyboard);
	send_pointer(input);
	input->stale |= input->buttons;
	for (int button = BUTTON_LEFT; button <= BUTTON_WHEEL_RIGHT; button++)
		release_button(input, (GuestButton)button);
	if (input->is_grabbed)
		set_grab(input, false);
}

static void handle_window_event(Input *input, const SDL_WindowEvent *event)
{
	if (event->event == SDL_WINDOWEVENT_FOCUS_LOST)
		lose_focus(input);
	else if (event->event == SDL_WINDOWEVENT_SIZE_CHANGED)
		guest_size_note(&input->size, now_milliseconds());
}

WindowRequested input_handle(Input *input, const SDL_Event *event)
{
	WindowRequested requested = REQUESTED_NOTHING;

	switch (event->type) {
	case SDL_KEYDOWN:
		requested = handle_press(input, &event->key);
		break;
	case SDL_KEYUP:
		keyboard_release(&input->keyboard, key_code((int)event->key.keysym.scancode));
		break;
	case SDL_MOUSEMOTION:
		note_motion(input, &event->motion);
		break;
	case SDL_MOUSEBUTTONDOWN:
	case SDL_MOUSEBUTTONUP:
		handle_button(input, &event->button);
		break;
	case SDL_MOUSEWHEEL:
		handle_wheel(input, &event->wheel);
		break;
	case SDL_WINDOWEVENT:
		handle_window_event(input, &event->window);
		break;
	default:
		break;
	}
	if (requested == REQUESTED_FORWARD)
		keyboard_forward_next(&input->keyboard);
	return requested;
}

/* ---- Why there is no input ---- */

static void say_right(const Input *input, char buffer[INPUT_SENTENCE_SIZE])
{
	char advice[RIGHTS_ADVICE_SIZE];
	const GuestChannel *channel = &input->channel;

	rights_advice(channel->rights | VAIL_DISPLAY_INPUT, input->machine, advice);
	snprintf(buffer, INPUT_SENTENCE_SIZE, "%s %s",
		 channel->had_rights & VAIL_DISPLAY_INPUT
			 ? "You may no longer type into this virtual machine, because your right "
			   "to input was withdrawn."
			 : "You may see this virtual machine, but not type into it.",
		 advice);
}

const char *input_sentence(const Input *input, char buffer[INPUT_SENTENCE_SIZE])
{
	if (input->said_until == 0)
		return NULL;
	switch (input->channel.lack) {
	case LACK_NOTHING:
		return NULL;
	case LACK_RIGHT:
		say_right(input, buffer);
		return buffer;
	case LACK_AGENT:
		return "Keys do not reach the virtual machine, because nothing serves its display. "
		       "Ask its owner to start vail-qemu.";
	case LACK_CONSOLE:
		return "Keys do not reach this picture, because it is not a console that vail-qemu "
		       "serves.";
	case LACK_OTHER:
		snprintf(buffer, INPUT_SENTENCE_SIZE, "Keys do not reach the virtual machine: %s.",
			 input->channel.reason);
		return buffer;
	}
	return NULL;
}

/* Returns what the title says. */
static const char *status_of(const Input *input)
{
	const GuestChannel *channel = &input->channel;

	if (!is_ready(input))
		return channel->lack == LACK_RIGHT     ? "view only: you may not type"
		       : channel->lack != LACK_NOTHING ? "no input"
						       : NULL;
	if (input->keyboard.is_forwarding)
		return "the next keys go to the guest";
	if (has_motions(input))
		return "Ctrl+Alt+G releases the pointer";
	if (input->is_grabbed)
		return "Ctrl+Alt+G releases the keyboard";
	return channel->is_absolute ? NULL : "a click grabs the pointer";
}

/* ---- Turns ---- */

void input_init(Input *input, Window *window, const char *path, const char *guid,
		const char *machine, unsigned int wanted)
{
	*input = (Input){ .window = window, .machine = machine, .size = GUEST_SIZE_INIT };
	guest_channel_init(&input->channel, path, guid, wanted | VAIL_DISPLAY_INPUT);
	keyboard_init(&input->keyboard, send_key, input);
}

void input_deinit(Input *input)
{
	guest_channel_deinit(&input->channel);
}

/* Tests whether vaild can be asked for a channel. */
static bool may_open(const Viewer *viewer)
{
	return viewer->state == VIEWER_WATCHING && viewer->is_current && viewer->picture.name;
}

/* Notes that the channel is ready or ended. */
static void note_change(Input *input, int64_t now)
{
	bool was_ready = input->was_ready;

	input->was_ready = is_ready(input);
	if (input->was_ready) {
		input->said_until = 0;
	} else if (was_ready) {
		input->buttons = 0; /* the agent has released them */
		set_grab(input, false);
		input->said_until = now + SAID_FOR;
	}
}

static void send_size(Input *input, int64_t now)
{
	Size size;
	bool is_users = window_user_size(input->window, &size);

	/* After a size was asked for, every other one is as good as the user's. */
	if (!is_ready(input) || now < input->size.due_at)
		return;
	if (!is_users && input->size.asked.width == 0)
		input->size.due_at = GUEST_SIZE_NEVER;
	else if (guest_size_is_due(&input->size, size, now))
		guest_channel_size(&input->channel, size);
}

void input_process(Input *input, const Viewer *viewer)
{
	GuestChannelOccasions occasions = { viewer->rights_changes, viewer->shares };
	int64_t now = now_milliseconds();

	keyboard_pass_time(&input->keyboard, now);
	guest_channel_process(&input->channel, now);
	if (may_open(viewer))
		guest_channel_open_if_due(&input->channel, viewer->picture.name, occasions, now);
	if (is_ready(input) != input->was_ready)
		note_change(input, now);
	if (SDL_GetRelativeMouseMode() != (has_motions(input) ? SDL_TRUE : SDL_FALSE))
		set_grab(input, input->is_grabbed);
	if (guest_channel_is_idle(&input->channel))
		send_pointer(input);
	send_size(input, now);
	if (now >= input->said_until)
		input->said_until = 0;
	show_cursor(input);
	window_set_status(input->window, status_of(input));
}

static int64_t earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

int64_t input_poll_for(const Input *input, const Viewer *viewer,
		       struct pollfd ret_fds[GUEST_CHANNEL_FDS])
{
	int64_t at = guest_channel_poll_for(&input->channel, may_open(viewer), ret_fds);

	at = earlier(at, keyboard_deadline(&input->keyboard));
	if (is_ready(input))
		at = earlier(at, input->size.due_at);
	if (input->said_until != 0)
		at = earlier(at, input->said_until);
	return at;
}
