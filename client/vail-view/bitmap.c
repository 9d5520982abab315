/* SPDX-License-Identifier: MIT */
#include "client/vail-view/bitmap.h"

#include <string.h>

#define FILE_HEADER_SIZE 14
#define BITS_PER_PIXEL   32
#define PIXEL_SIZE       (BITS_PER_PIXEL / 8)

/* Constants of BITMAPV4HEADER: compression by masks, and the colour space. */
#define BI_BITFIELDS 3
#define LCS_SRGB     0x73524742

/* Stores the number in little-endian order. Returns the position after it. */
static uint8_t *put(uint8_t *to, uint32_t number, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*to++ = (uint8_t)(number >> (8 * i));
	return to;
}

static size_t row_size(const Framebuffer *framebuffer)
{
	return (size_t)framebuffer->width * PIXEL_SIZE;
}

size_t bitmap_size(const Framebuffer *framebuffer)
{
	return BITMAP_HEADER_SIZE + row_size(framebuffer) * framebuffer->height;
}

void bitmap_header(const Framebuffer *framebuffer, uint8_t ret_header[BITMAP_HEADER_SIZE])
{
	uint32_t format = framebuffer->format;
	bool has_alpha = (format & 0xff) == 'A', red_first = (format >> 8 & 0xff) == 'B';
	uint8_t *to = ret_header;

	memset(ret_header, 0, BITMAP_HEADER_SIZE);
	memcpy(to, "BM", 2);
	to = put(to + 2, (uint32_t)bitmap_size(framebuffer), 4);
	to = put(to + 4, BITMAP_HEADER_SIZE, 4);
	to = put(to, BITMAP_HEADER_SIZE - FILE_HEADER_SIZE, 4);
	to = put(to, framebuffer->width, 4);
	to = put(to, -framebuffer->height, 4); /* negative: top row first */
	to = put(to, 1, 2);                    /* planes */
	to = put(to, BITS_PER_PIXEL, 2);
	to = put(to, BI_BITFIELDS, 4);
	to = put(to, (uint32_t)(bitmap_size(framebuffer) - BITMAP_HEADER_SIZE), 4);
	to += 16; /* resolution and palette, all 0 */
	to = put(to, red_first ? 0x000000ff : 0x00ff0000, 4);
	to = put(to, 0x0000ff00, 4);
	to = put(to, red_first ? 0x00ff0000 : 0x000000ff, 4);
	to = put(to, has_alpha ? 0xff000000 : 0, 4);
	put(to, LCS_SRGB, 4);
}

size_t bitmap_bytes(const Framebuffer *framebuffer, const uint8_t header[BITMAP_HEADER_SIZE],
		    size_t position, const uint8_t **ret_bytes)
{
	if (position < BITMAP_HEADER_SIZE) {
		*ret_bytes = header + position;
		return BITMAP_HEADER_SIZE - position;
	}
	size_t offset = position - BITMAP_HEADER_SIZE, row = row_size(framebuffer);

	/* Without gaps between rows, all of them are contiguous. */
	if (framebuffer->stride == row && !framebuffer->is_bottom_up) {
		*ret_bytes = framebuffer->pixels + offset;
		return framebuffer->size - offset;
	}
	*ret_bytes = framebuffer_row(framebuffer, (uint32_t)(offset / row)) + offset % row;
	return row - offset % row;
}
