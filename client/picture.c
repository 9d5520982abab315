/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <png.h>
#include <setjmp.h>

#include "macros.h"

/* A DRM format's letters stand in the order of a little-endian word: B8 G8 R8 X8 in memory is XR24,
 * on every machine. */
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

/* Where the format stands in the table; its size where it does not. */
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

bool picture_format_known(uint32_t format)
{
	return find_format(format) < ARRAY_SIZE(formats);
}

/* What libpng has to say. It knows its caller by this pointer alone. */
typedef struct Complaint {
	jmp_buf back;
	char *message;
	size_t size;
} Complaint;

static void complain(png_structp png, png_const_charp message)
{
	Complaint *complaint = png_get_error_ptr(png);

	snprintf(complaint->message, complaint->size, "%s", message);
	longjmp(complaint->back, 1);
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
		png_set_filler(png, 0, PNG_FILLER_AFTER); /* which is left out */
}

/* Changes no variable of its own, which longjmp() could lose. */
static bool write_all(png_structp png, png_infop info, Complaint *complaint, const Picture *picture,
		      FILE *out)
{
	if (setjmp(complaint->back))
		return false;
	png_init_io(png, out);
	write_header(png, info, picture);
	for (size_t y = 0; y < picture->height; y++)
		png_write_row(png, picture->pixels + y * picture->stride);
	png_write_end(png, NULL);
	return true;
}

bool picture_write(const Picture *picture, FILE *out, char *ret_message, size_t size)
{
	Complaint complaint = { .message = ret_message, .size = size };
	png_infop info = NULL;
	bool written = false;
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &complaint, complain,
						  ignore_warning);

	if (png)
		info = png_create_info_struct(png);
	if (info)
		written = write_all(png, info, &complaint, picture, out);
	else
		snprintf(ret_message, size, "out of memory");
	png_destroy_write_struct(&png, &info);
	return written;
}
