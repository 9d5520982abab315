/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/frame-reader.h"
#include "tests/support/measure.h"

#define PIXEL_SIZE 4
#define FRAMES_MAX 4096

struct FrameReader {
	FrameReadFunction read;
	void *context;
	uint32_t width;
	uint64_t stride;
	uint8_t *pixels; /* copy of the whole screen */
	size_t size;
	uint64_t bytes; /* since the last report, as the following members */
	size_t frames;
	double latencies[FRAMES_MAX]; /* of each frame, in nanoseconds */
};

FrameReader *frame_reader_new(FrameReadFunction read, void *context)
{
	FrameReader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		bench_fail("out of memory");
	reader->read = read;
	reader->context = context;
	return reader;
}

void frame_reader_set_screen(FrameReader *reader, uint32_t width, uint32_t height, uint64_t stride)
{
	free(reader->pixels);
	reader->width = width;
	reader->stride = stride;
	reader->size = (size_t)stride * height;
	reader->pixels = calloc(1, reader->size);
	if (!reader->pixels)
		bench_fail("out of memory");
}

static void read_bytes(FrameReader *reader, uint64_t offset, size_t size)
{
	if (offset + size > reader->size)
		bench_fail("a damaged rectangle is outside the screen");
	if (!reader->read(reader->context, offset, reader->pixels + offset, size))
		bench_fail("cannot read the screen");
	reader->bytes += size;
}

/* Reads contiguous rows at once. */
static void read_rectangle(FrameReader *reader, const VailRectangle *rectangle)
{
	uint64_t first = rectangle->y * reader->stride + (uint64_t)rectangle->x * PIXEL_SIZE;

	if (rectangle->width == reader->width) {
		read_bytes(reader, first, (size_t)reader->stride * rectangle->height);
		return;
	}
	for (uint32_t y = 0; y < rectangle->height; y++)
		read_bytes(reader, first + y * reader->stride,
			   (size_t)rectangle->width * PIXEL_SIZE);
}

void frame_reader_read(FrameReader *reader, const VailRectangle *damage, size_t count)
{
	uint64_t now = bench_now(), drawn;

	if (reader->frames == FRAMES_MAX || count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		read_rectangle(reader, &damage[i]);
	memcpy(&drawn,
	       reader->pixels + damage[0].y * reader->stride + (size_t)damage[0].x * PIXEL_SIZE,
	       sizeof(drawn));
	reader->latencies[reader->frames++] = (double)(now - drawn);
}

bool frame_reader_report(FrameReader *reader)
{
	char line[16];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	printf("%zu %" PRIu64 " %.0f\n", reader->frames, reader->bytes,
	       reader->frames > 0 ? bench_median(reader->latencies, reader->frames) : 0);
	fflush(stdout);
	reader->frames = 0;
	reader->bytes = 0;
	return true;
}
