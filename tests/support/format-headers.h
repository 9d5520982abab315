/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FORMAT_HEADERS_H
#define TESTS_SUPPORT_FORMAT_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads the pixel formats that the installed headers of libdrm and pixman define, so that tests can
 * compare vaild's tables with them.
 */

#define DRM_FORMATS_MAX 256

/* A format of drm_fourcc.h. Its layout is read from the header's comments. */
typedef struct DrmFormat {
	char name[40]; /* the part of its macro after DRM_FORMAT_ */
	char code[5];
	bool is_undefined; /* it has no linear layout */
	struct {
		unsigned int bits;  /* of a block */
		unsigned int width; /* of a block, in samples */
		unsigned int height;
		unsigned int x_step; /* pixels per sample */
		unsigned int y_step;
	} planes[3]; /* the bits are 0 in planes that the format does not have */
} DrmFormat;

/* Reads drm_fourcc.h. Returns the number of formats, or 0 if the header is not installed. */
size_t drm_formats_read(DrmFormat formats[static DRM_FORMATS_MAX]);

/* Returns NULL if the header has no format of this name. */
const DrmFormat *drm_format_find(const DrmFormat *formats, size_t count, const char *name);

#endif
