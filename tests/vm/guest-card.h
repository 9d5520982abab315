/* SPDX-License-Identifier: MIT */
#ifndef TESTS_VM_GUEST_CARD_H
#define TESTS_VM_GUEST_CARD_H

#include "tests/support/helper.h"

/*
 * A guest's first screen, for programs that run in it. If something fails, they print an error and
 * exit with 1.
 *
 * The structures are those of the kernel's drm_mode.h, which Debian ships only in libdrm-dev.
 */

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

#define GET_RESOURCES _IOWR('d', 0xa0, CardResources)
#define CREATE_DUMB   _IOWR('d', 0xb2, DumbBuffer)
#define MAP_DUMB      _IOWR('d', 0xb3, DumbMapping)

/* Numbers of crtcs or connectors that a card may have. */
#define CARD_PARTS_MAX 16

static inline void card_ask(int card, unsigned long request, void *argument, const char *what)
{
	if (ioctl(card, request, argument) < 0)
		err(1, "%s", what);
}

static inline int card_open(void)
{
	int card = open("/dev/dri/card0", O_RDWR);

	if (card < 0)
		err(1, "/dev/dri/card0");
	return card;
}

/* Returns the first crtc, and the first connector through the pointer unless it is NULL. */
static inline uint32_t card_first_crtc(int card, uint32_t *ret_connector)
{
	uint32_t crtcs[CARD_PARTS_MAX] = { 0 }, connectors[CARD_PARTS_MAX] = { 0 };
	CardResources resources = { .crtcs = (uintptr_t)crtcs,
				    .crtc_count = CARD_PARTS_MAX,
				    .connectors = (uintptr_t)connectors,
				    .connector_count = CARD_PARTS_MAX };

	card_ask(card, GET_RESOURCES, &resources, "resources");
	if (ret_connector)
		*ret_connector = connectors[0];
	return crtcs[0];
}

/* Makes a buffer of 32 bits a pixel. Returns its memory, which is never unmapped. */
static inline uint8_t *card_new_buffer(int card, uint32_t width, uint32_t height,
				       DumbBuffer *ret_buffer)
{
	DumbBuffer buffer = { .width = width, .height = height, .bits = 32 };
	DumbMapping mapping = { 0 };

	card_ask(card, CREATE_DUMB, &buffer, "buffer");
	mapping.handle = buffer.handle;
	card_ask(card, MAP_DUMB, &mapping, "mapping");
	uint8_t *memory = mmap(NULL, buffer.size, PROT_READ | PROT_WRITE, MAP_SHARED, card,
			       (off_t)mapping.offset);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	*ret_buffer = buffer;
	return memory;
}

#endif
