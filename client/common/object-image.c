/* SPDX-License-Identifier: MIT */
#include "client/common/object-image.h"

#include <stdio.h>

#include "client/common/png.h"

const char *object_image_format(uint32_t format, char text[5])
{
	for (size_t i = 0; i < 4; i++)
		text[i] = (char)(format >> (8 * i) & 0xff);
	text[4] = '\0';
	return text;
}

/* DRM_FORMAT_MOD_INVALID: the sharer does not know the modifier. */
#define MODIFIER_UNKNOWN UINT64_C(0x00ffffffffffffff)

/* Tests the size from the first pixel to the last, including the gaps between rows. */
static bool fits(const VailObjectInfo *info)
{
	uint64_t row = (uint64_t)info->width * 4, stride = info->planes[0].stride;

	if (info->width == 0 || info->height == 0 || row > OBJECT_IMAGE_SIZE_MAX ||
	    stride > OBJECT_IMAGE_SIZE_MAX)
		return false;
	return (info->height - 1) * stride + row <= OBJECT_IMAGE_SIZE_MAX;
}

bool object_image_check(const VailObjectInfo *info, char *ret_message, size_t size)
{
	char format[5];

	if (info->plane_count == 0)
		snprintf(ret_message, size,
			 "the object is not an image; show its type with: vailctl objects");
	else if (!picture_format_is_supported(info->format) || info->plane_count > 1)
		snprintf(ret_message, size,
			 "the object's format is %s with %zu plane%s; only " PICTURE_FORMATS
			 " with one plane can be shown or saved",
			 object_image_format(info->format, format), info->plane_count,
			 info->plane_count == 1 ? "" : "s");
	else if (info->modifier == MODIFIER_UNKNOWN)
		snprintf(ret_message, size,
			 "the modifier of the %s image is unknown (0x%016llx), so its layout may "
			 "not "
			 "be "
			 "linear; have it shared with its modifier",
			 object_image_format(info->format, format),
			 (unsigned long long)info->modifier);
	else if (info->modifier != 0)
		snprintf(ret_message, size,
			 "the image is not linear (modifier 0x%llx); use a program that imports it "
			 "into EGL or Vulkan",
			 (unsigned long long)info->modifier);
	else if (info->planes[0].stride < (uint64_t)info->width * 4)
		snprintf(ret_message, size,
			 "the image's rows overlap: its stride is less than 4 * width");
	else if (!fits(info))
		snprintf(ret_message, size,
			 "the image has %lu x %lu pixels in rows of %llu bytes; only images of 4 "
			 "bytes to 1 GiB can be shown or saved",
			 (unsigned long)info->width, (unsigned long)info->height,
			 (unsigned long long)info->planes[0].stride);
	else
		return true;
	return false;
}
