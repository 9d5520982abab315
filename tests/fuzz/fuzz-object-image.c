/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what a viewer does with the description and the damage of a shared object, which come from
 * its sharer. An input has the description as numbers, and then rectangles. What the viewer accepts
 * must fit into the memory that it allocates: all stale ranges, each row of the PNG file, and each
 * byte of the bitmap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/object-image.h"
#include "client/common/png.h"
#include "client/vail-view/bitmap.h"
#include "client/vail-view/framebuffer.h"
#include "tests/fuzz/common/fuzz-input.h"

#define FRAMEBUFFER_MAX (1u << 22) /* larger ones only cost time */
#define PNG_MAX         (1u << 14)

const char program_name[] = "fuzz";

static VailObjectInfo take_info(Input *input)
{
	static const uint32_t formats[] = { VAIL_FORMAT('X', 'R', '2', '4'),
					    VAIL_FORMAT('A', 'R', '2', '4'),
					    VAIL_FORMAT('X', 'B', '2', '4'),
					    VAIL_FORMAT('A', 'B', '2', '4') };
	VailObjectInfo info = { .size = sizeof(info) };
	uint8_t format = input_byte(input);

	info.format = format < 4 ? formats[format] : input_number(input);
	info.plane_count = input_byte(input) % (VAIL_PLANE_MAX + 1);
	info.modifier = input_byte(input);
	info.first_row = info.modifier & 0x80 ? VAIL_FIRST_ROW_BOTTOM : VAIL_FIRST_ROW_TOP;
	info.modifier &= 0x7f;
	info.width = input_number(input);
	info.height = input_number(input);
	info.planes[0].offset = input_long_number(input);
	info.planes[0].stride = input_long_number(input);
	return info;
}

static void check_stale(const Framebuffer *framebuffer)
{
	fuzz_must(framebuffer->stale.count <= STALE_RANGES_MAX);
	for (size_t i = 0; i < framebuffer->stale.count; i++) {
		const ByteRange *range = &framebuffer->stale.ranges[i];

		fuzz_must(range->size > 0 && range->offset <= framebuffer->size &&
			  range->size <= framebuffer->size - range->offset);
	}
}

static void write_png(const Framebuffer *framebuffer)
{
	const Picture picture = { .width = framebuffer->width,
				  .height = framebuffer->height,
				  .format = framebuffer->format,
				  .stride = framebuffer->is_bottom_up
						    ? -(ptrdiff_t)framebuffer->stride
						    : (ptrdiff_t)framebuffer->stride,
				  .pixels = framebuffer_row(framebuffer, 0) };
	char *text = NULL, reason[256];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fuzz_must(out != NULL);
	fuzz_must(picture_write_png(&picture, out, reason, sizeof(reason)));
	fclose(out);
	free(text);
}

static void write_bitmap(const Framebuffer *framebuffer)
{
	uint8_t header[BITMAP_HEADER_SIZE];
	const uint8_t *bytes;
	size_t size = bitmap_size(framebuffer), position = 0;
	volatile uint8_t last;

	bitmap_header(framebuffer, header);
	while (position < size) {
		size_t count = bitmap_bytes(framebuffer, header, position, &bytes);

		fuzz_must(count > 0 && count <= size - position);
		last = bytes[0];
		last = bytes[count - 1];
		position += count;
	}
	(void)last;
}

static void show(const VailObjectInfo *info, Input rectangles)
{
	Framebuffer framebuffer;

	fuzz_must(framebuffer_init(&framebuffer, info));
	check_stale(&framebuffer);
	while (rectangles.size > 0) {
		VailRectangle rectangle = { .x = input_number(&rectangles) };

		rectangle.y = input_number(&rectangles);
		rectangle.width = input_number(&rectangles);
		rectangle.height = input_number(&rectangles);
		if (rectangle.x == UINT32_MAX)
			framebuffer.stale.count = 0; /* they have been read */
		framebuffer_mark_stale(&framebuffer, &rectangle);
		check_stale(&framebuffer);
	}
	if (framebuffer.size <= PNG_MAX)
		write_png(&framebuffer);
	if (framebuffer.height <= PNG_MAX)
		write_bitmap(&framebuffer);
	framebuffer_deinit(&framebuffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	VailObjectInfo info = take_info(&input);
	char reason[256];

	if (object_image_check(&info, reason, sizeof(reason)) &&
	    info.planes[0].stride * info.height <= FRAMEBUFFER_MAX)
		show(&info, input);
	return 0;
}
