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

static void surface_init(Surface *surface, Agent *agent, uint32_t number, const char *what)
{
	*surface = (Surface){ .object = VAIL_OBJECT_INIT };
	snprintf(surface->name, sizeof(surface->name), "console %u%s", number, what);
	surface->object.name = surface->name;
	agent_add(agent, surface);
}

void console_init(Console *console, uint32_t number, Agent *agent)
{
	*console = (Console){ .number = number, .agent = agent };
	surface_init(&console->screen, agent, number, "");
	surface_init(&console->cursor, agent, number, " cursor");
}

/*
 * Unshares the surface and releases its memory. If *memory is not NULL, it owns the fd; otherwise
 * the surface does.
 */
static void surface_hide(Console *console, Surface *surface, struct vail_memory **memory)
{
	agent_unshare(console->agent, surface);
	if (*memory) {
		vail_memory_free(*memory);
		*memory = NULL;
		surface->object.planes[0].descriptor = -1;
	} else {
		fd_close(&surface->object.planes[0].descriptor);
	}
	surface->object.plane_count = 0;
}

void console_deinit(Console *console)
{
	console_disable(console);
	surface_hide(console, &console->cursor, &console->cursor_memory);
	agent_remove(console->agent, &console->screen);
	agent_remove(console->agent, &console->cursor);
}

static void surface_show(Console *console, Surface *surface, const SharedPixels *pixels)
{
	VailObject *object = &surface->object;

	object->width = pixels->width;
	object->height = pixels->height;
	object->format = pixels->format;
	object->modifier = pixels->modifier;
	object->planes[0] = (VailPlane){ .descriptor = pixels->fd,
					 .offset = pixels->offset,
					 .stride = pixels->stride };
	object->plane_count = 1;
	agent_share(console->agent, surface);
}

/* ---- Screen in QEMU's memory ---- */

void console_show_memory(Console *console, const SharedPixels *pixels)
{
	SharedPixels ours = *pixels;

	console_disable(console);
	if (pixels->format == 0) {
		log_message("%s cannot be shared: DRM has no name for its format",
			    console->screen.name);
		return;
	}
	ours.fd = fcntl(pixels->fd, F_DUPFD_CLOEXEC, 0);
	if (ours.fd < 0)
		log_message("%s cannot be shared: its fd cannot be duplicated: %s",
			    console->screen.name, strerror(errno));
	else
		surface_show(console, &console->screen, &ours);
}

void console_damage(Console *console, const int32_t rectangle[static 4])
{
	const VailObject *screen = &console->screen.object;
	VailRectangle damaged;

	if (surface_is_shown(&console->screen) &&
	    damage_clip(rectangle, screen->width, screen->height, &damaged))
		damage_add(&console->screen.damage, &damaged);
}

