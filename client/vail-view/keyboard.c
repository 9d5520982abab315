/* SPDX-License-Identifier: MIT */
#include "client/vail-view/keyboard.h"

#include <string.h>

/* QEMU's numbers of the keys that matter here. */
enum {
	LEFT_CTRL = 0x1d,
	LEFT_SHIFT = 0x2a,
	RIGHT_SHIFT = 0x36,
	LEFT_ALT = 0x38,
	RIGHT_CTRL = 0x9d,
	RIGHT_ALT = 0xb8,
	LEFT_META = 0xdb,
	RIGHT_META = 0xdc,
};

void keyboard_init(Keyboard *keyboard, void (*send)(void *context, uint8_t code, bool is_down),
		   void *context)
{
	*keyboard = (Keyboard){ .send = send, .context = context, .flush_at = KEYBOARD_NEVER };
}

static bool is_ctrl(uint8_t code)
{
	return code == LEFT_CTRL || code == RIGHT_CTRL;
}

static bool is_alt(uint8_t code)
{
	return code == LEFT_ALT || code == RIGHT_ALT;
}

bool keyboard_is_modifier(uint8_t code)
{
	return is_ctrl(code) || is_alt(code) || code == LEFT_SHIFT || code == RIGHT_SHIFT ||
	       code == LEFT_META || code == RIGHT_META;
}

/* ---- Keys in the guest ---- */

static bool is_held(const Keyboard *keyboard, uint8_t code)
{
	return keyboard->held[code / 8] & 1u << code % 8;
}

static void press(Keyboard *keyboard, uint8_t code)
{
	keyboard->held[code / 8] |= (uint8_t)(1u << code % 8);
	keyboard->send(keyboard->context, code, true);
}

static void release(Keyboard *keyboard, uint8_t code)
{
	if (!is_held(keyboard, code))
		return;
	keyboard->held[code / 8] &= (uint8_t) ~(1u << code % 8);
	keyboard->send(keyboard->context, code, false);
}

/* ---- Withheld keys ---- */

static size_t find_withheld(const Keyboard *keyboard, uint8_t code)
{
	size_t i = 0;

	while (i < keyboard->withheld_count && keyboard->withheld[i] != code)
		i++;
	return i;
}

/* Tests whether one of the keys is down, in the guest or withheld. */
static bool is_down(const Keyboard *keyboard, uint8_t one, uint8_t other)
{
	return is_held(keyboard, one) || is_held(keyboard, other) ||
	       find_withheld(keyboard, one) < keyboard->withheld_count ||
	       find_withheld(keyboard, other) < keyboard->withheld_count;
}

static bool is_chord(const Keyboard *keyboard)
{
	return is_down(keyboard, LEFT_CTRL, RIGHT_CTRL) && is_down(keyboard, LEFT_ALT, RIGHT_ALT);
}

static void withhold(Keyboard *keyboard, uint8_t code, int64_t now)
{
	if (is_held(keyboard, code) || find_withheld(keyboard, code) < keyboard->withheld_count)
		return;
	keyboard->withheld[keyboard->withheld_count++] = code;
	keyboard->flush_at =
		is_chord(keyboard) || keyboard->is_used ? KEYBOARD_NEVER : now + KEYBOARD_WITHHELD;
}

static void forget_withheld(Keyboard *keyboard)
{
	keyboard->withheld_count = 0;
	keyboard->is_used = false;
	keyboard->flush_at = KEYBOARD_NEVER;
}

void keyboard_flush(Keyboard *keyboard)
{
	size_t count = keyboard->withheld_count;

	forget_withheld(keyboard);
	for (size_t i = 0; i < count; i++)
		press(keyboard, keyboard->withheld[i]);
}

/* ---- Keys of the window ---- */

bool keyboard_press(Keyboard *keyboard, uint8_t code, bool is_letter, int64_t now)
{
	if (is_ctrl(code) || is_alt(code)) {
		withhold(keyboard, code, now);
		return false;
	}
	if (is_letter && !keyboard->is_forwarding && is_chord(keyboard)) {
		keyboard->is_used = keyboard->withheld_count > 0;
		return true;
	}
	if (code == 0)
		return false; /* QEMU does not know the key */
	if (!keyboard_is_modifier(code))
		keyboard->is_forwarding = false;
	keyboard_flush(keyboard);
	press(keyboard, code);
	return false;
}

void keyboard_repeat(Keyboard *keyboard, uint8_t code)
{
	if (is_held(keyboard, code))
		press(keyboard, code);
}

void keyboard_release(Keyboard *keyboard, uint8_t code)
{
	size_t i = find_withheld(keyboard, code);

	if (i < keyboard->withheld_count && keyboard->is_used) {
		keyboard->withheld_count--;
		memmove(keyboard->withheld + i, keyboard->withheld + i + 1,
			keyboard->withheld_count - i);
		keyboard->is_used = keyboard->withheld_count > 0;
		return;
	}
	if (i < keyboard->withheld_count)
		keyboard_flush(keyboard);
	release(keyboard, code);
}

void keyboard_forward_next(Keyboard *keyboard)
{
	keyboard->is_forwarding = true;
}

void keyboard_release_all(Keyboard *keyboard)
{
	forget_withheld(keyboard);
	for (int code = 1; code < 256; code++)
		release(keyboard, (uint8_t)code);
}

/* ---- Time ---- */

int64_t keyboard_deadline(const Keyboard *keyboard)
{
	return keyboard->flush_at;
}

void keyboard_pass_time(Keyboard *keyboard, int64_t now)
{
	if (now >= keyboard->flush_at)
		keyboard_flush(keyboard);
}
