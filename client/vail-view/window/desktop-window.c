/* SPDX-License-Identifier: MIT */
/*
 * The main loop of the window. It sleeps in SDL_WaitEvent(), and a thread wakes it when vaild has
 * something to say. Without a change nothing wakes either of them.
 */
#include "client/vail-view/desktop-window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/machine-search.h"
#include "client/common/plain-words.h"
#include "client/common/program-options.h"
#include "client/common/user-message.h"
#include "client/vail-view/notice.h"
#include "client/vail-view/rights-text.h"
#include "client/vail-view/viewer.h"
#include "client/vail-view/waker.h"
#include "client/vail-view/window/desktop-clipboard.h"
#include "client/vail-view/window/input.h"
#include "client/vail-view/window/microphone.h"
#include "client/vail-view/window/screenshot.h"
#include "client/vail-view/window/sound.h"
#include "client/vail-view/window/window.h"

/*
 * Time for which the last picture stays when it is no longer shared, in milliseconds. A VM that
 * changes its mode shares the next one at once.
 */
#define PICTURE_STAYS 500

/* Buffer size for the sentence in the window. */
#define SENTENCE_SIZE (WAIT_MESSAGE_SIZE + INPUT_SENTENCE_SIZE)

typedef struct Desktop {
	Viewer viewer;
	Window window;
	Input input;
	DesktopClipboard clipboard;
	Sound sound;
	Microphone microphone;
	Notice notice;            /* about clipboard, sound and their rights */
	unsigned int has_told;    /* rights that were withdrawn, as the notice has said */
	bool has_told_microphone; /* that the right to it is missing */
	Waker waker;
	uint32_t wake_event; /* SDL's type of the waker's event */
	int64_t lost_at;     /* when the picture was no longer shared; WAKER_NEVER if it is */
	bool has_shown;      /* a frame */
	char unshowable[SENTENCE_SIZE]; /* why the picture cannot be shown; "" if it can */
} Desktop;

/* Called on the waker's thread. */
static void wake(void *context)
{
	const Desktop *desktop = context;
	SDL_Event event = { .type = desktop->wake_event };

	SDL_PushEvent(&event);
}

/* ---- What the window shows ---- */

static void show_picture(Desktop *desktop)
{
	Viewer *viewer = &desktop->viewer;
	const Follower *picture = &viewer->picture;

	if (!viewer_next_frame(viewer))
		return;
	if (window_set_picture(&desktop->window, &picture->screen->framebuffer,
			       picture->is_whole)) {
		desktop->has_shown = true;
		desktop->unshowable[0] = '\0';
		return;
	}
	canvas_remove_picture(&desktop->window.canvas);
	snprintf(desktop->unshowable, SENTENCE_SIZE, "this desktop cannot show the picture: %s",
		 SDL_GetError());
}

/* Removes the picture some time after it is no longer shared. */
static void remove_picture(Desktop *desktop)
{
	if (desktop->viewer.picture.screen) {
		desktop->lost_at = WAKER_NEVER;
		return;
	}
	if (desktop->lost_at == WAKER_NEVER)
		desktop->lost_at = now_milliseconds();
	if (now_milliseconds() - desktop->lost_at >= PICTURE_STAYS)
		canvas_remove_picture(&desktop->window.canvas);
}

static void show_cursor(Desktop *desktop)
{
	Canvas *canvas = &desktop->window.canvas;
	bool is_new = viewer_next_cursor(&desktop->viewer);
	Screen *screen = desktop->viewer.cursor.screen;
	CursorPlace place;

	if (!screen)
		canvas_remove_cursor(canvas);
	else if (is_new && (!screen_read_cursor_place(screen, &place) ||
			    !canvas_set_cursor(canvas, &screen->framebuffer, &place)))
		canvas_remove_cursor(canvas);
}

/* Tests whether the window shows the current picture, or will in a moment. */
static bool is_live(const Desktop *desktop)
{
	return desktop->viewer.state == VIEWER_WATCHING && !*desktop->unshowable &&
	       desktop->window.canvas.picture.texture;
}

/* Says why there is no picture, or why it does not change. */
static void say(Desktop *desktop)
{
	char wait[WAIT_MESSAGE_SIZE], sentence[SENTENCE_SIZE];
	const char *hint = "";

	if (is_live(desktop)) {
		const char *text = input_sentence(&desktop->input, sentence);

		window_say(&desktop->window,
			   text ? text : notice_sentence(&desktop->notice, now_milliseconds()),
			   true);
		return;
	}
	viewer_describe_wait(&desktop->viewer, wait);
	if (*desktop->unshowable && desktop->viewer.state == VIEWER_WATCHING)
		memcpy(wait, desktop->unshowable, sizeof(wait));
	if (desktop->viewer.is_in_quarantine)
		hint = " The window tries again when you click into it or press a key.";
	else if (desktop->viewer.state == VIEWER_FAILED)
		hint = " Ctrl+Alt+R tries again.";
	else if (desktop->viewer.state == VIEWER_ENDED)
		hint = " Ctrl+Alt+Q closes this window.";
	sentence_begin(wait);
	snprintf(sentence, sizeof(sentence), "%s.%s", wait, hint);
	window_say(&desktop->window, sentence, false);
}

