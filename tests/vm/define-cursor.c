/* SPDX-License-Identifier: MIT */
/*
 * define-cursor X Y HOT-X HOT-Y: runs in a guest and shows a cursor on its first screen, as a
 * desktop does. The upper left corner of the cursor is at X, Y. Prints "defined", and shows the
 * cursor until it is killed. Linked statically, because the guest has no shared libraries.
 */
#include "tests/system/helpers/cursor-image.h"
#include "tests/vm/guest-card.h"

typedef struct CrtcCursor {
	uint32_t flags, crtc;
	int32_t x, y;
	uint32_t width, height, handle;
	int32_t hot_x, hot_y;
} CrtcCursor;

#define SET_CURSOR       _IOWR('d', 0xbb, CrtcCursor)
#define CURSOR_HAS_IMAGE 1u
#define CURSOR_HAS_PLACE 2u

/* Returns the handle of a buffer that contains the image. */
static uint32_t draw(int card)
{
	DumbBuffer buffer;
	uint8_t *image = card_new_buffer(card, CURSOR_SIZE, CURSOR_SIZE, &buffer);

	for (uint32_t y = 0; y < CURSOR_SIZE; y++)
		for (uint32_t x = 0; x < CURSOR_SIZE; x++)
			((uint32_t *)(image + (size_t)y * buffer.stride))[x] = cursor_pixel(x, y);
	return buffer.handle;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		errx(2, "usage: define-cursor X Y HOT-X HOT-Y");
	int card = card_open();
	CrtcCursor cursor = { .flags = CURSOR_HAS_IMAGE | CURSOR_HAS_PLACE,
			      .crtc = card_first_crtc(card, NULL),
			      .x = (int32_t)helper_number(argv[1]),
			      .y = (int32_t)helper_number(argv[2]),
			      .width = CURSOR_SIZE,
			      .height = CURSOR_SIZE,
			      .handle = draw(card),
			      .hot_x = (int32_t)helper_number(argv[3]),
			      .hot_y = (int32_t)helper_number(argv[4]) };
	card_ask(card, SET_CURSOR, &cursor, "cursor");
	puts("defined");
	fflush(stdout);
	pause();
	return 0;
}
