/* SPDX-License-Identifier: MIT */
#include "client/vail-view/placement.h"

/* Returns value * numerator / denominator, rounded down, within the range of the type. */
static int32_t scale(int64_t value, int64_t numerator, int64_t denominator)
{
	int64_t product = value * numerator;
	int64_t result = product / denominator - (product % denominator < 0 ? 1 : 0);

	if (result > INT32_MAX)
		return INT32_MAX;
	return result < INT32_MIN ? INT32_MIN : (int32_t)result;
}

static int32_t at_least_one(int32_t length)
{
	return length > 0 ? length : 1;
}

/* Returns the largest size of the picture's aspect within room. */
static Size scale_to(Size picture, Size room)
{
	int64_t by_width = (int64_t)room.width * picture.height;
	int64_t by_height = (int64_t)room.height * picture.width;

	if (by_width <= by_height)
		return (Size){ room.width,
			       at_least_one(scale(picture.height, room.width, picture.width)) };
	return (Size){ at_least_one(scale(picture.width, room.height, picture.height)),
		       room.height };
}

Box placement_fit(Size picture, Size window)
{
	Size size = scale_to(picture, window);

	return (Box){ (window.width - size.width) / 2, (window.height - size.height) / 2,
		      size.width, size.height };
}

Box placement_actual(Size picture, Size window)
{
	int32_t x = (window.width - picture.width) / 2, y = (window.height - picture.height) / 2;

	return (Box){ x > 0 ? x : 0, y > 0 ? y : 0, picture.width, picture.height };
}

/* Adds two numbers within the range of the type. */
static int32_t sum(int32_t one, int32_t other)
{
	return scale((int64_t)one + other, 1, 1);
}

Box placement_part(Size picture, Box place, Box part)
{
	return (Box){ sum(place.x, scale(part.x, place.width, picture.width)),
		      sum(place.y, scale(part.y, place.height, picture.height)),
		      at_least_one(scale(part.width, place.width, picture.width)),
		      at_least_one(scale(part.height, place.height, picture.height)) };
}

/* Returns the pixel of a row or column at this distance from its beginning. */
static int32_t pixel_at(int64_t distance, int32_t shown_length, int32_t length)
{
	int32_t pixel = scale(distance, length, shown_length);

	if (pixel < 0)
		return 0;
	return pixel < length ? pixel : length - 1;
}

Point placement_point(Size picture, Box place, Point point)
{
	return (Point){ pixel_at((int64_t)point.x - place.x, place.width, picture.width),
			pixel_at((int64_t)point.y - place.y, place.height, picture.height) };
}

Size placement_window(Size picture, Size room)
{
	if (picture.width <= room.width && picture.height <= room.height)
		return picture;
	return scale_to(picture, room);
}
