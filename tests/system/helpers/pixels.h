/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_PIXELS_H
#define TESTS_SYSTEM_HELPERS_PIXELS_H

#include <png.h>

#include "tests/support/helper.h"

/*
 * Reads PNG files for helper programs. Prints an error and exits with 2 if a file cannot be read.
 */

typedef struct Pixels {
	png_image image;
	png_bytep data; /* RGBA, without gaps between rows; never freed */
} Pixels;

static inline Pixels pixels_read(const char *path)
{
	Pixels pixels = { .image = { .version = PNG_IMAGE_VERSION } };

	if (!png_image_begin_read_from_file(&pixels.image, path))
		errx(2, "%s: %s", path, pixels.image.message);
	pixels.image.format = PNG_FORMAT_RGBA;
	pixels.data = malloc(PNG_IMAGE_SIZE(pixels.image));
	if (!pixels.data || !png_image_finish_read(&pixels.image, NULL, pixels.data, 0, NULL))
		errx(2, "%s: %s", path, pixels.image.message);
	return pixels;
}

#endif
