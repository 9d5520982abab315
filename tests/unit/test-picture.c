/* SPDX-License-Identifier: MIT */
/* Proves that a picture comes out of its PNG as it went in, whatever its format and shape. */
#include <criterion/criterion.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

TestSuite(picture);

#define FORMAT(name)                                                                  \
	((uint32_t)(name)[0] | (uint32_t)(name)[1] << 8 | (uint32_t)(name)[2] << 16 | \
	 (uint32_t)(name)[3] << 24)

/* Where red, green, blue and alpha stand among the bytes of a pixel; -1: there is none. */
static const struct {
	const char *name;
	int red, green, blue, alpha;
} layouts[] = {
	{ "XR24", 2, 1, 0, -1 },
	{ "AR24", 2, 1, 0, 3 },
	{ "XB24", 0, 1, 2, -1 },
	{ "AB24", 0, 1, 2, 3 },
};

#define LAYOUT_COUNT (sizeof(layouts) / sizeof(layouts[0]))

/* Writes it, and reads it with libpng's other interface as R, G, B, A. The caller frees them. */
static uint8_t *round_trip(const Picture *picture, bool has_alpha)
{
	char *bytes = NULL, message[100] = "";
	size_t size = 0;
	FILE *out = open_memstream(&bytes, &size);
	png_image image = { .version = PNG_IMAGE_VERSION };

	cr_assert(picture_write(picture, out, message, sizeof(message)), "%s", message);
	fclose(out);
	cr_assert(png_image_begin_read_from_memory(&image, bytes, size));
	cr_assert_eq(image.width, picture->width);
	cr_assert_eq(image.height, picture->height);
	cr_assert_eq(image.format & PNG_FORMAT_FLAG_ALPHA, has_alpha ? PNG_FORMAT_FLAG_ALPHA : 0u);
	image.format = PNG_FORMAT_RGBA;
	uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
	cr_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL));
	free(bytes);
	return pixels;
}

static void check(size_t layout, uint32_t width, uint32_t height, size_t stride)
{
	uint8_t *pixels = malloc(stride * height);

	for (size_t i = 0; i < stride * height; i++)
		pixels[i] = (uint8_t)(i * 151 >> 2);
	Picture picture = { width, height, FORMAT(layouts[layout].name), stride, pixels };
	uint8_t *read = round_trip(&picture, layouts[layout].alpha >= 0);
	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < width; x++) {
			const uint8_t *in = pixels + y * stride + 4 * x;
			const uint8_t *out = read + 4 * (y * width + x);
			int alpha = layouts[layout].alpha;

			cr_assert_eq(out[0], in[layouts[layout].red]);
			cr_assert_eq(out[1], in[layouts[layout].green]);
			cr_assert_eq(out[2], in[layouts[layout].blue]);
			cr_assert_eq(out[3], alpha >= 0 ? in[alpha] : 255);
		}
	free(read);
	free(pixels);
}

Test(picture, each_format_in_odd_sizes)
{
	static const uint32_t sizes[][2] = { { 1, 1 },  { 3, 2 },   { 1, 7 },
					     { 17, 1 }, { 33, 31 }, { 257, 129 } };

	for (size_t layout = 0; layout < LAYOUT_COUNT; layout++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			check(layout, sizes[i][0], sizes[i][1], (size_t)sizes[i][0] * 4);
}

Test(picture, rows_with_gaps)
{
	for (size_t layout = 0; layout < LAYOUT_COUNT; layout++) {
		check(layout, 5, 4, 21);
		check(layout, 5, 4, 64);
	}
}

Test(picture, known_formats_are_those_that_are_named)
{
	for (size_t layout = 0; layout < LAYOUT_COUNT; layout++) {
		cr_assert(picture_format_known(FORMAT(layouts[layout].name)));
		cr_assert_not_null(strstr(PICTURE_FORMATS, layouts[layout].name));
	}
	cr_assert_not(picture_format_known(FORMAT("NV12")));
	cr_assert_not(picture_format_known(FORMAT("RX24")));
	cr_assert_not(picture_format_known(0));
}

Test(picture, what_cannot_be_written_is_said)
{
	uint8_t pixel[4] = { 1, 2, 3, 4 };
	Picture picture = { 1, 1, FORMAT("XR24"), 4, pixel };
	char message[100] = "";
	FILE *full = fopen("/dev/full", "w");

	setbuf(full, NULL);
	cr_assert_not(picture_write(&picture, full, message, sizeof(message)));
	cr_assert_str_neq(message, "");
	fclose(full);
	picture.width = 0;
	full = tmpfile();
	cr_assert_not(picture_write(&picture, full, message, sizeof(message)));
	fclose(full);
}
