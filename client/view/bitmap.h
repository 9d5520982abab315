/* SPDX-License-Identifier: MIT */
#ifndef VIEW_BITMAP_H
#define VIEW_BITMAP_H

#include <stddef.h>
#include <stdint.h>

#include "framebuffer.h"

/*
 * Frames as BMP files: the one format of an image that has the pixels as they are in memory, rows
 * from the top, says its own size, and is read by everybody. The header is of version 4, since its
 * masks say which byte is what, and whether there is an alpha. Pure.
 */

#define BITMAP_HEADER_SIZE 122

/* Writes the header of a frame, of a known format and not empty. */
void bitmap_header(const Framebuffer *framebuffer, uint8_t ret_header[BITMAP_HEADER_SIZE]);

/* How many bytes the file has in all. */
size_t bitmap_size(const Framebuffer *framebuffer);

/* What stands in the file from a position on, which is before its end: ret_bytes are so many as are
 * returned, and more may follow. The header is what bitmap_header() wrote. */
size_t bitmap_bytes(const Framebuffer *framebuffer, const uint8_t header[BITMAP_HEADER_SIZE],
		    size_t position, const uint8_t **ret_bytes);

#endif
