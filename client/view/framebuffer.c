/* SPDX-License-Identifier: MIT */
#include "framebuffer.h"

#include <stdlib.h>

#define PIXEL_SIZE 4

bool framebuffer_init(Framebuffer *framebuffer, const VailObjectInfo *info)
{
	size_t stride = (size_t)info->planes[0].stride;
	size_t size = (info->height - 1) * stride + (size_t)info->width * PIXEL_SIZE;
	uint8_t *pixels = calloc(1, size);

	if (!pixels)
		return false;
	*framebuffer = (Framebuffer){ .width = info->width,
				      .height = info->height,
				      .format = info->format,
				      .stride = stride,
				      .size = size,
				      .pixels = pixels };
	framebuffer_damage_all(framebuffer);
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

static bool ranges_meet(const ByteRange *one, const ByteRange *other)
{
	return one->offset <= range_end(other) && other->offset <= range_end(one);
}

/* The smallest range that holds both. */
static ByteRange range_join(const ByteRange *one, const ByteRange *other)
{
	size_t begin = one->offset < other->offset ? one->offset : other->offset;
	size_t end = range_end(one) > range_end(other) ? range_end(one) : range_end(other);

	return (ByteRange){ begin, end - begin };
}

/* Joins it with each that it meets: what grows so may meet more. */
static void damage_add(Damage *damage, ByteRange range)
{
	size_t i = 0;

	while (i < damage->count) {
		if (damage->count < DAMAGE_MAX && !ranges_meet(&damage->ranges[i], &range)) {
			i++;
			continue;
		}
		range = range_join(&damage->ranges[i], &range);
		damage->ranges[i] = damage->ranges[--damage->count];
		i = 0;
	}
	damage->ranges[damage->count++] = range;
}

void framebuffer_damage_all(Framebuffer *framebuffer)
{
	framebuffer->damage = (Damage){ .ranges = { { 0, framebuffer->size } }, .count = 1 };
}

/* How much of so many pixels from a place on is before the end. */
static uint32_t clip(uint32_t from, uint32_t count, uint32_t end)
{
	if (from >= end)
		return 0;
	return count < end - from ? count : end - from;
}

void framebuffer_damage(Framebuffer *framebuffer, const VailRectangle *rectangle)
{
	uint32_t width = clip(rectangle->x, rectangle->width, framebuffer->width);
	uint32_t height = clip(rectangle->y, rectangle->height, framebuffer->height);

	if (width == 0 || height == 0)
		return;
	damage_add(
		&framebuffer->damage,
		(ByteRange){ rectangle->y * framebuffer->stride + (size_t)rectangle->x * PIXEL_SIZE,
			     (height - 1) * framebuffer->stride + (size_t)width * PIXEL_SIZE });
}
