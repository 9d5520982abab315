/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/common/user-message.h"
#include "client/vail-qemu/pixman-format.h"
#include "proto/fd-util.h"

/* Maximum width and height of a screen or a cursor that QEMU passes as bytes. */
#define SIZE_MAX_IN_PIXELS 32768u
#define CURSOR_SIZE_MAX    512u

/* Number of updates of a disabled screen that may be late. */
#define UNSEEN_UPDATES_MAX 10

void console_init(Console *console, uint32_t number, Agent *agent)
{
	*console = (Console){ .number = number, .agent = agent };
	buffers_init(&console->screen, agent, number, "");
	buffers_init(&console->cursor, agent, number, " cursor");
	redraw_init(&console->redraw);
}

void console_deinit(Console *console)
{
	buffers_deinit(&console->screen);
	buffers_deinit(&console->cursor);
	redraw_deinit(&console->redraw);
}

static VailObject object_of(const SharedPixels *pixels)
{
	VailObject object = VAIL_OBJECT_INIT;

	object.width = pixels->width;
	object.height = pixels->height;
	object.format = pixels->format;
	object.modifier = pixels->modifier;
	object.first_row = pixels->is_bottom_up ? VAIL_FIRST_ROW_BOTTOM : VAIL_FIRST_ROW_TOP;
	object.planes[0] = (VailPlane){ .descriptor = pixels->fd,
					.offset = pixels->offset,
					.stride = pixels->stride };
	object.plane_count = 1;
	return object;
}

/* ---- Screen in QEMU's memory ---- */

/* Shows a buffer that was shown before. If it is the current one, QEMU only draws it again. */
static void show_again(Console *console, ScreenBuffer *buffer)
{
	const VailObject *object = &buffer->surface.object;
	const int32_t all[] = { 0, 0, (int32_t)object->width, (int32_t)object->height };

	if (buffer == console->screen.current && surface_is_shared(&buffer->surface)) {
		console_redraw(console, all);
		return;
	}
	redraw_forget(&console->redraw);
	buffers_show_again(&console->screen, buffer);
}

/* Shares memory that was not shown recently. Takes ownership of the object's fd. */
static void show_new(Console *console, const VailObject *object)
{
	redraw_begin(&console->redraw, object);
	buffers_show(&console->screen, object, NULL);
}

/* Notes that QEMU shows a screen, whether it can be shared or not. */
static void note_shown(Console *console)
{
	console->is_known = true;
	console->is_off = false;
	console->is_dmabuf = false;
	console->may_release = false;
	console->may_be_on = false;
}

/* Unshares the screen. */
static void hide_screen(Console *console)
{
	redraw_forget(&console->redraw);
	buffers_hide(&console->screen);
}

void console_show_memory(Console *console, const SharedPixels *pixels)
{
	const char *name = buffers_surface(&console->screen)->name;
	VailObject object = object_of(pixels);

	note_shown(console);
	if (pixels->format == 0) {
		hide_screen(console);
		log_message("%s cannot be shared: DRM has no name for its format", name);
		return;
	}
	object.format = drm_format_opaque(object.format);
	ScreenBuffer *known = buffers_find(&console->screen, &object);
	if (known) {
		show_again(console, known);
		return;
	}
	object.planes[0].descriptor = fcntl(pixels->fd, F_DUPFD_CLOEXEC, 0);
	if (object.planes[0].descriptor >= 0) {
		show_new(console, &object);
		return;
	}
	log_message("%s cannot be shared: its fd cannot be duplicated: %s", name, strerror(errno));
	hide_screen(console);
}

void console_show_dmabuf(Console *console, const SharedPixels *pixels)
{
	bool was_shown = surface_is_shown(buffers_surface(&console->screen));

	console_show_memory(console, pixels);
	console->is_dmabuf = true;
	console->may_release = was_shown && !console->drops_dmabufs;
}

