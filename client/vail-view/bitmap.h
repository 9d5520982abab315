/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_BITMAP_H
#define CLIENT_VAIL_VIEW_BITMAP_H

#include <stddef.h>
#include <stdint.h>

#include "client/vail-view/framebuffer.h"

/*
 * Encodes frames as BMP files. BMP is widely supported, states its own size, and can store the
 * pixels as they are in memory. The top row of the picture always comes first, so that readers need
 * not support both orders. The header has version 4, because its masks
 * tell the order of the channels and whether there is alpha. This module does no I/O.
 */

#define BITMAP_HEADER_SIZE 122

/* Writes the header of a frame, which must not be empty. */
void bitmap_header(const Framebuffer *framebuffer, uint8_t ret_header[BITMAP_HEADER_SIZE]);

/* Returns the size of the file in bytes. */
size_t bitmap_size(const Framebuffer *framebuffer);

/*
 * Returns the number of contiguous bytes of the file from position on, which must be less than its
 * size, and stores a pointer to them in *ret_bytes. Call again for the bytes that follow.
 *
 * header: as bitmap_header() wrote it.
 */
size_t bitmap_bytes(const Framebuffer *framebuffer, const uint8_t header[BITMAP_HEADER_SIZE],
		    size_t position, const uint8_t **ret_bytes);

#endif
