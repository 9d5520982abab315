/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_CURSOR_PLACE_H
#define CLIENT_COMMON_CURSOR_PLACE_H

#include <stdint.h>

/*
 * The state of a cursor. It follows the last row of the image in the cursor's memory, in host byte
 * order.
 */
typedef struct CursorPlace {
	int32_t x; /* top left corner, in pixels of the screen */
	int32_t y;
	int32_t is_visible;
	int32_t hot_x; /* the hot spot, in pixels of the cursor */
	int32_t hot_y;
} CursorPlace;

#endif
