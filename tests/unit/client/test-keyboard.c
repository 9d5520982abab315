/* SPDX-License-Identifier: MIT */
/* The keys of vail-view's window: which reach the guest, and when. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/vail-view/keyboard.h"

#define CTRL  0x1d
#define ALT   0x38
#define SHIFT 0x2a
#define A     0x1e
#define F     0x21

static Keyboard keyboard;
static char sent[4096]; /* like "+1d -1d " */

static void on_send(void *context, uint8_t code, bool is_down)
{
	size_t length = strlen(sent);

	(void)context;
	if (length < sizeof(sent) - 8)
		snprintf(sent + length, sizeof(sent) - length, "%c%02x ", is_down ? '+' : '-',
			 code);
}

static void set_up(void)
{
	sent[0] = '\0';
	keyboard_init(&keyboard, on_send, NULL);
}

TestSuite(keyboard, .init = set_up);

static void expect_sent(const char *expected)
{
	cr_expect_str_eq(sent, expected);
	sent[0] = '\0';
}

static void press(uint8_t code)
{
	cr_expect_not(keyboard_press(&keyboard, code, code == F, 0), "key %#x", code);
}

static void press_shortcut(uint8_t code)
{
	cr_expect(keyboard_press(&keyboard, code, true, 0));
}

static void release(uint8_t code)
{
	keyboard_release(&keyboard, code);
}

Test(keyboard, keys_reach_the_guest_at_once)
{
	press(A);
	expect_sent("+1e ");
	press(F);
	expect_sent("+21 ");
	release(A);
	release(F);
	expect_sent("-1e -21 ");
	press(SHIFT);
	expect_sent("+2a ");
}

Test(keyboard, modifiers_reach_the_guest_before_the_key_that_they_change)
{
	press(CTRL);
	expect_sent("");
	press(A);
	expect_sent("+1d +1e ");
	release(A);
	release(CTRL);
	expect_sent("-1e -1d ");
	press(ALT);
	press(F);
	expect_sent("+38 +21 ");
}

Test(keyboard, a_shortcut_sends_nothing)
{
	press(CTRL);
	press(ALT);
	press_shortcut(F);
	release(F);
	press_shortcut(F);
	release(F);
	release(ALT);
	release(CTRL);
	expect_sent("");
	press(A);
	expect_sent("+1e ");
}

Test(keyboard, either_ctrl_and_either_alt_make_a_shortcut)
{
	press(0xb8);
	press(0x9d);
	press_shortcut(F);
	release(0x9d);
	press(CTRL);
	press_shortcut(F);
	release(0xb8);
	release(CTRL);
	expect_sent("");
}

Test(keyboard, another_key_after_a_shortcut_gets_its_modifiers)
{
	press(CTRL);
	press(ALT);
	press_shortcut(F);
	press(A);
	expect_sent("+1d +38 +1e ");
	press_shortcut(F); /* the guest has the modifiers already */
	release(F);
	release(A);
	release(ALT);
	release(CTRL);
	expect_sent("-1e -38 -1d ");
}

Test(keyboard, a_modifier_alone_reaches_the_guest_when_it_is_released)
{
	press(ALT);
	release(ALT);
	expect_sent("+38 -38 ");
	press(CTRL);
	press(ALT);
	release(CTRL);
	expect_sent("+1d +38 -1d ");
	release(ALT);
	expect_sent("-38 ");
}

Test(keyboard, a_modifier_alone_reaches_the_guest_after_a_while)
{
	cr_expect_eq(keyboard_deadline(&keyboard), KEYBOARD_NEVER);
	keyboard_press(&keyboard, CTRL, false, 1000);
	cr_expect_eq(keyboard_deadline(&keyboard), 1000 + KEYBOARD_WITHHELD);
	keyboard_pass_time(&keyboard, 1000 + KEYBOARD_WITHHELD - 1);
	expect_sent("");
	keyboard_pass_time(&keyboard, 1000 + KEYBOARD_WITHHELD);
	expect_sent("+1d ");
	cr_expect_eq(keyboard_deadline(&keyboard), KEYBOARD_NEVER);
	release(CTRL);
	expect_sent("-1d ");
}

