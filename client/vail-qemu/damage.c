/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/damage.h"

/* Clips an interval to 0..size. Returns false if the result is empty. */
static bool clip(int64_t start, int64_t length, uint32_t size, uint32_t *ret_start,
		 uint32_t *ret_length)
{
	int64_t end = start + length < size ? start + length : size;

	start = start > 0 ? start : 0;
	if (start >= end)
		return false;
	*ret_start = (uint32_t)start;
	*ret_length = (uint32_t)(end - start);
	return true;
}

bool damage_clip(const int32_t rectangle[static 4], uint32_t width, uint32_t height,
		 VailRectangle *ret)
{
	return clip(rectangle[0], rectangle[2], width, &ret->x, &ret->width) &&
	       clip(rectangle[1], rectangle[3], height, &ret->y, &ret->height);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Returns the smallest rectangle that contains both. */
static VailRectangle join(const VailRectangle *a, const VailRectangle *b)
{
	VailRectangle both = { .x = smaller(a->x, b->x), .y = smaller(a->y, b->y) };

	both.width = larger(a->x + a->width, b->x + b->width) - both.x;
	both.height = larger(a->y + a->height, b->y + b->height) - both.y;
	return both;
}

static bool contains(const VailRectangle *outer, const VailRectangle *inner)
{
	VailRectangle both = join(outer, inner);

	return both.width == outer->width && both.height == outer->height;
}

void damage_add(Damage *damage, const VailRectangle *rectangle)
{
	damage->added++;
	for (size_t i = 0; i < damage->count; i++)
		if (contains(&damage->rectangles[i], rectangle))
			return;
	if (damage->count < DAMAGE_RECTANGLES_MAX) {
		damage->rectangles[damage->count++] = *rectangle;
		return;
	}
	for (size_t i = 1; i < damage->count; i++)
		damage->rectangles[0] = join(&damage->rectangles[0], &damage->rectangles[i]);
	damage->rectangles[0] = join(&damage->rectangles[0], rectangle);
	damage->count = 1;
}
