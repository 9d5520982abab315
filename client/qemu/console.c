/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fd-util.h"
#include "pixman-format.h"
#include "say.h"

/* Larger than any screen or cursor is. */
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

/* The memory goes with what was seen in it. A copy's descriptor is the copy's. */
static void surface_hide(Console *console, Surface *surface, struct vail_memory **memory)
{
	agent_unshare(console->agent, surface);
	if (*memory) {
		vail_memory_free(*memory);
		*memory = NULL;
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
	object->planes[0] = (VailPlane){ .descriptor = pixels->descriptor,
					 .offset = pixels->offset,
					 .stride = pixels->stride };
	object->plane_count = 1;
	agent_share(console->agent, surface);
}

/* ---- A screen in memory of QEMU's ---- */

void console_show_memory(Console *console, const SharedPixels *pixels)
{
	SharedPixels ours = *pixels;

	console_disable(console);
	if (pixels->format == 0) {
		say("%s has a format that has no name in DRM; it is not shared",
		    console->screen.name);
		return;
	}
	ours.descriptor = fcntl(pixels->descriptor, F_DUPFD_CLOEXEC, 0);
	if (ours.descriptor < 0)
		say("%s cannot be kept: %s", console->screen.name, strerror(errno));
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

/* ---- A screen that comes as bytes ---- */

/* Whether the rows are all there. */
static bool pixels_are_whole(const Pixels *pixels)
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

/* Sealed memory for an image like this, which is to be seen from now on, with what stands behind
 * it. */
static struct vail_memory *surface_new_memory(Console *console, Surface *surface,
					      const Pixels *pixels, const CursorPlace *behind)
{
	struct vail_memory *memory;
	SharedPixels ours = { .width = pixels->width,
			      .height = pixels->height,
			      .stride = pixels->width * pixman_format_size(pixels->format),
			      .format = pixman_format_to_drm(pixels->format) };
	size_t size = (size_t)ours.stride * ours.height;

	if (ours.format == 0 || vail_memory_new(size + (behind ? sizeof(*behind) : 0),
						surface->name, &memory) != STATUS_SUCCESS) {
		say("%s cannot be shared: %s", surface->name,
		    ours.format == 0 ? "its format has no name in DRM" : "no memory");
		return NULL;
	}
	uint8_t *image = vail_memory_data(memory);
	copy_rows(image, ours.stride, pixels);
	if (behind)
		memcpy(image + size, behind, sizeof(*behind));
	ours.descriptor = vail_memory_descriptor(memory);
	surface_show(console, surface, &ours);
	return memory;
}

static bool is_like(const Surface *surface, const Pixels *pixels)
{
	return surface_is_shown(surface) && surface->object.width == pixels->width &&
	       surface->object.height == pixels->height &&
	       surface->object.format == pixman_format_to_drm(pixels->format);
}

void console_show_pixels(Console *console, const Pixels *pixels)
{
	static bool said;
	const int32_t all[] = { 0, 0, (int32_t)pixels->width, (int32_t)pixels->height };

	if (!pixels_are_whole(pixels))
		return;
	console->is_stale = false;
	if (!said)
		say("this QEMU passes pixels and no memory: each change is copied, which a newer "
		    "QEMU saves");
	said = true;
	if (console->copy && is_like(&console->screen, pixels)) {
		copy_rows(vail_memory_data(console->copy), console->screen.object.planes[0].stride,
			  pixels);
		console_damage(console, all);
		return;
	}
	console_disable(console);
	console->copy = surface_new_memory(console, &console->screen, pixels, NULL);
}

void console_copy_pixels(Console *console, int32_t x, int32_t y, const Pixels *pixels)
{
	const VailObject *screen = &console->screen.object;
	const int32_t rectangle[] = { x, y, (int32_t)pixels->width, (int32_t)pixels->height };
	VailRectangle inside;

	if (!console->copy || !pixels_are_whole(pixels))
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

/* Writes behind the image where it is. */
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

	if (!pixels_are_whole(pixels) || pixels->width > CURSOR_SIZE_MAX ||
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
	console->cursor_memory = surface_new_memory(console, cursor, pixels, &console->place);
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
