/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_CONSOLE_H
#define TESTS_SYSTEM_HELPERS_CONSOLE_H

#include <stdint.h>

/*
 * Returns the pixel that share-console draws and check-console expects. Its first, second and
 * fourth byte in memory depend on the position and the screen size, so that frames of different
 * sizes differ. The third byte is the number of the drawing.
 */
static inline uint32_t console_pixel(uint32_t width, uint32_t height, uint32_t x, uint32_t y,
				     uint32_t drawing)
{
	uint32_t first = 3 * x + width, second = 5 * y + height, fourth = width ^ 7 * height;

	return (first & 0xff) | (second & 0xff) << 8 | (drawing & 0xff) << 16 | fourth << 24;
}

#endif
