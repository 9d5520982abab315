/* SPDX-License-Identifier: MIT */
/*
 * The conversion of a frame to a BMP file: the header, and pixels without the padding between rows,
 * written in pieces of any size.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client/vail-view/bitmap.h"

TestSuite(bitmap);

static Framebuffer make_framebuffer(const char *format, uint32_t width, uint32_t height,
				    uint64_t stride)
{
	VailObjectInfo info = { .width = width, .height = height, .plane_count = 1 };
	Framebuffer framebuffer;

	memcpy(&info.format, format, sizeof(info.format));
	info.planes[0].stride = stride;
	cr_assert(framebuffer_init(&framebuffer, &info));
	for (size_t i = 0; i < framebuffer.size; i++)
		framebuffer.pixels[i] = (uint8_t)(i * 151 >> 2);
	return framebuffer;
}

/* The header of 5 x 3 pixels of XR24. */
static const uint8_t expected_header[BITMAP_HEADER_SIZE] = {
	'B', 'M', 182,  0,   0, 0,    0, 0, 0,    0,    122,  0,    0, 0, /* file */
	108, 0,   0,    0,   5, 0,    0, 0, 0xfd, 0xff, 0xff, 0xff, /* width and negative height */
	1,   0,   32,   0,   3, 0,    0, 0, 60,   0,    0,    0,    /* planes, bits, masks, size */
	0,   0,   0,    0,   0, 0,    0, 0, 0,    0,    0,    0,    0, 0,
	0,   0, /* resolution and palette */
	0,   0,   0xff, 0,   0, 0xff, 0, 0, 0xff, 0,    0,    0,    0, 0,
	0,   0,              /* red, green, blue, alpha */
	'B', 'G', 'R',  's', /* "sRGB" as a little-endian number; zeros follow */
};

Test(bitmap, header_has_the_expected_bytes)
{
	Framebuffer framebuffer = make_framebuffer("XR24", 5, 3, 20);
	uint8_t header[BITMAP_HEADER_SIZE];

	bitmap_header(&framebuffer, header);
	cr_assert_eq(memcmp(header, expected_header, sizeof(header)), 0);
	cr_assert_eq(bitmap_size(&framebuffer), 182);
	framebuffer_deinit(&framebuffer);
}

static uint32_t mask(const uint8_t *header, size_t index)
{
	uint32_t value;

	memcpy(&value, header + 54 + 4 * index, sizeof(value));
	return value;
}

Test(bitmap, masks_match_the_pixel_format)
{
	static const struct {
		const char *format;
		uint32_t masks[4];
	} formats[] = {
		{ "XR24", { 0xff0000, 0xff00, 0xff, 0 } },
		{ "AR24", { 0xff0000, 0xff00, 0xff, 0xff000000 } },
		{ "XB24", { 0xff, 0xff00, 0xff0000, 0 } },
		{ "AB24", { 0xff, 0xff00, 0xff0000, 0xff000000 } },
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		Framebuffer framebuffer = make_framebuffer(formats[i].format, 1, 1, 4);
		uint8_t header[BITMAP_HEADER_SIZE];

		bitmap_header(&framebuffer, header);
		for (size_t j = 0; j < 4; j++)
			cr_assert_eq(mask(header, j), formats[i].masks[j], "%s", formats[i].format);
		framebuffer_deinit(&framebuffer);
	}
}

/* Writes the file in pieces of at most piece bytes and compares it with the frame. */
static void check_bytes(const Framebuffer *framebuffer, size_t piece)
{
	size_t position = 0, size = bitmap_size(framebuffer), row = 4 * framebuffer->width;
	uint8_t header[BITMAP_HEADER_SIZE], *file = malloc(size);
	const uint8_t *bytes;

	bitmap_header(framebuffer, header);
	while (position < size) {
		size_t count = bitmap_bytes(framebuffer, header, position, &bytes);

		cr_assert_gt(count, 0);
		cr_assert_leq(position + count, size);
		count = count < piece ? count : piece;
		memcpy(file + position, bytes, count);
		position += count;
	}
	cr_assert_eq(memcmp(file, header, sizeof(header)), 0);
	for (size_t y = 0; y < framebuffer->height; y++)
		cr_assert_eq(memcmp(file + BITMAP_HEADER_SIZE + y * row,
				    framebuffer_row(framebuffer, (uint32_t)y), row),
			     0);
	free(file);
}

Test(bitmap, pieces_of_any_size_give_the_same_file)
{
	static const size_t pieces[] = { 1, 3, 4, 7, 121, 122, 123, 4096, SIZE_MAX };
	static const struct {
		uint32_t width, height;
		uint64_t stride;
	} shapes[] = { { 1, 1, 4 },  { 1, 1, 99 },   { 5, 3, 20 },
		       { 5, 3, 21 }, { 33, 7, 256 }, { 1, 40, 4 } };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		Framebuffer framebuffer = make_framebuffer("XB24", shapes[i].width,
							   shapes[i].height, shapes[i].stride);

		for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {
			framebuffer.is_bottom_up = false;
			check_bytes(&framebuffer, pieces[j]);
			framebuffer.is_bottom_up = true;
			check_bytes(&framebuffer, pieces[j]);
		}
		framebuffer_deinit(&framebuffer);
	}
}
