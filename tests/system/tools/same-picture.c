/* SPDX-License-Identifier: MIT */
/* same-picture A B: whether two PNG files have the same size and the same colours, pixel by pixel.
 */
#include "pixels.h"

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: same-picture A B");
	Pixels a = pixels_read(argv[1]), b = pixels_read(argv[2]);
	if (a.image.width != b.image.width || a.image.height != b.image.height)
		errx(1, "%u x %u and %u x %u", a.image.width, a.image.height, b.image.width,
		     b.image.height);
	for (size_t i = 0; i < PNG_IMAGE_SIZE(a.image); i += 4)
		if (memcmp(a.data + i, b.data + i, 4) != 0)
			errx(1, "pixel %zu differs", i / 4);
	return 0;
}
