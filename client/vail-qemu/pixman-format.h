/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_PIXMAN_FORMAT_H
#define CLIENT_VAIL_QEMU_PIXMAN_FORMAT_H

#include <stdint.h>

/*
 * QEMU uses the pixel formats of the pixman library. Pixman formats describe words in host byte
 * order, DRM formats describe little-endian words; the conversion assumes a little-endian host.
 */

/* Returns the DRM fourcc of a pixman format, or 0 if DRM has no name for it. */
uint32_t pixman_format_to_drm(uint32_t format);

/* Returns the pixman format of a DRM fourcc, or 0 if pixman has none. */
uint32_t pixman_format_from_drm(uint32_t format);

/* Returns the DRM fourcc without alpha; the same one if there is none. Any number is allowed. */
uint32_t drm_format_opaque(uint32_t format);

/* Returns the number of bytes per pixel of a pixman format. */
uint32_t pixman_format_size(uint32_t format);

#endif
