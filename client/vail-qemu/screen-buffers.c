/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/screen-buffers.h"

#include <stdio.h>
#include <sys/stat.h>

#include "proto/fd-util.h"
#include "proto/macros.h"

void buffers_init(ScreenBuffers *buffers, Agent *agent, uint32_t number, const char *what)
{
	*buffers = (ScreenBuffers){ .agent = agent, .current = &buffers->items[0] };
	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++) {
		Surface *surface = &buffers->items[i].surface;

		surface->object = (VailObject)VAIL_OBJECT_INIT;
		snprintf(surface->name, sizeof(surface->name), "console %u%s", number, what);
		surface->object.name = surface->name;
		agent_add(agent, surface);
	}
}

static void buffer_hide(const ScreenBuffers *buffers, ScreenBuffer *buffer)
{
	VailObject *object = &buffer->surface.object;

	agent_unshare(buffers->agent, &buffer->surface);
	if (buffer->copy) {
		vail_memory_free(TAKE_POINTER(buffer->copy));
		object->planes[0].descriptor = -1;
	} else {
		fd_close(&object->planes[0].descriptor);
	}
	object->plane_count = 0;
	buffer->surface.is_idle = false;
}

void buffers_hide(ScreenBuffers *buffers)
{
	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++)
		buffer_hide(buffers, &buffers->items[i]);
}

void buffers_deinit(ScreenBuffers *buffers)
{
	buffers_hide(buffers);
	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++)
		agent_remove(buffers->agent, &buffers->items[i].surface);
}

/* ---- The choice of a buffer ---- */

static bool modes_are_equal(const VailObject *one, const VailObject *other)
{
	return one->width == other->width && one->height == other->height &&
	       one->format == other->format && one->modifier == other->modifier &&
	       one->first_row == other->first_row &&
	       one->planes[0].stride == other->planes[0].stride;
}

/* Tests whether both buffers can be parts of the same sequence of flips. */
static bool are_alike(const ScreenBuffer *one, const ScreenBuffer *other)
{
	return !one->copy && !other->copy &&
	       modes_are_equal(&one->surface.object, &other->surface.object);
}

ScreenBuffer *buffers_find(ScreenBuffers *buffers, const VailObject *object)
{
	struct stat status;

	if (fstat(object->planes[0].descriptor, &status) < 0)
		return NULL;
	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++) {
		ScreenBuffer *buffer = &buffers->items[i];
		const VailObject *shown = &buffer->surface.object;

		if (surface_is_shown(&buffer->surface) && !buffer->copy &&
		    buffer->device == status.st_dev && buffer->inode == status.st_ino &&
		    shown->planes[0].offset == object->planes[0].offset &&
		    modes_are_equal(shown, object))
			return buffer;
	}
	return NULL;
}

/* The size may be any claim of QEMU's, so the result is bounded. */
static uint64_t size_of(const VailObject *object)
{
	uint64_t size;

	if (__builtin_mul_overflow(object->planes[0].stride, object->height, &size) ||
	    size > SCREEN_BUFFERS_SIZE_MAX)
		return SCREEN_BUFFERS_SIZE_MAX;
	return size;
}

/* Returns the buffer that was shown the longest time ago, except the current one. Never NULL. */
static ScreenBuffer *find_oldest(ScreenBuffers *buffers)
{
	ScreenBuffer *oldest = NULL;

	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++) {
		ScreenBuffer *buffer = &buffers->items[i];

		if (surface_is_shown(&buffer->surface) && buffer != buffers->current &&
		    (!oldest || buffer->last_shown < oldest->last_shown))
			oldest = buffer;
	}
	return oldest;
}

/* Returns an unused buffer for this object, after it has dropped the oldest ones if necessary. */
static ScreenBuffer *take_unused(ScreenBuffers *buffers, const VailObject *object)
{
	ScreenBuffer *unused = NULL;
	uint64_t size = size_of(object);
	size_t count = 0;

	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++) {
		ScreenBuffer *buffer = &buffers->items[i];

		if (!surface_is_shown(&buffer->surface)) {
			unused = buffer;
			continue;
		}
		size += size_of(&buffer->surface.object);
		count++;
	}
	while (!unused || (count >= SCREEN_BUFFERS_KEPT && size > SCREEN_BUFFERS_SIZE_MAX)) {
		unused = find_oldest(buffers);
		size -= size_of(&unused->surface.object);
		count--;
		buffer_hide(buffers, unused);
	}
	return unused;
}

/* ---- Showing ---- */

static void make_current(ScreenBuffers *buffers, ScreenBuffer *buffer)
{
	Surface *former = buffers_surface(buffers);

	if (surface_is_shown(former)) {
		former->is_idle = true;
		former->damage.count = 0;
	}
	buffer->surface.is_idle = false;
	buffer->surface.refused = former->refused; /* one message for all buffers of the name */
	buffer->last_shown = ++buffers->shown;
	buffers->current = buffer;
}

/* The update tells watchers that this buffer is the current one again. */
void buffers_show_again(ScreenBuffers *buffers, ScreenBuffer *buffer)
{
	const VailObject *object = &buffer->surface.object;
	const VailRectangle all = { .width = object->width, .height = object->height };

	make_current(buffers, buffer);
	if (surface_is_shared(&buffer->surface))
		damage_add(&buffer->surface.damage, &all);
	else
		agent_share(buffers->agent, &buffer->surface);
}

/* Drops the buffers that the guest will not show again with the current one. */
static void hide_others(ScreenBuffers *buffers)
{
	bool is_refused = buffers->agent->state == AGENT_READY &&
			  !surface_is_shared(buffers_surface(buffers));

	for (size_t i = 0; i < SCREEN_BUFFERS_MAX; i++) {
		ScreenBuffer *buffer = &buffers->items[i];

		if (buffer != buffers->current &&
		    (is_refused || !are_alike(buffer, buffers->current)))
			buffer_hide(buffers, buffer);
	}
}

void buffers_show(ScreenBuffers *buffers, const VailObject *object, struct vail_memory *copy)
{
	ScreenBuffer *buffer = take_unused(buffers, object);
	VailObject *shown = &buffer->surface.object;
	struct stat status = { 0 };

	*shown = *object;
	shown->name = buffer->surface.name;
	shown->plane_count = 1;
	fstat(object->planes[0].descriptor, &status);
	buffer->device = status.st_dev;
	buffer->inode = status.st_ino;
	buffer->copy = copy;
	make_current(buffers, buffer);
	agent_share(buffers->agent, &buffer->surface);
	hide_others(buffers);
}