Test(keyboard, ctrl_and_alt_wait_for_the_next_key_for_ever)
{
	keyboard_press(&keyboard, CTRL, false, 1000);
	keyboard_press(&keyboard, ALT, false, 1000);
	cr_expect_eq(keyboard_deadline(&keyboard), KEYBOARD_NEVER);
	keyboard_pass_time(&keyboard, INT64_MAX - 1);
	press_shortcut(F);
	release(ALT);
	release(CTRL);
	expect_sent("");
}

Test(keyboard, a_click_flushes_modifiers)
{
	press(CTRL);
	keyboard_flush(&keyboard);
	expect_sent("+1d ");
	keyboard_flush(&keyboard);
	expect_sent("");
}

Test(keyboard, the_next_combination_can_be_forwarded)
{
	press(CTRL);
	press(ALT);
	press_shortcut(F);
	keyboard_forward_next(&keyboard);
	release(ALT);
	release(CTRL);
	expect_sent("");
	press(CTRL);
	press(ALT);
	press(SHIFT);
	press(F);
	expect_sent("+1d +38 +2a +21 ");
	release(F);
	press_shortcut(F); /* only one is forwarded */
}

Test(keyboard, repeats_are_sent_only_of_keys_that_the_guest_has)
{
	press(A);
	keyboard_repeat(&keyboard, A);
	expect_sent("+1e +1e ");
	press(CTRL);
	keyboard_repeat(&keyboard, CTRL);
	keyboard_repeat(&keyboard, F);
	expect_sent("");
}

Test(keyboard, all_keys_are_released_with_the_focus)
{
	press(A);
	press(F);
	press(ALT);
	expect_sent("+1e +21 ");
	keyboard_release_all(&keyboard);
	expect_sent("-1e -21 ");
	release(A);
	release(ALT);
	expect_sent("");
}

Test(keyboard, the_next_combination_is_forwarded_after_the_focus_has_returned)
{
	keyboard_forward_next(&keyboard);
	keyboard_release_all(&keyboard);
	press(CTRL);
	press(ALT);
	press(F);
	expect_sent("+1d +38 +21 ");
}

Test(keyboard, a_key_that_qemu_does_not_know_is_ignored)
{
	press(0);
	release(0);
	keyboard_repeat(&keyboard, 0);
	expect_sent("");
}

/*
 * Random keys: at the end the guest has no key down that is not down, and no key was released that
 * was not pressed.
 */
static bool down[256], in_guest[256];

static void note(void *context, uint8_t code, bool is_down)
{
	(void)context;
	if (!is_down)
		cr_assert(in_guest[code], "key %#x is released twice", code);
	in_guest[code] = is_down;
}

Test(keyboard, no_key_stays_down_in_the_guest)
{
	static const uint8_t codes[] = { CTRL, ALT, 0x9d, 0xb8, SHIFT, A, F, 0 };

	srandom(1);
	keyboard_init(&keyboard, note, NULL);
	for (int i = 0; i < 200000; i++) {
		uint8_t code = codes[random() % 8];

		if (down[code])
			keyboard_release(&keyboard, code);
		else
			keyboard_press(&keyboard, code, code == F || code == A, i);
		down[code] = !down[code];
		if (random() % 16 == 0)
			keyboard_pass_time(&keyboard, i + KEYBOARD_WITHHELD);
		if (random() % 64 == 0)
			keyboard_forward_next(&keyboard);
		for (size_t k = 0; k < sizeof(codes); k++)
			cr_assert(down[codes[k]] || !in_guest[codes[k]], "key %#x", codes[k]);
		if (random() % 1000 == 0) {
			keyboard_release_all(&keyboard);
			for (size_t k = 0; k < sizeof(codes); k++)
				cr_assert_not(in_guest[codes[k]]);
		}
	}
}
