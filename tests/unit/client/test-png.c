/* SPDX-License-Identifier: MIT */
/* Writing PNG files: pixels of every format and size can be read back unchanged. */
#include <criterion/criterion.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/common/png.h"

TestSuite(png);

#define FORMAT(name)                                                                  \
	((uint32_t)(name)[0] | (uint32_t)(name)[1] << 8 | (uint32_t)(name)[2] << 16 | \
	 (uint32_t)(name)[3] << 24)

/* The byte offset of each channel in a pixel; -1 if the format does not have it. */
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

/* Writes a PNG and reads it with libpng's simplified API as RGBA. The caller frees the pixels. */
static uint8_t *round_trip(const Picture *picture, bool has_alpha)
{
	char *bytes = NULL, message[100] = "";
	size_t size = 0;
	FILE *out = open_memstream(&bytes, &size);
	png_image image = { .version = PNG_IMAGE_VERSION };

	cr_assert(picture_write_png(picture, out, message, sizeof(message)), "%s", message);
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

static void check_round_trip(size_t layout, uint32_t width, uint32_t height, size_t stride)
{
	uint8_t *pixels = malloc(stride * height);

	for (size_t i = 0; i < stride * height; i++)
		pixels[i] = (uint8_t)(i * 151 >> 2);
	Picture picture = { width, height, FORMAT(layouts[layout].name), (ptrdiff_t)stride,
			    pixels };
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

Test(png, each_format_in_odd_sizes)
{
	static const uint32_t sizes[][2] = { { 1, 1 },  { 3, 2 },   { 1, 7 },
					     { 17, 1 }, { 33, 31 }, { 257, 129 } };

	for (size_t layout = 0; layout < LAYOUT_COUNT; layout++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			check_round_trip(layout, sizes[i][0], sizes[i][1], (size_t)sizes[i][0] * 4);
}

Test(png, rows_with_gaps)
{
	for (size_t layout = 0; layout < LAYOUT_COUNT; layout++) {
		check_round_trip(layout, 5, 4, 21);
		check_round_trip(layout, 5, 4, 64);
	}
}

/* The memory ends with the last pixel of the last row, which may be the top one. */
Test(png, no_byte_behind_the_last_pixel_is_read)
{
	const ptrdiff_t stride = 64;
	size_t page = (size_t)getpagesize(), size = 3 * (size_t)stride + 5 * 4;
	uint8_t *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *pixels = pages + page - size;

	cr_assert_neq(pages, MAP_FAILED);
	cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
	for (size_t i = 0; i < size; i++)
		pixels[i] = (uint8_t)(i * 151 >> 2);
	for (size_t layout = 0; layout < LAYOUT_COUNT; layout++) {
		uint32_t format = FORMAT(layouts[layout].name);
		bool has_alpha = layouts[layout].alpha >= 0;
		Picture top_down = { 5, 4, format, stride, pixels };
		Picture bottom_up = { 5, 4, format, -stride, pixels + 3 * stride };
		uint8_t *read = round_trip(&top_down, has_alpha);
		uint8_t *reversed = round_trip(&bottom_up, has_alpha);

		for (size_t y = 0; y < 4; y++)
			cr_assert_arr_eq(reversed + y * 20, read + (3 - y) * 20, 20);
		free(read);
		free(reversed);
	}
	munmap(pages, 2 * page);
}

Test(png, named_formats_are_supported)
{
	for (size_t layout = 0; layout < LAYOUT_COUNT; layout++) {
		cr_assert(picture_format_is_supported(FORMAT(layouts[layout].name)));
		cr_assert_not_null(strstr(PICTURE_FORMATS, layouts[layout].name));
	}
	cr_assert_not(picture_format_is_supported(FORMAT("NV12")));
	cr_assert_not(picture_format_is_supported(FORMAT("RX24")));
	cr_assert_not(picture_format_is_supported(0));
}

Test(png, failures_return_a_message)
{
	uint8_t pixel[4] = { 1, 2, 3, 4 };
	Picture picture = { 1, 1, FORMAT("XR24"), 4, pixel };
	char message[100] = "";
	FILE *full = fopen("/dev/full", "w");

	setbuf(full, NULL);
	cr_assert_not(picture_write_png(&picture, full, message, sizeof(message)));
	cr_assert_str_neq(message, "");
	fclose(full);
	picture.width = 0;
	full = tmpfile();
	cr_assert_not(picture_write_png(&picture, full, message, sizeof(message)));
	fclose(full);
}
