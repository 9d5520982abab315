/* SPDX-License-Identifier: MIT */
#include "client/common/png.h"

#include <png.h>
#include <setjmp.h>

#include "proto/macros.h"

/* DRM formats name the channels of a little-endian word: XR24 is B, G, R, X in memory. */
static const struct {
	char name[5];
	bool has_alpha;
	bool blue_first;
} formats[] = {
	{ "XR24", false, true },
	{ "AR24", true, true },
	{ "XB24", false, false },
	{ "AB24", true, false },
};

/* Returns the format's index in the table, or the table's size if it is missing. */
static size_t find_format(uint32_t format)
{
	size_t i = 0;

	for (; i < ARRAY_SIZE(formats); i++) {
		const char *name = formats[i].name;
		uint32_t value = (uint32_t)name[0] | (uint32_t)name[1] << 8 |
				 (uint32_t)name[2] << 16 | (uint32_t)name[3] << 24;

		if (value == format)
			break;
	}
	return i;
}

bool picture_format_is_supported(uint32_t format)
{
	return find_format(format) < ARRAY_SIZE(formats);
}

/* Context of libpng's error function: the jump target, and the buffer for the message. */
typedef struct PngError {
	jmp_buf back;
	char *message;
	size_t size;
} PngError;

static void handle_error(png_structp png, png_const_charp message)
{
	PngError *error = png_get_error_ptr(png);

	snprintf(error->message, error->size, "%s", message);
	longjmp(error->back, 1);
}

static void ignore_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

static void write_header(png_structp png, png_infop info, const Picture *picture)
{
	size_t format = find_format(picture->format);

	png_set_IHDR(png, info, picture->width, picture->height, 8,
		     formats[format].has_alpha ? PNG_COLOR_TYPE_RGBA : PNG_COLOR_TYPE_RGB,
		     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	if (formats[format].blue_first)
		png_set_bgr(png);
	if (!formats[format].has_alpha)
		png_set_filler(png, 0, PNG_FILLER_AFTER); /* drop the unused byte */
}

/* Modifies no local variable after setjmp(), because longjmp() may not preserve it. */
static bool write_all(png_structp png, png_infop info, PngError *error, const Picture *picture,
		      FILE *out)
{
	if (setjmp(error->back))
		return false;
	png_init_io(png, out);
	write_header(png, info, picture);
	for (ptrdiff_t y = 0; y < picture->height; y++)
		png_write_row(png, picture->pixels + y * picture->stride);
	png_write_end(png, NULL);
	return true;
}

bool picture_write_png(const Picture *picture, FILE *out, char *ret_message, size_t size)
{
	PngError error = { .message = ret_message, .size = size };
	png_infop info = NULL;
	bool written = false;
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &error, handle_error,
						  ignore_warning);

	if (png)
		info = png_create_info_struct(png);
	if (info)
		written = write_all(png, info, &error, picture, out);
	else
		snprintf(ret_message, size, "out of memory");
	png_destroy_write_struct(&png, &info);
	return written;
}
