/* SPDX-License-Identifier: MIT */
#ifndef QEMU_PIXMAN_FORMAT_H
#define QEMU_PIXMAN_FORMAT_H

#include <stdint.h>

/*
 * QEMU names formats as the pixman library does: a word of the host's byte order. DRM's are of
 * little-endian words, which those of the hosts with GPUs are.
 */

/* The DRM fourcc of the pixman format; 0 where there is none. */
uint32_t pixman_format_to_drm(uint32_t format);

/* How many bytes a pixel of it has. */
uint32_t pixman_format_size(uint32_t format);

#endif
