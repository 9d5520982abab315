/* SPDX-License-Identifier: MIT */
/*
 * check-console FORMAT: reads a stream of BMP files from stdin and checks that each is a frame that
 * share-console has drawn in this pixel format. Exits with an error at the first wrong byte. Prints
 *
 *   frame WIDTH HEIGHT LOWEST HIGHEST COUNT   for each frame: the lowest and highest number of a
 *                                             drawing among its pixels, and how many pixels belong
 *                                             to the highest
 *   end FRAMES MODES                          at the end: the numbers of frames and of changes of
 *                                             the size
 */
#include <inttypes.h>

#include "tests/support/helper.h"
#include "tests/system/helpers/console.h"

#define HEADER_SIZE 122

typedef struct Frame {
	uint32_t width;
	uint32_t height;
	uint32_t lowest;
	uint32_t highest;
	size_t count; /* of pixels of the highest drawing */
} Frame;

static uint32_t read_number(const uint8_t *header, size_t offset)
{
	uint32_t value;

	memcpy(&value, header + offset, sizeof(value));
	return value;
}

static void expect(const char *what, uint32_t expected, uint32_t real)
{
	if (expected != real)
		errx(1, "%s: expected %" PRIx32 ", got %" PRIx32, what, expected, real);
}

/* Checks each field of the BITMAPV4HEADER. */
static void check_header(const uint8_t *header, const char *format, Frame *ret_frame)
{
	bool red_first = format[1] == 'B';
	uint32_t width = read_number(header, 18), height = -read_number(header, 22);
	uint32_t red = red_first ? 0xff : 0xff0000, blue = red_first ? 0xff0000 : 0xff;

	if (memcmp(header, "BM", 2) != 0)
		errx(1, "the frame does not begin with a BMP header");
	expect("file size", HEADER_SIZE + 4 * width * height, read_number(header, 2));
	expect("reserved", 0, read_number(header, 6));
	expect("offset of the pixels", HEADER_SIZE, read_number(header, 10));
	expect("size of the DIB header", 108, read_number(header, 14));
	expect("planes and bits per pixel", 1 | 32 << 16, read_number(header, 26));
	expect("compression", 3, read_number(header, 30));
	expect("image size", 4 * width * height, read_number(header, 34));
	expect("colours", 0, read_number(header, 46));
	expect("red", red, read_number(header, 54));
	expect("green", 0xff00, read_number(header, 58));
	expect("blue", blue, read_number(header, 62));
	expect("alpha", format[0] == 'A' ? 0xff000000 : 0, read_number(header, 66));
	*ret_frame = (Frame){ .width = width, .height = height, .lowest = UINT32_MAX };
}

static void check_pixel(Frame *frame, uint32_t x, uint32_t y, uint32_t pixel)
{
	uint32_t drawing = pixel >> 16 & 0xff;

	if (pixel != console_pixel(frame->width, frame->height, x, y, drawing))
		errx(1,
		     "%" PRIu32 " x %" PRIu32 ": wrong pixel at %" PRIu32 ", %" PRIu32
		     ": %08" PRIx32,
		     frame->width, frame->height, x, y, pixel);
	if (drawing < frame->lowest)
		frame->lowest = drawing;
	if (drawing > frame->highest) {
		frame->highest = drawing;
		frame->count = 0;
	}
	frame->count += drawing == frame->highest;
}

static void check_pixels(Frame *frame)
{
	for (uint32_t y = 0; y < frame->height; y++)
		for (uint32_t x = 0; x < frame->width; x++) {
			uint32_t pixel;

			if (fread(&pixel, sizeof(pixel), 1, stdin) != 1)
				errx(1, "the stream ends inside a frame");
			check_pixel(frame, x, y, pixel);
		}
}

int main(int argc, char **argv)
{
	uint8_t header[HEADER_SIZE];
	size_t frames = 0, modes = 0, size;
	Frame frame, before = { 0 };

	if (argc != 2 || strlen(argv[1]) != 4)
		errx(2, "usage: check-console FORMAT");
	while ((size = fread(header, 1, sizeof(header), stdin)) == sizeof(header)) {
		check_header(header, argv[1], &frame);
		check_pixels(&frame);
		printf("frame %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %zu\n", frame.width,
		       frame.height, frame.lowest, frame.highest, frame.count);
		fflush(stdout);
		frames++;
		modes += frame.width != before.width || frame.height != before.height;
		before = frame;
	}
	if (size > 0)
		errx(1, "the stream ends inside a header");
	printf("end %zu %zu\n", frames, modes);
	return 0;
}
