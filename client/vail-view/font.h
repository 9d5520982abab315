/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_FONT_H
#define CLIENT_VAIL_VIEW_FONT_H

#include <stdint.h>

/* A small font of fixed width, drawn for vail-view's window, so that it needs no font files. */

/* Size of a glyph in pixels, and of the cell that it stands in. */
#define GLYPH_WIDTH  5
#define GLYPH_HEIGHT 8
#define CELL_WIDTH   (GLYPH_WIDTH + 1)
#define CELL_HEIGHT  (GLYPH_HEIGHT + 2)

/*
 * Returns the rows of the character's glyph, from the top. The highest of the lower GLYPH_WIDTH
 * bits is the leftmost pixel. A character that is not printable ASCII gets a box.
 */
const uint8_t *font_glyph(char character);

#endif