/* Says which rights the window has lost. Those of input are said by input_sentence(). */
static void note_lost_rights(Desktop *desktop)
{
	const GuestChannel *channel = &desktop->input.channel;
	unsigned int lost = channel->had_rights & channel->wanted & ~channel->rights;
	char sentence[RIGHTS_LOST_SIZE];

	if (channel->state != GUEST_CHANNEL_READY && channel->lack != LACK_RIGHT)
		return; /* vaild has not confirmed the remaining rights yet */
	rights_lost(lost & ~desktop->has_told, channel->rights, desktop->input.machine, sentence);
	if (*sentence) {
		log_message("%s", sentence);
		notice_say(&desktop->notice, sentence, now_milliseconds());
	}
	desktop->has_told = lost;
}

/* Says once that the user has asked for a microphone without the right to it. */
static void note_missing_microphone(Desktop *desktop)
{
	const GuestChannel *channel = &desktop->input.channel;
	char advice[RIGHTS_ADVICE_SIZE], sentence[NOTICE_SIZE];
	unsigned int had = channel->had_rights | channel->rights;

	if (desktop->has_told_microphone || !(channel->wanted & VAIL_DISPLAY_AUDIO_INPUT) ||
	    had & VAIL_DISPLAY_AUDIO_INPUT ||
	    (channel->state != GUEST_CHANNEL_READY && channel->lack != LACK_RIGHT))
		return;
	desktop->has_told_microphone = true;
	rights_advice(channel->rights | VAIL_DISPLAY_AUDIO_INPUT, desktop->input.machine, advice);
	snprintf(sentence, sizeof(sentence),
		 "The virtual machine does not hear your microphone, because you have no right to "
		 "that. %s",
		 advice);
	log_message("%s", sentence);
	notice_say(&desktop->notice, sentence, now_milliseconds());
}

static void show(Desktop *desktop)
{
	viewer_process(&desktop->viewer);
	show_picture(desktop);
	remove_picture(desktop);
	show_cursor(desktop);
	input_process(&desktop->input, &desktop->viewer);
	desktop_clipboard_process(&desktop->clipboard);
	sound_process(&desktop->sound, now_milliseconds());
	microphone_process(&desktop->microphone, now_milliseconds());
	window_set_recording(&desktop->window, microphone_is_on(&desktop->microphone));
	note_missing_microphone(desktop);
	note_lost_rights(desktop);
	say(desktop);
	window_draw(&desktop->window);
}

/* ---- The loop ---- */

static int64_t earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/* Has the waker wake the loop when vaild has sent something, or at the next deadline. */
static void watch(Desktop *desktop)
{
	const Viewer *viewer = &desktop->viewer;
	bool is_watching = viewer->state == VIEWER_WATCHING;
	struct pollfd fds[3 + GUEST_CHANNEL_FDS] = { { .fd = -1 } };
	int64_t at = input_poll_for(&desktop->input, viewer, fds + 1);

	at = earlier(at, sound_poll_for(&desktop->sound, &fds[1 + GUEST_CHANNEL_FDS]));
	at = earlier(at, microphone_poll_for(&desktop->microphone, &fds[2 + GUEST_CHANNEL_FDS]));
	at = earlier(at, notice_deadline(&desktop->notice));
	if (viewer->state == VIEWER_RECONNECTING)
		at = earlier(at, viewer->retry_at);
	else if (desktop->lost_at != WAKER_NEVER && desktop->window.canvas.picture.texture)
		at = earlier(at, desktop->lost_at + PICTURE_STAYS);
	if (is_watching)
		fds[0] = (struct pollfd){ .fd = vail_descriptor(viewer->watch),
					  .events = vail_events(viewer->watch) };
	else if (viewer->state == VIEWER_ENDED)
		at = earlier(at, fleet_move_poll_for(&viewer->move, &fds[0]));
	waker_watch(&desktop->waker, fds, ARRAY_SIZE(fds), at);
}

static void save(Desktop *desktop)
{
	const Screen *screen = desktop->viewer.picture.screen;
	char note[TITLE_SIZE];

	if (!screen) {
		window_set_title(&desktop->window, "no picture to save");
		return;
	}
	if (!screenshot_save(&screen->framebuffer, note, sizeof(note)))
		log_message("%s", note);
	window_set_title(&desktop->window, note);
}

/* Tests whether the user turns to the window. */
static bool is_attention(const SDL_Event *event)
{
	return event->type == SDL_MOUSEBUTTONDOWN ||
	       (event->type == SDL_KEYDOWN && !event->key.repeat) ||
	       (event->type == SDL_WINDOWEVENT &&
		event->window.event == SDL_WINDOWEVENT_FOCUS_GAINED);
}