void console_redraw(Console *console, const int32_t rectangle[static 4])
{
	Surface *screen = buffers_surface(&console->screen);
	VailRectangle redrawn;

	console->may_release = false;
	if (console->is_off && console->unseen_updates < UNSEEN_UPDATES_MAX)
		console->unseen_updates++;
	if (console->may_be_on) {
		console->is_stale = true;
		console->drops_dmabufs = true;
	}
	console->may_be_on = false;
	if (!surface_is_shown(screen) ||
	    !damage_clip(rectangle, screen->object.width, screen->object.height, &redrawn))
		return;
	if (console->screen.current->copy)
		damage_add(&screen->damage, &redrawn);
	else
		redraw_compare(&console->redraw, &screen->object, &redrawn, &screen->damage);
}

void console_disable(Console *console)
{
	if (console->may_release) {
		console->may_release = false;
		return;
	}
	console->is_known = true;
	console->is_off = true;
	console->unseen_updates = 0;
	console->may_be_on =
		console->is_dmabuf && surface_is_shown(buffers_surface(&console->screen));
	hide_screen(console);
}

bool console_is_heard(const Console *console)
{
	return console->is_known && console->unseen_updates < UNSEEN_UPDATES_MAX;
}

/* ---- Screen passed as bytes ---- */

/* Checks the size, and that the data has all rows. */
static bool pixels_are_complete(const Pixels *pixels)
{
	uint64_t row = (uint64_t)pixels->width * pixman_format_size(pixels->format);

	return pixels->width > 0 && pixels->width <= SIZE_MAX_IN_PIXELS && pixels->height > 0 &&
	       pixels->height <= SIZE_MAX_IN_PIXELS && pixels->stride >= row &&
	       (uint64_t)pixels->stride * (pixels->height - 1) + row <= pixels->size;
}

static void copy_rows(uint8_t *to, size_t to_stride, const Pixels *pixels)
{
	size_t row = (size_t)pixels->width * pixman_format_size(pixels->format);

	for (uint32_t y = 0; y < pixels->height; y++)
		memcpy(to + y * to_stride, pixels->data + y * (size_t)pixels->stride, row);
}

/*
 * Copies the pixels to new sealed memory, followed by the cursor's place unless that is NULL, and
 * shares it as the current buffer. Hides all buffers after it has logged an error.
 */
static void show_copy(ScreenBuffers *buffers, const Pixels *pixels, uint32_t format,
		      const CursorPlace *place)
{
	struct vail_memory *memory;
	SharedPixels ours = { .width = pixels->width,
			      .height = pixels->height,
			      .stride = pixels->width * pixman_format_size(pixels->format),
			      .format = format };
	size_t size = (size_t)ours.stride * ours.height;

	if (format == 0 ||
	    vail_memory_new(size + (place ? sizeof(*place) : 0), buffers_surface(buffers)->name,
			    &memory) != STATUS_SUCCESS) {
		buffers_hide(buffers);
		log_message("%s cannot be shared: %s", buffers_surface(buffers)->name,
			    format == 0 ? "DRM has no name for its format" : "out of memory");
		return;
	}
	uint8_t *image = vail_memory_data(memory);
	copy_rows(image, ours.stride, pixels);
	if (place)
		memcpy(image + size, place, sizeof(*place));
	ours.fd = vail_memory_descriptor(memory);
	const VailObject object = object_of(&ours);
	buffers_show(buffers, &object, memory);
}

/* Returns the format in which a screen with these pixels is shared; 0 if DRM has no name for it. */
static uint32_t screen_format(const Pixels *pixels)
{
	return drm_format_opaque(pixman_format_to_drm(pixels->format));
}

/* Tests whether the current buffer is a copy with the size of the pixels and this format. */
static bool is_like(const ScreenBuffers *buffers, const Pixels *pixels, uint32_t format)
{
	const VailObject *object = &buffers_surface(buffers)->object;

	return buffers->current->copy && object->width == pixels->width &&
	       object->height == pixels->height && object->format == format;
}

