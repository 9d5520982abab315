/* SPDX-License-Identifier: MIT */
/*
 * Which texts pass between the clipboards of the desktop and of the guest. The test is the desktop
 * and the agent.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/vail-view/clipboard-sync.h"

static ClipboardSync shared;
static DesktopText desktop_kind;
static char desktop[64];
static char heard[256]; /* what the module has done, in order */

static void note(const char *what)
{
	size_t length = strlen(heard);

	snprintf(heard + length, sizeof(heard) - length, "%s%s", length > 0 ? " " : "", what);
}

static DesktopText read_desktop(void *context, ClipboardText *ret_text)
{
	(void)context;
	if (desktop_kind == DESKTOP_TEXT_VALID)
		cr_assert(clipboard_text_set(ret_text, desktop, strlen(desktop)));
	return desktop_kind;
}

static void write_desktop(void *context, const ClipboardText *text)
{
	(void)context;
	desktop_kind = DESKTOP_TEXT_VALID;
	snprintf(desktop, sizeof(desktop), "%s", text->bytes);
	note("write");
}

static void send_grab(void *context, uint32_t serial)
{
	char text[16];

	(void)context;
	snprintf(text, sizeof(text), "grab%u", serial);
	note(text);
}

static void send_release(void *context)
{
	(void)context;
	note("release");
}

static void request_text(void *context)
{
	(void)context;
	note("request");
}

static void say(void *context, const char *sentence)
{
	(void)context;
	note(strstr(sentence, "is too long") ? "too-long" : "no-text");
}

static const ClipboardSyncOwner owner = { read_desktop, write_desktop, send_grab,
					  send_release, request_text,  say };

static void copy(const char *text)
{
	desktop_kind = DESKTOP_TEXT_VALID;
	snprintf(desktop, sizeof(desktop), "%s", text);
}

/* Asserts what the module has done since the last time. */
static void expect(const char *expected)
{
	cr_assert_str_eq(heard, expected);
	heard[0] = '\0';
}

static void expect_offer(const char *expected)
{
	const ClipboardText *text = clipboard_sync_requested(&shared);

	if (!expected)
		cr_assert_null(text);
	else
		cr_assert_str_eq(text->bytes, expected);
}

static void reply(const char *text)
{
	ClipboardText guests = { .bytes = (char *)text, .size = text ? strlen(text) : 0 };

	clipboard_sync_guest_text(&shared, text ? &guests : NULL);
}

static void setup(void)
{
	desktop_kind = DESKTOP_TEXT_NONE;
	heard[0] = '\0';
	clipboard_sync_init(&shared, &owner, NULL);
	clipboard_sync_set_focus(&shared, true);
	expect("");
	clipboard_sync_link(&shared);
	expect("");
}

static void teardown(void)
{
	clipboard_sync_unlink(&shared);
}

TestSuite(clipboard_sync, .init = setup, .fini = teardown);

Test(clipboard_sync, a_new_text_is_offered_once)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	expect("grab0");
	expect_offer("a");
	clipboard_sync_note_desktop(&shared);
	clipboard_sync_set_focus(&shared, false);
	clipboard_sync_set_focus(&shared, true);
	expect("");
	copy("b");
	clipboard_sync_note_desktop(&shared);
	expect("grab1");
	expect_offer("b");
}

Test(clipboard_sync, without_the_focus_nothing_is_offered)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	expect("grab0");
	clipboard_sync_set_focus(&shared, false);
	copy("secret");
	clipboard_sync_note_desktop(&shared);
	clipboard_sync_guest_reset(&shared);
	expect("");
	expect_offer(NULL);
	clipboard_sync_set_focus(&shared, true);
	expect("grab0");
	expect_offer("secret");
}

/* The guest may still request what was offered, and not what was copied since. */
Test(clipboard_sync, a_request_gets_the_text_that_was_offered)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	clipboard_sync_set_focus(&shared, false);
	copy("secret");
	expect_offer("a");
}

