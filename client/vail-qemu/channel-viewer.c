/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-viewer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/display-names.h"
#include "client/vail-qemu/channel-pixels.h"
#include "client/vail-qemu/pixman-format.h"
#include "proto/fd-util.h"
#include "proto/macros.h"

#define PATH      DISPLAY_ROOT "/Listener"
#define INTERFACE DISPLAY_PREFIX ".Listener"
#define MAP       INTERFACE ".Unix.Map"

/* Messages that are handled in one turn, so that no viewer takes the time of others. */
#define MESSAGES_A_TURN 64

/* ---- Life ---- */

ChannelViewer *channel_viewer_new(int socket, const Console *console, int64_t now)
{
	ChannelViewer *viewer = calloc(1, sizeof(*viewer));

	if (!viewer) {
		fd_close(&socket);
		return NULL;
	}
	*viewer = (ChannelViewer){ .console = console, .asked_at = now, .must_show = true };
	if (channel_bus_init(&viewer->bus, socket) < 0) {
		channel_viewer_free(viewer);
		return NULL;
	}
	return viewer;
}

void channel_viewer_free(ChannelViewer *viewer)
{
	if (!viewer)
		return;
	channel_bus_deinit(&viewer->bus);
	free(viewer);
}

/* ---- Calls ---- */

static int begin_call(const ChannelViewer *viewer, const char *interface, const char *member,
		      sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(viewer->bus.bus, ret, NULL, PATH, interface, member);
}

/* A viewer may refuse a call that it does not know. */
static int on_reply(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	ChannelViewer *viewer = context;

	(void)reply;
	(void)error;
	viewer->unreplied--;
	return 0;
}

/* Sends the call. The limit is that of channel_viewer_process(). */
static int send_call(ChannelViewer *viewer, sd_bus_message *call, sd_bus_message_handler_t handler)
{
	int result = sd_bus_call_async(viewer->bus.bus, NULL, call, handler, viewer, UINT64_MAX);

	if (result >= 0)
		viewer->unreplied++;
	return result;
}

/* Reads the listener's property Interfaces. */
static bool names_map(sd_bus_message *reply)
{
	const char *name;
	bool is_named = false;

	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_enter_container(reply, 'v', "as") <= 0 ||
	    sd_bus_message_enter_container(reply, 'a', "s") <= 0)
		return false;
	while (sd_bus_message_read(reply, "s", &name) > 0)
		is_named = is_named || strcmp(name, MAP) == 0;
	return is_named;
}

static int on_interfaces(sd_bus_message *reply, void *context, sd_bus_error *error)
{
	ChannelViewer *viewer = context;

	viewer->has_map = names_map(reply);
	viewer->is_ready = true;
	return on_reply(reply, context, error);
}

static int ask_for_interfaces(ChannelViewer *viewer)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, DISPLAY_PROPERTIES, "Get", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "ss", INTERFACE, "Interfaces");
	return result < 0 ? result : send_call(viewer, call, on_interfaces);
}

/* ---- The screen ---- */

static int show_nothing(ChannelViewer *viewer)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, INTERFACE, "Disable", &call);

	viewer->screen = VIEWER_NONE;
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

static int show_map(ChannelViewer *viewer, const VailObject *object)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_close_ int fd = channel_pixels_open_read_only(object);
	int result = fd < 0 ? -errno : begin_call(viewer, MAP, "ScanoutMap", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "huuuuu", fd,
					       (uint32_t)object->planes[0].offset, object->width,
					       object->height, (uint32_t)object->planes[0].stride,
					       channel_pixels_format(object));
	viewer->screen = VIEWER_MAP;
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

/* The kernel cannot make another descriptor of a dma-buf that is read-only. */
static int show_dmabuf(ChannelViewer *viewer, const VailObject *object)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, INTERFACE, "ScanoutDMABUF", &call);

	if (result >= 0)
		result = sd_bus_message_append(
			call, "huuuutb", object->planes[0].descriptor, object->width,
			object->height, (uint32_t)object->planes[0].stride, object->format,
			object->modifier, object->first_row == VAIL_FIRST_ROW_BOTTOM);
	viewer->screen = VIEWER_DMABUF;
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

