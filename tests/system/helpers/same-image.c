/* SPDX-License-Identifier: MIT */
/*
 * same-image A B: compares the sizes and pixels of two PNG files. Exits with 0 if they are equal;
 * otherwise prints the first difference and exits with 1.
 */
#include "tests/system/helpers/pixels.h"

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: same-image A B");
	Pixels a = pixels_read(argv[1]), b = pixels_read(argv[2]);
	if (a.image.width != b.image.width || a.image.height != b.image.height)
		errx(1, "the sizes differ: %u x %u and %u x %u", a.image.width, a.image.height,
		     b.image.width, b.image.height);
	for (size_t i = 0; i < PNG_IMAGE_SIZE(a.image); i += 4)
		if (memcmp(a.data + i, b.data + i, 4) != 0)
			errx(1, "pixel %zu differs", i / 4);
	return 0;
}
