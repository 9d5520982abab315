/* SPDX-License-Identifier: MIT */
/* same-picture A B: whether two PNG files have the same size and the same colours, pixel by pixel.
 */
#include <png.h>

#include "tool.h"

typedef struct Pixels {
	png_image image;
	png_bytep data;
} Pixels;

static Pixels read_picture(const char *path)
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

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: same-picture A B");
	Pixels a = read_picture(argv[1]), b = read_picture(argv[2]);
	if (a.image.width != b.image.width || a.image.height != b.image.height)
		errx(1, "%u x %u and %u x %u", a.image.width, a.image.height, b.image.width,
		     b.image.height);
	for (size_t i = 0; i < PNG_IMAGE_SIZE(a.image); i += 4)
		if (memcmp(a.data + i, b.data + i, 4) != 0)
			errx(1, "pixel %zu differs", i / 4);
	return 0;
}