void console_disable(Console *console)
{
	surface_hide(console, &console->screen, &console->copy);
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
 * shares it as the surface. Returns the memory, or NULL after it has logged an error.
 */
static struct vail_memory *surface_show_copy(Console *console, Surface *surface,
					     const Pixels *pixels, const CursorPlace *place)
{
	struct vail_memory *memory;
	SharedPixels ours = { .width = pixels->width,
			      .height = pixels->height,
			      .stride = pixels->width * pixman_format_size(pixels->format),
			      .format = pixman_format_to_drm(pixels->format) };
	size_t size = (size_t)ours.stride * ours.height;

	if (ours.format == 0 || vail_memory_new(size + (place ? sizeof(*place) : 0), surface->name,
						&memory) != STATUS_SUCCESS) {
		log_message("%s cannot be shared: %s", surface->name,
			    ours.format == 0 ? "DRM has no name for its format" : "out of memory");
		return NULL;
	}
	uint8_t *image = vail_memory_data(memory);
	copy_rows(image, ours.stride, pixels);
	if (place)
		memcpy(image + size, place, sizeof(*place));
	ours.fd = vail_memory_descriptor(memory);
	surface_show(console, surface, &ours);
	return memory;
}

/* Tests whether the surface's object has the size and format of the pixels. */
static bool is_like(const Surface *surface, const Pixels *pixels)
{
	return surface_is_shown(surface) && surface->object.width == pixels->width &&
	       surface->object.height == pixels->height &&
	       surface->object.format == pixman_format_to_drm(pixels->format);
}

void console_show_pixels(Console *console, const Pixels *pixels)
{
	static bool has_logged_copying;
	const int32_t all[] = { 0, 0, (int32_t)pixels->width, (int32_t)pixels->height };

	if (!pixels_are_complete(pixels))
		return;
	console->is_stale = false;
	if (!has_logged_copying)
		log_message("this QEMU does not share its screen's memory, so each change is "
			    "copied; use a newer QEMU to avoid that");
	has_logged_copying = true;
	if (console->copy && is_like(&console->screen, pixels)) {
		copy_rows(vail_memory_data(console->copy), console->screen.object.planes[0].stride,
			  pixels);
		console_damage(console, all);
		return;
	}
	console_disable(console);
	console->copy = surface_show_copy(console, &console->screen, pixels, NULL);
}

void console_copy_pixels(Console *console, int32_t x, int32_t y, const Pixels *pixels)
{
	const VailObject *screen = &console->screen.object;
	const int32_t rectangle[] = { x, y, (int32_t)pixels->width, (int32_t)pixels->height };
	VailRectangle inside;

	if (!console->copy || !pixels_are_complete(pixels))
		return;
	if (pixman_format_to_drm(pixels->format) != screen->format ||
	    !damage_clip(rectangle, screen->width, screen->height, &inside) ||
	    inside.width != pixels->width || inside.height != pixels->height) {
		console->is_stale = true;
		return;
	}
	uint8_t *to = vail_memory_data(console->copy);
	size_t stride = screen->planes[0].stride;
	copy_rows(to + inside.y * stride + inside.x * pixman_format_size(pixels->format), stride,
		  pixels);
	damage_add(&console->screen.damage, &inside);
}

void console_check_size(Console *console, uint32_t width, uint32_t height)
{
	const VailObject *screen = &console->screen.object;

	if (console->copy && (screen->width != width || screen->height != height))
		console->is_stale = true;
}

/* ---- The cursor ---- */

/* Writes the cursor's place to the memory after its image. */
static void cursor_put_place(const Console *console)
{
	const VailObject *cursor = &console->cursor.object;
	uint8_t *image = vail_memory_data(console->cursor_memory);

	memcpy(image + (size_t)cursor->planes[0].stride * cursor->height, &console->place,
	       sizeof(console->place));
}

static void cursor_damage(Console *console)
{
	const VailObject *cursor = &console->cursor.object;
	const VailRectangle all = { .width = cursor->width, .height = cursor->height };

	damage_add(&console->cursor.damage, &all);
}

void console_define_cursor(Console *console, int32_t hot_x, int32_t hot_y, const Pixels *pixels)
{
	Surface *cursor = &console->cursor;

	if (!pixels_are_complete(pixels) || pixels->width > CURSOR_SIZE_MAX ||
	    pixels->height > CURSOR_SIZE_MAX)
		return;
	console->place.hot_x = hot_x;
	console->place.hot_y = hot_y;
	if (console->cursor_memory && is_like(cursor, pixels)) {
		copy_rows(vail_memory_data(console->cursor_memory), cursor->object.planes[0].stride,
			  pixels);
		cursor_put_place(console);
		cursor_damage(console);
		return;
	}
	surface_hide(console, cursor, &console->cursor_memory);
	console->cursor_memory = surface_show_copy(console, cursor, pixels, &console->place);
}

void console_move_cursor(Console *console, int32_t x, int32_t y, bool is_visible)
{
	console->place.x = x;
	console->place.y = y;
	console->place.is_visible = is_visible;
	if (!console->cursor_memory)
		return;
	cursor_put_place(console);
	cursor_damage(console);
}
