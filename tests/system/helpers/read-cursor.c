/* SPDX-License-Identifier: MIT */
/*
 * read-cursor SOCKET GUID HANDLE: registers for the VM and opens a cursor that vail-qemu shares.
 * Prints "image" if it is the image of define-cursor, or "another image", and a second line
 * "place X Y VISIBLE HOT-X HOT-Y".
 */
#include <vail.h>

#include "client/vail-qemu/console.h"
#include "tests/support/helper.h"
#include "tests/system/helpers/cursor-image.h"

static void expect_success(NTSTATUS status, const char *what)
{
	if (status != STATUS_SUCCESS)
		errx(1, "%s: %s", what, vail_status_name(status));
}

static bool is_the_image(struct vail_object *object)
{
	static uint32_t pixels[CURSOR_SIZE * CURSOR_SIZE];

	expect_success(vail_object_read_image(object, pixels, sizeof(pixels)), "image");
	for (uint32_t y = 0; y < CURSOR_SIZE; y++)
		for (uint32_t x = 0; x < CURSOR_SIZE; x++)
			if (pixels[y * CURSOR_SIZE + x] != cursor_pixel(x, y))
				return false;
	return true;
}

int main(int argc, char **argv)
{
	char context[VAIL_HANDLE_SIZE];
	struct vail_object *object;
	struct vail *vail;
	CursorPlace place;

	if (argc != 4)
		errx(2, "usage: read-cursor SOCKET GUID HANDLE");
	expect_success(vail_open(argv[1], &vail), "vaild");
	expect_success(vail_create_context(vail, NULL, context, NULL), "context");
	expect_success(vail_register_process(vail, argv[2]), "register");
	expect_success(vail_open_object(vail, argv[3], &object), "open");
	const VailObjectInfo *cursor = vail_object_info(object);
	if (cursor->width != CURSOR_SIZE || cursor->height != CURSOR_SIZE)
		errx(1, "the cursor has %u x %u pixels", cursor->width, cursor->height);
	puts(is_the_image(object) ? "image" : "another image");
	expect_success(vail_object_read(object, 0,
					(uint64_t)cursor->planes[0].stride * cursor->height, &place,
					sizeof(place)),
		       "place");
	printf("place %d %d %d %d %d\n", place.x, place.y, place.is_visible, place.hot_x,
	       place.hot_y);
	expect_success(vail_object_close(vail, object), "close");
	vail_close(vail);
	return 0;
}
