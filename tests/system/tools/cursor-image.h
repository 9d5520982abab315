/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_TOOLS_CURSOR_IMAGE_H
#define SYSTEM_TOOLS_CURSOR_IMAGE_H

#include <stdint.h>

/* The cursor that define-cursor draws in a guest, and read-cursor knows again on the host. */

#define CURSOR_SIZE 64u

/* No two pixels are alike. Neither is any a byte that stands for another channel. */
static inline uint32_t cursor_pixel(uint32_t x, uint32_t y)
{
	return 0xff000000u | (x << 16) | (y << 8) | 0x80u;
}

#endif
