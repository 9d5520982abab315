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

Test(clipboard_sync, an_offer_stays_if_the_desktop_is_late)
{
	copy("a");
	clipboard_sync_note_desktop(&shared);
	desktop_kind = DESKTOP_TEXT_LATE;
	clipboard_sync_note_desktop(&shared);
	expect("grab0");
	expect_offer("a");
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

/* ---- Random runs ---- */

#define STEPS 200000

typedef struct Run {
	ClipboardSync sync;
	unsigned int seed;
	bool is_linked;
	bool has_focus;
	bool is_requested;
	unsigned int copies; /* of the desktop, each with a text of its own */
	char desktop[16];    /* "" for none */
	char shown[16];      /* the last text that the window has read */
	unsigned long grabs; /* of the window, and how often it has written the desktop's text */
	unsigned long writings;
} Run;

static unsigned int choose(Run *run, unsigned int count)
{
	run->seed = run->seed * 1103515245u + 12345u;
	return (run->seed >> 16) % count;
}

/* The module may act only then. */
static void check_may_act(const Run *run)
{
	cr_assert(run->is_linked);
	cr_assert(run->has_focus);
}

static DesktopText run_read(void *context, ClipboardText *ret_text)
{
	Run *run = context;

	check_may_act(run);
	if (!*run->desktop)
		return DESKTOP_TEXT_NONE;
	memcpy(run->shown, run->desktop, sizeof(run->shown));
	cr_assert(clipboard_text_set(ret_text, run->desktop, strlen(run->desktop)));
	return DESKTOP_TEXT_VALID;
}

static void run_write(void *context, const ClipboardText *text)
{
	Run *run = context;

	check_may_act(run);
	cr_assert_str_eq(text->bytes, "guest");
	snprintf(run->desktop, sizeof(run->desktop), "%s", text->bytes);
	run->writings++;
}

static void run_grab(void *context, uint32_t serial)
{
	Run *run = context;

	(void)serial;
	cr_assert(run->is_linked); /* the first offer is repeated without the focus, too */
	run->grabs++;
}

static void run_release(void *context)
{
	check_may_act(context);
}

static void run_request(void *context)
{
	Run *run = context;

	check_may_act(run);
	cr_assert_not(run->is_requested);
	run->is_requested = true;
}

static void run_say(void *context, const char *sentence)
{
	(void)context;
	(void)sentence;
}

static const ClipboardSyncOwner run_owner = { run_read,    run_write,   run_grab,
					      run_release, run_request, run_say };

static void answer(Run *run)
{
	ClipboardText text = { .bytes = (char *)"guest", .size = 5 };

	if (!run->is_requested)
		return;
	run->is_requested = false;
	clipboard_sync_guest_text(&run->sync, choose(run, 4) > 0 ? &text : NULL);
}

static void change_link(Run *run)
{
	run->is_linked = !run->is_linked;
	run->is_requested = run->is_requested && run->is_linked;
	if (run->is_linked)
		clipboard_sync_link(&run->sync);
	else
		clipboard_sync_unlink(&run->sync);
}

static void step(Run *run)
{
	const ClipboardText *text;

	switch (choose(run, 9)) {
	case 0:
		run->has_focus = !run->has_focus;
		clipboard_sync_set_focus(&run->sync, run->has_focus);
		break;
	case 1:
		snprintf(run->desktop, sizeof(run->desktop), "d%u", run->copies++);
		break;
	case 2:
		clipboard_sync_note_desktop(&run->sync);
		break;
	case 3:
		clipboard_sync_guest_grab(&run->sync, choose(run, 8), choose(run, 4) > 0);
		break;
	case 4:
		clipboard_sync_guest_release(&run->sync);
		break;
	case 5:
		clipboard_sync_guest_reset(&run->sync);
		break;
	case 6:
		if (choose(run, 8) == 0)
			change_link(run);
		break;
	case 7:
		answer(run);
		break;
	default:
		text = clipboard_sync_requested(&run->sync);
		if (text)
			cr_assert_str_eq(text->bytes, run->shown);
	}
}

/*
 * Nothing passes without the focus or after the end, in any order of what agent and user do. The
 * guest gets only what the window has read with the focus, and one request waits at a time.
 */
Test(clipboard_sync_runs, random_runs_keep_all_promises)
{
	for (unsigned int seed = 1; seed <= 5; seed++) {
		Run run = { .seed = seed };

		clipboard_sync_init(&run.sync, &run_owner, &run);
		for (int i = 0; i < STEPS; i++)
			step(&run);
		clipboard_sync_unlink(&run.sync);
		cr_assert_gt(run.grabs, 1000ul);
		cr_assert_gt(run.writings, 100ul);
	}
}
