/* SPDX-License-Identifier: MIT */
/*
 * define-cursor X Y HOT-X HOT-Y: runs in a guest and shows a cursor on its first screen, as a
 * desktop does. The upper left corner of the cursor is at X, Y. Prints "defined", and shows the
 * cursor until it is killed. Linked statically, because the guest has no shared libraries.
 *
 * The structures are those of the kernel's drm_mode.h, which Debian ships only in libdrm-dev.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tests/support/helper.h"
#include "tests/system/helpers/cursor-image.h"

typedef struct CardResources {
	uint64_t framebuffers, crtcs, connectors, encoders; /* addresses of arrays */
	uint32_t framebuffer_count, crtc_count, connector_count, encoder_count;
	uint32_t width_min, width_max, height_min, height_max;
} CardResources;

typedef struct DumbBuffer {
	uint32_t height, width, bits, flags;
	uint32_t handle, stride;
	uint64_t size;
} DumbBuffer;

typedef struct DumbMapping {
	uint32_t handle, unused;
	uint64_t offset;
} DumbMapping;

typedef struct CrtcCursor {
	uint32_t flags, crtc;
	int32_t x, y;
	uint32_t width, height, handle;
	int32_t hot_x, hot_y;
} CrtcCursor;

#define GET_RESOURCES    _IOWR('d', 0xa0, CardResources)
#define CREATE_DUMB      _IOWR('d', 0xb2, DumbBuffer)
#define MAP_DUMB         _IOWR('d', 0xb3, DumbMapping)
#define SET_CURSOR       _IOWR('d', 0xbb, CrtcCursor)
#define CURSOR_HAS_IMAGE 1u
#define CURSOR_HAS_PLACE 2u

#define CRTC_MAX 16

static void ask(int card, unsigned long request, void *argument, const char *what)
{
	if (ioctl(card, request, argument) < 0)
		err(1, "%s", what);
}

static uint32_t first_crtc(int card)
{
	uint32_t crtcs[CRTC_MAX] = { 0 };
	CardResources resources = { .crtcs = (uintptr_t)crtcs, .crtc_count = CRTC_MAX };

	ask(card, GET_RESOURCES, &resources, "resources");
	return crtcs[0];
}

/* Returns the handle of a buffer that contains the image. */
static uint32_t draw(int card)
{
	DumbBuffer buffer = { .width = CURSOR_SIZE, .height = CURSOR_SIZE, .bits = 32 };
	DumbMapping mapping = { 0 };

	ask(card, CREATE_DUMB, &buffer, "buffer");
	mapping.handle = buffer.handle;
	ask(card, MAP_DUMB, &mapping, "mapping");
	uint8_t *image = mmap(NULL, buffer.size, PROT_READ | PROT_WRITE, MAP_SHARED, card,
			      (off_t)mapping.offset);
	if (image == MAP_FAILED)
		err(1, "mmap");
	for (uint32_t y = 0; y < CURSOR_SIZE; y++)
		for (uint32_t x = 0; x < CURSOR_SIZE; x++)
			((uint32_t *)(image + (size_t)y * buffer.stride))[x] = cursor_pixel(x, y);
	return buffer.handle;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		errx(2, "usage: define-cursor X Y HOT-X HOT-Y");
	int card = open("/dev/dri/card0", O_RDWR);
	if (card < 0)
		err(1, "/dev/dri/card0");
	CrtcCursor cursor = { .flags = CURSOR_HAS_IMAGE | CURSOR_HAS_PLACE,
			      .crtc = first_crtc(card),
			      .x = (int32_t)helper_number(argv[1]),
			      .y = (int32_t)helper_number(argv[2]),
			      .width = CURSOR_SIZE,
			      .height = CURSOR_SIZE,
			      .handle = draw(card),
			      .hot_x = (int32_t)helper_number(argv[3]),
			      .hot_y = (int32_t)helper_number(argv[4]) };
	ask(card, SET_CURSOR, &cursor, "cursor");
	puts("defined");
	fflush(stdout);
	pause();
	return 0;
}