static int show_bytes(ChannelViewer *viewer, const VailObject *object)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_free_ uint8_t *pixels = NULL;
	const VailRectangle all = { .width = object->width, .height = object->height };
	size_t size;

	if (!channel_pixels_read(object, &all, &pixels, &size))
		return show_nothing(viewer);
	int result = begin_call(viewer, INTERFACE, "Scanout", &call);
	if (result >= 0)
		result = sd_bus_message_append(call, "uuuu", object->width, object->height,
					       (uint32_t)(size / object->height),
					       channel_pixels_format(object));
	if (result >= 0)
		result = sd_bus_message_append_array(call, 'y', pixels, size);
	viewer->screen = VIEWER_BYTES;
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

/* Map has neither rows from the bottom nor large offsets. */
static bool is_mappable(const VailObject *object)
{
	return object->first_row == VAIL_FIRST_ROW_TOP && object->planes[0].offset <= UINT32_MAX &&
	       object->planes[0].stride <= UINT32_MAX;
}

static int show_screen(ChannelViewer *viewer)
{
	const Surface *surface = buffers_surface(&viewer->console->screen);
	const VailObject *object = &surface->object;
	PixelsKind kind = surface_is_shown(surface) ? channel_pixels_kind(object) : PIXELS_UNKNOWN;

	viewer->must_show = false;
	viewer->damage.count = 0;
	if (kind == PIXELS_DMABUF)
		return show_dmabuf(viewer, object);
	if (kind != PIXELS_MEMORY || channel_pixels_format(object) == 0)
		return show_nothing(viewer);
	if (viewer->has_map && is_mappable(object)) {
		int result = show_map(viewer, object);

		/* Without /proc, there is no read-only descriptor. */
		return result < 0 ? show_bytes(viewer, object) : result;
	}
	return show_bytes(viewer, object);
}

/* ---- Updates ---- */

static int send_rectangle(ChannelViewer *viewer, const VailRectangle *rectangle)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	bool is_map = viewer->screen == VIEWER_MAP;
	int result = begin_call(viewer, is_map ? MAP : INTERFACE,
				is_map ? "UpdateMap" : "UpdateDMABUF", &call);

	if (result >= 0)
		result = sd_bus_message_append(call, "iiii", (int32_t)rectangle->x,
					       (int32_t)rectangle->y, (int32_t)rectangle->width,
					       (int32_t)rectangle->height);
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

