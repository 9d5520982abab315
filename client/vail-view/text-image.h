/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_TEXT_IMAGE_H
#define CLIENT_VAIL_VIEW_TEXT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Draws a text in lines. A line ends between words, and a word that is longer than a line is cut.
 * This module does no I/O.
 */

/* 8-bit pixels: 0 for the background, 255 for the text. */
typedef struct TextImage {
	uint32_t width;  /* in pixels */
	uint32_t height; /* in pixels */
	uint8_t *pixels; /* width * height */
} TextImage;

/* Lines that do not fit are left out. */
#define TEXT_LINES_MAX 32

/*
 * Draws the text.
 *
 * text: ASCII; other bytes appear as boxes.
 * columns: characters in the longest line that is allowed; at least 1.
 *
 * Returns false if out of memory. The caller calls text_image_deinit().
 */
bool text_image_init(TextImage *image, const char *text, size_t columns);
void text_image_deinit(TextImage *image);

#endif
