/* SPDX-License-Identifier: MIT */
#include "client/vail-view/framebuffer.h"

#include <stdlib.h>

#define PIXEL_SIZE 4

size_t framebuffer_size(const VailObjectInfo *info)
{
	return (info->height - 1) * (size_t)info->planes[0].stride +
	       (size_t)info->width * PIXEL_SIZE;
}

bool framebuffer_init(Framebuffer *framebuffer, const VailObjectInfo *info)
{
	size_t stride = (size_t)info->planes[0].stride;
	size_t size = framebuffer_size(info);
	uint8_t *pixels = calloc(1, size);

	if (!pixels)
		return false;
	*framebuffer = (Framebuffer){ .width = info->width,
				      .height = info->height,
				      .format = info->format,
				      .stride = stride,
				      .size = size,
				      .is_bottom_up = info->first_row == VAIL_FIRST_ROW_BOTTOM,
				      .pixels = pixels };
	framebuffer_mark_all_stale(framebuffer);
	return true;
}

void framebuffer_deinit(Framebuffer *framebuffer)
{
	free(framebuffer->pixels);
	*framebuffer = (Framebuffer){ 0 };
}

static size_t range_end(const ByteRange *range)
{
	return range->offset + range->size;
}

static bool ranges_touch(const ByteRange *one, const ByteRange *other)
{
	return one->offset <= range_end(other) && other->offset <= range_end(one);
}

/* Returns the smallest range that contains both. */
static ByteRange range_join(const ByteRange *one, const ByteRange *other)
{
	size_t begin = one->offset < other->offset ? one->offset : other->offset;
	size_t end = range_end(one) > range_end(other) ? range_end(one) : range_end(other);

	return (ByteRange){ begin, end - begin };
}

/*
 * Adds a range, merged with every range that it overlaps or touches, or with any range if the array
 * is full. Restarts after each merge, because the merged range may touch others.
 */
static void stale_add(StaleRanges *stale, ByteRange range)
{
	size_t i = 0;

	while (i < stale->count) {
		if (stale->count < STALE_RANGES_MAX && !ranges_touch(&stale->ranges[i], &range)) {
			i++;
			continue;
		}
		range = range_join(&stale->ranges[i], &range);
		stale->ranges[i] = stale->ranges[--stale->count];
		i = 0;
	}
	stale->ranges[stale->count++] = range;
}

/* Returns the place in memory of the first of the rows. */
static size_t first_in_memory(const Framebuffer *framebuffer, uint32_t y, uint32_t rows)
{
	return framebuffer->is_bottom_up ? framebuffer->height - y - rows : y;
}

const uint8_t *framebuffer_row(const Framebuffer *framebuffer, uint32_t y)
{
	return framebuffer->pixels + first_in_memory(framebuffer, y, 1) * framebuffer->stride;
}

void framebuffer_range_rows(const Framebuffer *framebuffer, const ByteRange *range,
			    uint32_t *ret_first, uint32_t *ret_count)
{
	size_t last = range->size > 0 ? range_end(range) - 1 : range->offset;

	*ret_first = (uint32_t)(range->offset / framebuffer->stride);
	*ret_count = (uint32_t)(last / framebuffer->stride) - *ret_first + 1;
}

void framebuffer_mark_all_stale(Framebuffer *framebuffer)
{
	framebuffer->stale = (StaleRanges){ .ranges = { { 0, framebuffer->size } }, .count = 1 };
}

/* Returns how many of the count pixels that start at from are before end. */
static uint32_t clip(uint32_t from, uint32_t count, uint32_t end)
{
	if (from >= end)
		return 0;
	return count < end - from ? count : end - from;
}

void framebuffer_mark_stale(Framebuffer *framebuffer, const VailRectangle *rectangle)
{
	uint32_t width = clip(rectangle->x, rectangle->width, framebuffer->width);
	uint32_t height = clip(rectangle->y, rectangle->height, framebuffer->height);

	if (width == 0 || height == 0)
		return;
	size_t first = first_in_memory(framebuffer, rectangle->y, height);
	stale_add(&framebuffer->stale,
		  (ByteRange){ first * framebuffer->stride + (size_t)rectangle->x * PIXEL_SIZE,
			       (height - 1) * framebuffer->stride + (size_t)width * PIXEL_SIZE });
}