/* Returns false if the window must close. */
static bool handle(Desktop *desktop, const SDL_Event *event)
{
	WindowRequested requested = input_handle(&desktop->input, event);

	desktop_clipboard_handle(&desktop->clipboard, event);
	sound_handle(&desktop->sound, event);
	microphone_handle(&desktop->microphone, event);

	/* Only operators hear of the end of a quarantine. */
	if (desktop->viewer.is_in_quarantine && is_attention(event))
		viewer_retry(&desktop->viewer);
	if (requested == REQUESTED_NOTHING)
		requested = window_handle(&desktop->window, event);
	switch (requested) {
	case REQUESTED_CLOSE:
		return false;
	case REQUESTED_SAVE:
		save(desktop);
		return true;
	case REQUESTED_RETRY:
		viewer_retry(&desktop->viewer);
		return true;
	case REQUESTED_GRAB:
		input_toggle_grab(&desktop->input);
		return true;
	default:
		return true;
	}
}

/* Waits for events and handles them. Returns false if the window must close. */
static bool wait_for_events(Desktop *desktop)
{
	SDL_Event event;

	if (!SDL_WaitEvent(&event)) {
		log_message("the desktop cannot be reached any more: %s", SDL_GetError());
		return false;
	}
	do
		if (!handle(desktop, &event))
			return false;
	while (SDL_PollEvent(&event));
	return true;
}

/* Shows the window until it is closed. Returns the exit status. */
static int run(Desktop *desktop)
{
	bool has_ended = false;

	do {
		show(desktop);
		if (desktop->viewer.state == VIEWER_ENDED && !has_ended)
			viewer_log_end(&desktop->viewer);
		has_ended = desktop->viewer.state == VIEWER_ENDED;
		watch(desktop);
	} while (wait_for_events(desktop));
	if (desktop->viewer.state == VIEWER_FAILED || (has_ended && !desktop->has_shown))
		return EXIT_FAILED;
	return EXIT_DONE;
}

/* Returns the beginning of the title. The caller frees it. Returns NULL if out of memory. */
static char *title_begin(const WindowRequest *request, struct vail *vail)
{
	_cleanup_free_ char *name = machine_name(vail, request->guid);
	char *title;

	if (asprintf(&title, "%s%s%s", name ? name : request->machine, request->name ? ", " : "",
		     request->name ? request->name : "") < 0)
		return NULL;
	return title;
}

/* Begins what needs the window: input, clipboard, sound and microphone. */
static void start_parts(Desktop *desktop, const WindowRequest *request)
{
	unsigned int wanted = (request->no_clipboard ? 0 : VAIL_DISPLAY_CLIPBOARD) |
			      (request->no_sound ? 0 : VAIL_DISPLAY_AUDIO_OUTPUT) |
			      (request->microphone ? VAIL_DISPLAY_AUDIO_INPUT : 0);
	GuestChannel *channel = &desktop->input.channel;

	input_init(&desktop->input, &desktop->window, request->socket, request->guid,
		   request->machine, wanted);
	desktop_clipboard_init(&desktop->clipboard, channel, desktop->window.window,
			       &desktop->notice, !request->no_clipboard);
	sound_init(&desktop->sound, channel, &desktop->notice, !request->no_sound);
	microphone_init(&desktop->microphone, channel, &desktop->notice, request->microphone);
}

static int open_and_run(Desktop *desktop, const WindowRequest *request)
{
	_cleanup_free_ char *title = title_begin(request, desktop->viewer.vail);
	int exit_status = EXIT_FAILED;

	if (!title || !window_open(&desktop->window, title)) {
		log_message("the window cannot be opened: %s; check DISPLAY and WAYLAND_DISPLAY, "
			    "or save a picture with --png FILE",
			    title ? SDL_GetError() : "out of memory");
		window_close(&desktop->window);
		return EXIT_FAILED;
	}
	start_parts(desktop, request);
	desktop->wake_event = SDL_RegisterEvents(1);
	int error = waker_start(&desktop->waker, wake, desktop);
	if (error < 0) {
		log_message("cannot start a thread: %s", strerror(-error));
	} else {
		exit_status = run(desktop);
		waker_stop(&desktop->waker);
	}
	microphone_deinit(&desktop->microphone);
	sound_deinit(&desktop->sound);
	desktop_clipboard_deinit(&desktop->clipboard);
	input_deinit(&desktop->input);
	window_close(&desktop->window);
	return exit_status;
}

int desktop_window_run(const WindowRequest *request)
{
	Desktop desktop = { .lost_at = WAKER_NEVER };
	int exit_status = EXIT_FAILED;

	if (viewer_init(&desktop.viewer, request->socket, request->guid, request->machine,
			request->name, true))
		exit_status = open_and_run(&desktop, request);
	viewer_deinit(&desktop.viewer);
	return exit_status;
}
