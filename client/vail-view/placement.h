/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_PLACEMENT_H
#define CLIENT_VAIL_VIEW_PLACEMENT_H

#include <stdint.h>

/*
 * Computes where a picture appears in a window. All numbers are in pixels, and sizes are at least 1
 * and at most INT32_MAX. This module does no I/O.
 */

typedef struct Size {
	int32_t width;
	int32_t height;
} Size;

typedef struct Box {
	int32_t x; /* of the top left corner; may be outside the window */
	int32_t y;
	int32_t width;
	int32_t height;
} Box;

/* Returns the largest box of the picture's aspect in the middle of the window. */
Box placement_fit(Size picture, Size window);

/*
 * Returns a box of the picture's own size. It is in the middle of the window, and where it is
 * larger than the window, it begins at the left or the top edge.
 */
Box placement_actual(Size picture, Size window);

/*
 * Returns where a part of the picture appears if the whole picture appears at place. Any part is
 * allowed, also one outside the picture.
 */
Box placement_part(Size picture, Box place, Box part);

typedef struct Point {
	int32_t x;
	int32_t y;
} Point;

/*
 * Returns the pixel of the picture that appears at this point of the window if the whole picture
 * appears at place; next to the picture, the nearest pixel of it.
 */
Point placement_point(Size picture, Box place, Point point);

/* Returns the size of a window for the picture: the picture's own, or less if that exceeds room. */
Size placement_window(Size picture, Size room);

#endif