Test(clipboard_sync, a_focus_that_was_lost_meanwhile_does_not_count)
{
	clipboard_sync_guest_grab(&shared, 0, true);
	desktop_kind = DESKTOP_TEXT_UNKNOWN;
	reply("g");
	clipboard_sync_note_desktop(&shared);
	expect("request");
	expect_offer(NULL);
	desktop_kind = DESKTOP_TEXT_NONE;
	clipboard_sync_set_focus(&shared, true);
	reply("g");
	expect("request write");
}

Test(clipboard_sync, the_guests_text_is_not_offered_to_it)
{
	clipboard_sync_guest_grab(&shared, 0, true);
	expect("request");
	reply("g");
	expect("write");
	clipboard_sync_note_desktop(&shared);
	clipboard_sync_set_focus(&shared, false);
	clipboard_sync_set_focus(&shared, true);
	expect("");
	expect_offer(NULL);
	copy("d");
	clipboard_sync_note_desktop(&shared);
	expect("grab1");
}

Test(clipboard_sync, the_guests_text_waits_for_the_focus)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	expect("grab0");
	clipboard_sync_set_focus(&shared, false);
	clipboard_sync_guest_grab(&shared, 1, true);
	expect("");
	clipboard_sync_set_focus(&shared, true);
	expect("request");
	clipboard_sync_set_focus(&shared, false);
	reply("g");
	expect("");
	clipboard_sync_set_focus(&shared, true);
	expect("request");
	reply("g");
	expect("write");
}

Test(clipboard_sync, the_desktop_wins_if_both_have_copied_without_the_focus)
{
	clipboard_sync_set_focus(&shared, false);
	clipboard_sync_guest_grab(&shared, 0, true);
	copy("d");
	clipboard_sync_set_focus(&shared, true);
	expect("grab1");
	expect_offer("d");
}

Test(clipboard_sync, the_desktop_wins_when_the_window_registers)
{
	clipboard_sync_unlink(&shared);
	copy("d");
	clipboard_sync_link(&shared);
	expect("grab0");
	clipboard_sync_guest_grab(&shared, 1, true);
	expect("grab2");
	expect_offer("d");
	clipboard_sync_guest_grab(&shared, 3, true);
	expect("request");
}

Test(clipboard_sync, a_grab_that_has_crossed_ours_is_ignored)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	copy("b");
	clipboard_sync_note_desktop(&shared);
	expect("grab0 grab1");
	clipboard_sync_guest_grab(&shared, 1, true);
	expect("");
	expect_offer("b");
}

Test(clipboard_sync, one_request_waits_at_a_time)
{
	clipboard_sync_guest_grab(&shared, 0, true);
	clipboard_sync_guest_grab(&shared, 1, true);
	clipboard_sync_guest_grab(&shared, 2, true);
	expect("request");
	reply("old");
	expect("request");
	reply("new");
	expect("write");
	cr_assert_str_eq(desktop, "new");
}

Test(clipboard_sync, a_text_that_was_released_is_dropped)
{
	clipboard_sync_guest_grab(&shared, 0, true);
	clipboard_sync_guest_release(&shared);
	reply("g");
	expect("request");
}

Test(clipboard_sync, a_text_that_the_desktop_has_is_not_written)
{
	clipboard_sync_guest_grab(&shared, 0, true);
	copy("same");
	reply("same");
	expect("request");
}

Test(clipboard_sync, a_text_that_is_too_long_is_said_once)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	desktop_kind = DESKTOP_TEXT_TOO_LONG;
	clipboard_sync_note_desktop(&shared);
	clipboard_sync_note_desktop(&shared);
	expect("grab0 release too-long");
	expect_offer(NULL);
	clipboard_sync_guest_grab(&shared, 1, true);
	reply(NULL);
	expect("request no-text");
}

Test(clipboard_sync, nothing_passes_after_the_end)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	clipboard_sync_unlink(&shared);
	expect("grab0");
	expect_offer(NULL);
	clipboard_sync_guest_grab(&shared, 1, true);
	clipboard_sync_note_desktop(&shared);
	expect("");
}
