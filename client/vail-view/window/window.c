/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/terminal-text.h"
#include "proto/macros.h"

/* Size of the window before the first picture, in points of the desktop. */
#define FIRST_WIDTH  640
#define FIRST_HEIGHT 400

/* Pixels of the window for a pixel of the sentence, on a desktop of the usual density. */
#define TEXT_FACTOR 2

#define KEYS "Ctrl+Alt+ F: full screen, O: original size, G: grab, S: save, Q: close"

/* Returns the window's size in points of the desktop. */
static Size size_in_points(const Window *window)
{
	Size size;

	SDL_GetWindowSize(window->window, &size.width, &size.height);
	return size;
}

static bool has_flag(const Window *window, uint32_t flags)
{
	return SDL_GetWindowFlags(window->window) & flags;
}

bool window_open(Window *window, const char *name)
{
	*window = (Window){ .name = strdup(name) };
	/* Other drivers of SDL draw where nobody sees it. */
	SDL_SetHint(SDL_HINT_VIDEODRIVER, "x11,wayland");
	SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
	SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
	if (!window->name || SDL_Init(SDL_INIT_VIDEO) != 0)
		return false;
	window->window = SDL_CreateWindow(name, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
					  FIRST_WIDTH, FIRST_HEIGHT,
					  SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
	if (!window->window || !canvas_init(&window->canvas, window->window))
		return false;
	SDL_StopTextInput();
	window->given_size = size_in_points(window);
	window_set_title(window, NULL);
	return true;
}

/*
 * Leaves the SDL window to the end of the process. On X11, SDL wakes its own loop through a second
 * connection. The X server may see that message after it has destroyed the window, and Xlib would
 * end the process for that.
 */
void window_close(Window *window)
{
	canvas_deinit(&window->canvas);
	free(window->name);
}

static void show_title(const Window *window)
{
	const char *status = window->status;
	char title[2 * TITLE_SIZE];

	snprintf(title, sizeof(title), "%s%s%s%s%s%s%s - vail-view (" KEYS ")", window->name,
		 status ? " (" : "", status ? status : "", status ? ")" : "",
		 window->is_recording ? " (microphone on)" : "", *window->note ? ": " : "",
		 window->note);
	/* Names are chosen by others. */
	_cleanup_free_ char *escaped = text_escape(title, NULL);
	SDL_SetWindowTitle(window->window, escaped ? escaped : "vail-view");
}

void window_set_title(Window *window, const char *note)
{
	snprintf(window->note, sizeof(window->note), "%s", note ? note : "");
	show_title(window);
}

void window_set_status(Window *window, const char *status)
{
	if (window->status == status)
		return;
	window->status = status;
	show_title(window);
}

void window_set_recording(Window *window, bool is_recording)
{
	if (window->is_recording == is_recording)
		return;
	window->is_recording = is_recording;
	show_title(window);
}

void window_say(Window *window, const char *sentence, bool is_note)
{
	if (canvas_say(&window->canvas, sentence, is_note))
		window_set_title(window, sentence);
}

/* ---- Size ---- */

/* Returns how large the window may be in points, without its frame. */
static Size room(const Window *window)
{
	int display = SDL_GetWindowDisplayIndex(window->window);
	int top = 0, left = 0, bottom = 0, right = 0;
	SDL_Rect usable;

	if (SDL_GetDisplayUsableBounds(display < 0 ? 0 : display, &usable) != 0)
		return size_in_points(window);
	SDL_GetWindowBordersSize(window->window, &top, &left, &bottom, &right);
	Size size = { usable.w - left - right, usable.h - top - bottom };
	return size.width > 0 && size.height > 0 ? size : size_in_points(window);
}

/* Converts pixels to points, rounded up. */
static int32_t points(int32_t pixels, int32_t all_points, int32_t all_pixels)
{
	return (int32_t)(((int64_t)pixels * all_points + all_pixels - 1) / all_pixels);
}

static void resize_to(Window *window, Size picture)
{
	Size now = size_in_points(window), pixels = canvas_size(&window->canvas);
	Size wanted = { points(picture.width, now.width, pixels.width),
			points(picture.height, now.height, pixels.height) };

	if (has_flag(window, SDL_WINDOW_FULLSCREEN_DESKTOP | SDL_WINDOW_MAXIMIZED))
		return;
	wanted = placement_window(wanted, room(window));
	SDL_SetWindowSize(window->window, wanted.width, wanted.height);
	window->given_size = wanted;
}

static bool is_same_size(Size one, Size other)
{
	return one.width == other.width && one.height == other.height;
}

bool window_set_picture(Window *window, const Framebuffer *framebuffer, bool is_whole)
{
	Canvas *canvas = &window->canvas;
	Size before = canvas->picture.size;
	bool is_given = is_same_size(size_in_points(window), window->given_size);

	if (!canvas_set_picture(canvas, framebuffer, is_whole))
		return false;
	if (!is_same_size(before, canvas->picture.size) && (is_given || canvas->is_actual))
		resize_to(window, canvas->picture.size);
	return true;
}

bool window_user_size(const Window *window, Size *ret_size)
{
	*ret_size = canvas_size(&window->canvas);
	return !is_same_size(size_in_points(window), window->given_size);
}

bool window_picture_point(const Window *window, int32_t x, int32_t y, Point *ret_point)
{
	const Canvas *canvas = &window->canvas;
	Size now = size_in_points(window), pixels = canvas_size(canvas);

	if (!canvas->picture.texture || now.width < 1 || now.height < 1)
		return false;
	Point point = { (int32_t)((int64_t)x * pixels.width / now.width),
			(int32_t)((int64_t)y * pixels.height / now.height) };
	*ret_point = placement_point(canvas->picture.size, canvas_picture_box(canvas), point);
	return true;
}

/* ---- Keys ---- */

static void toggle_full_screen(Window *window)
{
	bool is_full = has_flag(window, SDL_WINDOW_FULLSCREEN_DESKTOP);

	SDL_SetWindowFullscreen(window->window, is_full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
}

static void toggle_actual_size(Window *window)
{
	Canvas *canvas = &window->canvas;

	canvas_set_actual(canvas, !canvas->is_actual);
	if (canvas->is_actual && canvas->picture.texture)
		resize_to(window, canvas->picture.size);
}

/*
 * Returns the letter on the key. With a layout that has no Latin letters, returns the letter that
 * is at this place of an English keyboard.
 */
static int letter_of(const SDL_Keysym *key)
{
	if (key->sym > 0 && key->sym < 0x80)
		return key->sym;
	if (key->scancode >= SDL_SCANCODE_A && key->scancode <= SDL_SCANCODE_Z)
		return 'a' + (int)(key->scancode - SDL_SCANCODE_A);
	return 0;
}

bool window_has_shortcut(const SDL_Keysym *key)
{
	int letter = letter_of(key);

	return letter != 0 && strchr("foskrgq", letter);
}

WindowRequested window_obey(Window *window, const SDL_Keysym *key)
{
	switch (letter_of(key)) {
	case 'f':
		toggle_full_screen(window);
		return REQUESTED_NOTHING;
	case 'o':
		toggle_actual_size(window);
		return REQUESTED_NOTHING;
	case 's':
		return REQUESTED_SAVE;
	case 'k':
		return REQUESTED_FORWARD;
	case 'r':
		return REQUESTED_RETRY;
	case 'g':
		return REQUESTED_GRAB;
	case 'q':
		return REQUESTED_CLOSE;
	default:
		return REQUESTED_NOTHING;
	}
}

WindowRequested window_handle(Window *window, const SDL_Event *event)
{
	if (event->type == SDL_QUIT)
		return REQUESTED_CLOSE;
	if (event->type == SDL_WINDOWEVENT &&
	    (event->window.event == SDL_WINDOWEVENT_EXPOSED ||
	     event->window.event == SDL_WINDOWEVENT_SIZE_CHANGED ||
	     event->window.event == SDL_WINDOWEVENT_SHOWN ||
	     event->window.event == SDL_WINDOWEVENT_RESTORED))
		window->canvas.has_changed = true;
	return REQUESTED_NOTHING;
}

void window_draw(Window *window)
{
	Size now = size_in_points(window), pixels = canvas_size(&window->canvas);

	if (has_flag(window, SDL_WINDOW_HIDDEN | SDL_WINDOW_MINIMIZED))
		return;
	window->canvas.text_factor = TEXT_FACTOR * pixels.width / (now.width > 0 ? now.width : 1);
	canvas_draw(&window->canvas);
}
