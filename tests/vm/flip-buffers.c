/* SPDX-License-Identifier: MIT */
/*
 * flip-buffers: runs in a guest and shows two buffers in turn on its first screen, as a desktop
 * does. For each line on stdin, a colour as a hexadecimal number, it fills the buffer that is not
 * shown, shows it, and prints "shows COLOUR". Linked statically, because the guest has no shared
 * libraries.
 */
#include "tests/vm/guest-card.h"

typedef struct Framebuffer {
	uint32_t id, width, height, stride, bits, depth, handle;
} Framebuffer;

typedef struct CrtcMode {
	uint32_t clock;
	uint16_t width, width_timings[4], height, height_timings[4];
	uint32_t refresh, flags, type;
	char name[32];
} CrtcMode;

typedef struct Crtc {
	uint64_t connectors; /* the address of an array */
	uint32_t connector_count, id, framebuffer, x, y, gamma_size, has_mode;
	CrtcMode mode;
} Crtc;

#define GET_CRTC        _IOWR('d', 0xa1, Crtc)
#define SET_CRTC        _IOWR('d', 0xa2, Crtc)
#define ADD_FRAMEBUFFER _IOWR('d', 0xae, Framebuffer)

#define BUFFERS 2

typedef struct Buffer {
	uint32_t *pixels;
	size_t count;
	uint32_t framebuffer;
} Buffer;

/* Makes a buffer of the size of the mode. */
static Buffer new_buffer(int card, const CrtcMode *mode)
{
	DumbBuffer dumb;
	uint32_t *pixels = (uint32_t *)card_new_buffer(card, mode->width, mode->height, &dumb);
	Framebuffer framebuffer = { .width = mode->width,
				    .height = mode->height,
				    .stride = dumb.stride,
				    .bits = 32,
				    .depth = 24,
				    .handle = dumb.handle };

	card_ask(card, ADD_FRAMEBUFFER, &framebuffer, "framebuffer");
	return (Buffer){ .pixels = pixels,
			 .count = (size_t)dumb.stride / sizeof(*pixels) * mode->height,
			 .framebuffer = framebuffer.id };
}

static void fill(const Buffer *buffer, uint32_t colour)
{
	for (size_t i = 0; i < buffer->count; i++)
		buffer->pixels[i] = colour;
}

int main(void)
{
	int card = card_open();
	uint32_t connector;
	Crtc crtc = { .id = card_first_crtc(card, &connector) };
	Buffer buffers[BUFFERS];
	char line[HELPER_LINE_SIZE];
	const char *colour;

	card_ask(card, GET_CRTC, &crtc, "crtc");
	for (size_t i = 0; i < BUFFERS; i++)
		buffers[i] = new_buffer(card, &crtc.mode);
	crtc.connectors = (uintptr_t)&connector;
	crtc.connector_count = 1;
	for (size_t i = 0; (colour = helper_read_line(line)); i = (i + 1) % BUFFERS) {
		fill(&buffers[i], (uint32_t)strtoul(colour, NULL, 16));
		crtc.framebuffer = buffers[i].framebuffer;
		card_ask(card, SET_CRTC, &crtc, "another buffer");
		printf("shows %s\n", colour);
		fflush(stdout);
	}
	return 0;
}