/* Copies the pixels into the current buffer, at the rectangle of their size. */
static void change_copy(ScreenBuffers *buffers, const VailRectangle *rectangle,
			const Pixels *pixels)
{
	Surface *surface = buffers_surface(buffers);

	redraw_copy(&surface->object, vail_memory_data(buffers->current->copy), rectangle,
		    pixels->data, pixels->stride, &surface->damage);
}

static void log_copying(void)
{
	static bool has_logged_copying;

	if (!has_logged_copying)
		log_message("this QEMU does not share its screen's memory, so each change is "
			    "copied; use a newer QEMU to avoid that");
	has_logged_copying = true;
}

void console_show_pixels(Console *console, const Pixels *pixels)
{
	const VailRectangle all = { .width = pixels->width, .height = pixels->height };

	if (!pixels_are_complete(pixels))
		return;
	console->is_stale = false;
	note_shown(console);
	log_copying();
	if (is_like(&console->screen, pixels, screen_format(pixels))) {
		change_copy(&console->screen, &all, pixels);
		return;
	}
	redraw_forget(&console->redraw);
	show_copy(&console->screen, pixels, screen_format(pixels), NULL);
}

void console_copy_pixels(Console *console, int32_t x, int32_t y, const Pixels *pixels)
{
	const VailObject *screen = &buffers_surface(&console->screen)->object;
	const int32_t rectangle[] = { x, y, (int32_t)pixels->width, (int32_t)pixels->height };
	VailRectangle inside;

	if (!console->screen.current->copy || !pixels_are_complete(pixels))
		return;
	if (screen_format(pixels) != screen->format ||
	    !damage_clip(rectangle, screen->width, screen->height, &inside) ||
	    inside.width != pixels->width || inside.height != pixels->height) {
		console->is_stale = true;
		return;
	}
	change_copy(&console->screen, &inside, pixels);
}

void console_check_size(Console *console, uint32_t width, uint32_t height)
{
	const VailObject *screen = &buffers_surface(&console->screen)->object;

	if (console->screen.current->copy && (screen->width != width || screen->height != height))
		console->is_stale = true;
}

/* ---- The cursor ---- */

/*
 * Writes the cursor's place to the memory after its image. If it differs, the whole image counts as
 * changed.
 */
static void cursor_put_place(const Console *console)
{
	Surface *cursor = buffers_surface(&console->cursor);
	const VailObject *object = &cursor->object;
	const VailRectangle all = { .width = object->width, .height = object->height };
	uint8_t *image = vail_memory_data(console->cursor.current->copy);
	uint8_t *place = image + (size_t)object->planes[0].stride * object->height;

	if (memcmp(place, &console->place, sizeof(console->place)) == 0)
		return;
	memcpy(place, &console->place, sizeof(console->place));
	damage_add(&cursor->damage, &all);
}

void console_define_cursor(Console *console, int32_t hot_x, int32_t hot_y, const Pixels *pixels)
{
	uint32_t format = pixman_format_to_drm(pixels->format);
	const VailRectangle all = { .width = pixels->width, .height = pixels->height };

	if (!pixels_are_complete(pixels) || pixels->width > CURSOR_SIZE_MAX ||
	    pixels->height > CURSOR_SIZE_MAX)
		return;
	console->cursors++;
	console->place.hot_x = hot_x;
	console->place.hot_y = hot_y;
	if (!is_like(&console->cursor, pixels, format)) {
		show_copy(&console->cursor, pixels, format, &console->place);
		return;
	}
	change_copy(&console->cursor, &all, pixels);
	cursor_put_place(console);
}

void console_move_cursor(Console *console, int32_t x, int32_t y, bool is_visible)
{
	console->place.x = x;
	console->place.y = y;
	console->place.is_visible = is_visible;
	if (console->cursor.current->copy)
		cursor_put_place(console);
}
