/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bench.h"
#include "frames.h"

#define PIXEL_SIZE 4
#define FRAMES_MAX 4096

struct Eye {
	EyeRead read;
	void *context;
	uint32_t width;
	uint64_t stride;
	uint8_t *pixels; /* of the whole screen */
	size_t size;
	uint64_t bytes; /* read since the last report, as are the frames */
	size_t frames;
	double latencies[FRAMES_MAX]; /* of the frames */
};

Eye *eye_new(EyeRead read, void *context)
{
	Eye *eye = calloc(1, sizeof(*eye));

	if (!eye)
		bench_fail("no memory");
	eye->read = read;
	eye->context = context;
	return eye;
}

void eye_show(Eye *eye, uint32_t width, uint32_t height, uint64_t stride)
{
	free(eye->pixels);
	eye->width = width;
	eye->stride = stride;
	eye->size = (size_t)stride * height;
	eye->pixels = calloc(1, eye->size);
	if (!eye->pixels)
		bench_fail("no memory");
}

static void read_bytes(Eye *eye, uint64_t offset, size_t size)
{
	if (offset + size > eye->size)
		bench_fail("damage lies outside of the screen");
	if (!eye->read(eye->context, offset, eye->pixels + offset, size))
		bench_fail("the screen cannot be read");
	eye->bytes += size;
}

/* Rows that lie one behind the other are read as one. */
static void read_rectangle(Eye *eye, const VailRectangle *rectangle)
{
	uint64_t first = rectangle->y * eye->stride + (uint64_t)rectangle->x * PIXEL_SIZE;

	if (rectangle->width == eye->width) {
		read_bytes(eye, first, (size_t)eye->stride * rectangle->height);
		return;
	}
	for (uint32_t y = 0; y < rectangle->height; y++)
		read_bytes(eye, first + y * eye->stride, (size_t)rectangle->width * PIXEL_SIZE);
}

void eye_see(Eye *eye, const VailRectangle *damage, size_t count)
{
	uint64_t now = bench_now(), drawn;

	if (eye->frames == FRAMES_MAX || count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		read_rectangle(eye, &damage[i]);
	memcpy(&drawn, eye->pixels + damage[0].y * eye->stride + (size_t)damage[0].x * PIXEL_SIZE,
	       sizeof(drawn));
	eye->latencies[eye->frames++] = (double)(now - drawn);
}

bool eye_report(Eye *eye)
{
	char line[16];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	printf("%zu %" PRIu64 " %.0f\n", eye->frames, eye->bytes,
	       eye->frames > 0 ? bench_median(eye->latencies, eye->frames) : 0);
	fflush(stdout);
	eye->frames = 0;
	eye->bytes = 0;
	return true;
}
