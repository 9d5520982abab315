/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_CURSOR_IMAGE_H
#define TESTS_SYSTEM_HELPERS_CURSOR_IMAGE_H

#include <stdint.h>

/* The cursor that define-cursor draws in a guest and that read-cursor expects on the host. */

#define CURSOR_SIZE 64u

/* Returns a colour that no other pixel has, so that tests notice misplaced or swapped bytes. */
static inline uint32_t cursor_pixel(uint32_t x, uint32_t y)
{
	return 0xff000000u | (x << 16) | (y << 8) | 0x80u;
}

#endif