static int send_bytes(ChannelViewer *viewer, const VailRectangle *rectangle)
{
	const VailObject *object = &buffers_surface(&viewer->console->screen)->object;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	_cleanup_free_ uint8_t *pixels = NULL;
	size_t size;

	if (!channel_pixels_read(object, rectangle, &pixels, &size))
		return show_nothing(viewer);
	int result = begin_call(viewer, INTERFACE, "Update", &call);
	if (result >= 0)
		result = sd_bus_message_append(
			call, "iiiiuu", (int32_t)rectangle->x, (int32_t)rectangle->y,
			(int32_t)rectangle->width, (int32_t)rectangle->height,
			(uint32_t)(size / rectangle->height), channel_pixels_format(object));
	if (result >= 0)
		result = sd_bus_message_append_array(call, 'y', pixels, size);
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

static int send_damage(ChannelViewer *viewer)
{
	int result = 0;

	for (size_t i = 0; i < viewer->damage.count && result >= 0; i++) {
		const VailRectangle *rectangle = &viewer->damage.rectangles[i];

		if (viewer->screen == VIEWER_BYTES)
			result = send_bytes(viewer, rectangle);
		else if (viewer->screen != VIEWER_NONE)
			result = send_rectangle(viewer, rectangle);
	}
	viewer->damage.count = 0;
	return result;
}

/* ---- The cursor ---- */

static int define_cursor(ChannelViewer *viewer)
{
	const ScreenBuffers *cursor = &viewer->console->cursor;
	const VailObject *object = &buffers_surface(cursor)->object;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result;

	viewer->cursors = viewer->console->cursors;
	if (!cursor->current->copy)
		return 0;
	result = begin_call(viewer, INTERFACE, "CursorDefine", &call);
	if (result >= 0)
		result = sd_bus_message_append(
			call, "iiii", (int32_t)object->width, (int32_t)object->height,
			viewer->console->place.hot_x, viewer->console->place.hot_y);
	if (result >= 0)
		result = sd_bus_message_append_array(
			call, 'y', vail_memory_data(cursor->current->copy),
			(size_t)object->planes[0].stride * object->height);
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

static bool is_same_place(const CursorPlace *one, const CursorPlace *other)
{
	return one->x == other->x && one->y == other->y && one->is_visible == other->is_visible;
}

static int move_cursor(ChannelViewer *viewer)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int result = begin_call(viewer, INTERFACE, "MouseSet", &call);

	viewer->place = viewer->console->place;
	if (result >= 0)
		result = sd_bus_message_append(call, "iii", viewer->place.x, viewer->place.y,
					       viewer->place.is_visible);
	return result < 0 ? result : send_call(viewer, call, on_reply);
}

/* ---- Turns ---- */

void channel_viewer_note(ChannelViewer *viewer)
{
	const ScreenBuffers *screen = &viewer->console->screen;
	const Surface *surface = buffers_surface(screen);
	bool is_shown = surface_is_shown(surface);

	if (is_shown != viewer->is_shown || screen->shown != viewer->shown)
		viewer->must_show = true;
	else if (surface->damage.added != viewer->damage_seen)
		for (size_t i = 0; i < surface->damage.count; i++)
			damage_add(&viewer->damage, &surface->damage.rectangles[i]);
	viewer->is_shown = is_shown;
	viewer->shown = screen->shown;
	viewer->damage_seen = surface->damage.added;
}

/* The screen comes first. Before QEMU has said anything about it, there is nothing to say. */
static int send_due(ChannelViewer *viewer)
{
	const Console *console = viewer->console;
	int result = 0;

	if (viewer->must_show && console->is_known)
		result = show_screen(viewer);
	if (result >= 0 && !viewer->must_show && viewer->damage.count > 0)
		result = send_damage(viewer);
	if (result >= 0 && viewer->cursors != console->cursors)
		result = define_cursor(viewer);
	if (result >= 0 && !is_same_place(&viewer->place, &console->place))
		result = move_cursor(viewer);
	return result;
}

/* Sends the calls that are due, unless a reply of the viewer is missing. */
static int send_next(ChannelViewer *viewer, int64_t now)
{
	int result = 0;

	if (viewer->unreplied > 0 || sd_bus_is_ready(viewer->bus.bus) <= 0)
		return 0;
	result = viewer->is_ready ? send_due(viewer) : ask_for_interfaces(viewer);
	if (viewer->unreplied > 0)
		viewer->asked_at = now;
	return result;
}

void channel_viewer_process(ChannelViewer *viewer, int64_t now)
{
	int result = 1;

	for (int i = 0; i < MESSAGES_A_TURN && result > 0; i++)
		result = channel_bus_process(&viewer->bus);
	if (result >= 0)
		result = send_next(viewer, now);
	viewer->is_lost = result < 0;
	viewer->is_slow = channel_viewer_timeout(viewer, now) == 0;
}

int channel_viewer_timeout(const ChannelViewer *viewer, int64_t now)
{
	if (viewer->is_ready && viewer->unreplied == 0)
		return -1;
	int64_t left = viewer->asked_at + VIEWER_LIMIT - now;
	return left > 0 ? (int)left : 0;
}
