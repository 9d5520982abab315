/* SPDX-License-Identifier: MIT */
#include "client/vail-view/screen.h"

#include <stdio.h>
#include <string.h>

#include "client/common/object-image.h"

static bool check_size(const VailObjectInfo *info, size_t bytes_max,
		       char ret_message[SCREEN_MESSAGE_SIZE])
{
	if (framebuffer_size(info) <= bytes_max)
		return true;
	snprintf(ret_message, SCREEN_MESSAGE_SIZE,
		 "the image has %lu x %lu pixels, which is more than %zu bytes",
		 (unsigned long)info->width, (unsigned long)info->height, bytes_max);
	return false;
}

NTSTATUS screen_open(Screen *screen, struct vail *vail, const char *handle, size_t bytes_max,
		     char ret_message[SCREEN_MESSAGE_SIZE])
{
	struct vail_object *object = NULL;
	NTSTATUS status = vail_open_object(vail, handle, &object);

	if (status != STATUS_SUCCESS)
		return status;
	/* Check the object that was opened, not the description in the event. */
	const VailObjectInfo *info = vail_object_info(object);
	screen->object = object;
	screen->has_ended = false;
	vail_object_set_timeout(object, OBJECT_IMAGE_TIMEOUT);
	if (object_image_check(info, ret_message, SCREEN_MESSAGE_SIZE) &&
	    check_size(info, bytes_max, ret_message)) {
		if (framebuffer_init(&screen->framebuffer, info))
			return STATUS_SUCCESS;
		snprintf(ret_message, SCREEN_MESSAGE_SIZE,
			 "this process is out of memory for %lu x %lu pixels",
			 (unsigned long)info->width, (unsigned long)info->height);
	}
	screen_close(screen, vail);
	return STATUS_NOT_SUPPORTED;
}

void screen_close(Screen *screen, struct vail *vail)
{
	/* Ignore errors: a restarted vaild knows no holders, and this one may be unreachable. */
	vail_object_close(vail, screen->object);
	screen->object = NULL;
	framebuffer_deinit(&screen->framebuffer);
}

bool screen_has(const Screen *screen, const char *handle)
{
	return screen->object && strcmp(vail_object_handle(screen->object), handle) == 0;
}

bool screen_is_stale(const Screen *screen)
{
	return screen->framebuffer.stale.count > 0;
}

bool screen_read(Screen *screen, char ret_message[SCREEN_MESSAGE_SIZE])
{
	Framebuffer *framebuffer = &screen->framebuffer;
	StaleRanges *stale = &framebuffer->stale;
	NTSTATUS status = vail_object_wait(screen->object, OBJECT_IMAGE_TIMEOUT);

	for (size_t i = 0; i < stale->count && status == STATUS_SUCCESS; i++) {
		const ByteRange *range = &stale->ranges[i];

		status = vail_object_read(screen->object, 0, range->offset,
					  framebuffer->pixels + range->offset, range->size);
	}
	if (status != STATUS_SUCCESS) {
		snprintf(ret_message, SCREEN_MESSAGE_SIZE, "%s (%s)",
			 vail_object_error_message(screen->object), vail_status_name(status));
		return false;
	}
	framebuffer->fresh = *stale;
	stale->count = 0;
	return true;
}

bool screen_read_cursor_place(Screen *screen, CursorPlace *ret_place)
{
	const Framebuffer *image = &screen->framebuffer;

	return vail_object_read(screen->object, 0, (uint64_t)image->stride * image->height,
				ret_place, sizeof(*ret_place)) == STATUS_SUCCESS;
}
