/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_TOOLS_CONSOLE_H
#define SYSTEM_TOOLS_CONSOLE_H

#include <stdint.h>

/*
 * What share-console draws and check-console expects: of a pixel's four bytes in memory the first,
 * second and fourth tell place and mode, so that no picture of one mode can pass for one of
 * another, and the third which drawing it was.
 */
static inline uint32_t console_pixel(uint32_t width, uint32_t height, uint32_t x, uint32_t y,
				     uint32_t drawing)
{
	uint32_t first = 3 * x + width, second = 5 * y + height, fourth = width ^ 7 * height;

	return (first & 0xff) | (second & 0xff) << 8 | (drawing & 0xff) << 16 | fourth << 24;
}

#endif
