/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/redraw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/common/object-image.h"
#include "proto/pixel-format.h"

/* Rows are read in chunks that stay in the CPU's cache. */
#define CHUNK_SIZE ((size_t)256 << 10)

/* Larger pictures are not copied. This is twice the size of an 8K screen. */
#define PICTURE_SIZE_MAX ((uint64_t)256 << 20)

/* Changes that are separated by more rows than this are different rectangles. */
#define GAP_MAX 16

/* ---- The budget ---- */

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return nanoseconds(&time);
}

/* Returns the CPU time that this thread has used. */
static int64_t cpu_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return nanoseconds(&time);
}

bool cpu_budget_refill(CpuBudget *budget, int64_t at)
{
	budget->left += (at - budget->filled_at) / CPU_BUDGET_PART;
	budget->filled_at = at;
	if (budget->left > CPU_BUDGET_MAX)
		budget->left = CPU_BUDGET_MAX;
	return budget->left > 0;
}

/* ---- Differences ---- */

/* The changes that were found in one rectangle of a picture. */
typedef struct Differences {
	Damage *damage;
	uint32_t pixel_size; /* bytes; 0 if pixels share bytes, so that whole rows change */
	uint32_t width;      /* of the picture */
	uint32_t x;          /* left edge of the compared rows */
	VailRectangle area;  /* of neighbouring rows with changes; its height may be 0 */
} Differences;

static void add_area(Differences *differences)
{
	if (differences->area.height > 0)
		damage_add(differences->damage, &differences->area);
	differences->area.height = 0;
}

/* Returns the number of equal bytes at the start. */
static size_t equal_at_start(const uint8_t *one, const uint8_t *other, size_t size)
{
	size_t i = 0;

	while (i + 64 <= size && memcmp(one + i, other + i, 64) == 0)
		i += 64;
	while (i < size && one[i] == other[i])
		i++;
	return i;
}

/* Returns the size without the equal bytes at the end. */
static size_t without_equal_end(const uint8_t *one, const uint8_t *other, size_t size)
{
	while (size >= 64 && memcmp(one + size - 64, other + size - 64, 64) == 0)
		size -= 64;
	while (size > 0 && one[size - 1] == other[size - 1])
		size--;
	return size;
}

/* Extends the area by pixels of the row y, or begins another one. Rows come from the top. */
static void add_pixels(Differences *differences, uint32_t left, uint32_t right, uint32_t y)
{
	VailRectangle *area = &differences->area;

	if (area->height > 0 && y - (area->y + area->height) > GAP_MAX)
		add_area(differences);
	if (area->height == 0) {
		*area = (VailRectangle){ left, y, right - left, 1 };
		return;
	}
	uint32_t end = area->x + area->width > right ? area->x + area->width : right;
	area->x = area->x < left ? area->x : left;
	area->width = end - area->x;
	area->height = y + 1 - area->y;
}

/* Replaces a part of the row y by the new bytes, and notes which pixels differ. */
static void take_row(Differences *differences, uint8_t *old, const uint8_t *new, size_t size,
		     uint32_t y)
{
	size_t pixel = differences->pixel_size;

	if (memcmp(old, new, size) == 0)
		return;
	if (pixel > 0) {
		size_t first = equal_at_start(old, new, size) / pixel;
		size_t last = (without_equal_end(old, new, size) - 1) / pixel;

		add_pixels(differences, differences->x + (uint32_t)first,
			   differences->x + (uint32_t)last + 1, y);
	} else {
		add_pixels(differences, 0, differences->width, y);
	}
	memcpy(old, new, size);
}

/* ---- The layout of an object ---- */

static PlaneRows rows_of(const VailObject *object)
{
	char format[5];

	return pixel_format_rows(object_image_format(object->format, format), 0, object->width,
				 object->height);
}

/* Returns the bytes per pixel, or 0 if several pixels share bytes. */
static uint32_t pixel_size_of(const VailObject *object)
{
	char format[5];
	PlaneRows pixel = pixel_format_rows(object_image_format(object->format, format), 0, 1, 1);

	return pixel.size * object->width == rows_of(object).size ? (uint32_t)pixel.size : 0;
}

static bool is_comparable(const VailObject *object)
{
	PlaneRows rows = rows_of(object);

	return object->modifier == 0 && rows.size > 0 && rows.count > 0 &&
	       rows.count == object->height && rows.size <= PICTURE_SIZE_MAX / rows.count &&
	       object->planes[0].stride >= rows.size;
}

void redraw_copy(const VailObject *object, uint8_t *image, const VailRectangle *rectangle,
		 const uint8_t *from, size_t stride, Damage *damage)
{
	uint32_t pixel = pixel_size_of(object);
	size_t image_stride = (size_t)object->planes[0].stride;
	Differences differences = {
		.damage = damage, .pixel_size = pixel, .width = object->width, .x = rectangle->x
	};

	for (uint32_t y = 0; y < rectangle->height; y++)
		take_row(&differences,
			 image + (rectangle->y + y) * image_stride + (size_t)rectangle->x * pixel,
			 from + y * stride, (size_t)rectangle->width * pixel, rectangle->y + y);
	add_area(&differences);
}

/* ---- Reading the memory ---- */

/* Reads at least one byte of the memory. Never faults if the memory shrinks. */
static bool read_memory(const VailObject *object, uint64_t offset, uint8_t *to, size_t size)
{
	uint64_t position = object->planes[0].offset + offset;

	while (size > 0) {
		ssize_t count = pread(object->planes[0].descriptor, to, size, (off_t)position);

		if (count == 0 || (count < 0 && errno != EINTR))
			return false;
		if (count > 0) {
			to += count;
			position += (uint64_t)count;
			size -= (size_t)count;
		}
	}
	return true;
}

/* Rows of the memory, of which a part is compared. */
typedef struct Part {
	uint32_t first; /* row in memory */
	uint32_t count;
	size_t start; /* byte in each row */
	size_t size;
} Part;

static Part part_of(const VailObject *object, const VailRectangle *rectangle)
{
	uint32_t pixel = pixel_size_of(object);
	bool is_bottom_up = object->first_row == VAIL_FIRST_ROW_BOTTOM;

	return (Part){
		.first = is_bottom_up ? object->height - rectangle->y - rectangle->height
				      : rectangle->y,
		.count = rectangle->height,
		.start = (size_t)rectangle->x * pixel,
		.size = pixel > 0 ? (size_t)rectangle->width * pixel : (size_t)rows_of(object).size,
	};
}

/* Returns how many rows are read at once. The bytes between narrow rows are not worth reading. */
static uint32_t rows_at_once(const Redraw *redraw, const VailObject *object, const Part *part)
{
	size_t stride = (size_t)object->planes[0].stride;

	if (part->size < stride / 2 || redraw->chunk_size < stride)
		return 1;
	return (uint32_t)(redraw->chunk_size / stride);
}

/* Compares each row of the part with the picture, from the top of the picture. */
static bool compare_part(Redraw *redraw, const VailObject *object, const Part *part,
			 Differences *differences)
{
	size_t stride = (size_t)object->planes[0].stride;
	uint32_t at_once = rows_at_once(redraw, object, part), done = 0;
	bool is_bottom_up = object->first_row == VAIL_FIRST_ROW_BOTTOM;

	for (uint32_t count; done < part->count; done += count) {
		count = part->count - done < at_once ? part->count - done : at_once;
		uint32_t first = part->first + (is_bottom_up ? part->count - done - count : done);

		if (!read_memory(object, first * (uint64_t)stride + part->start, redraw->chunk,
				 (count - 1) * stride + part->size))
			return false;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t row = is_bottom_up ? count - 1 - i : i;
			uint32_t y = first + row;

			take_row(differences, redraw->picture + y * redraw->row_size + part->start,
				 redraw->chunk + row * stride, part->size,
				 is_bottom_up ? object->height - 1 - y : y);
		}
	}
	return true;
}

/* ---- The picture ---- */

void redraw_init(Redraw *redraw)
{
	*redraw = (Redraw){ .budget = { .left = CPU_BUDGET_MAX, .filled_at = now() } };
}

void redraw_deinit(Redraw *redraw)
{
	free(redraw->picture);
	free(redraw->chunk);
	*redraw = (Redraw){ 0 };
}

void redraw_forget(Redraw *redraw)
{
	redraw->is_known = false;
	redraw->was_redrawn = false;
}

/* Allocates the copy and the chunk for the object. Returns false if out of memory. */
static bool make_room(Redraw *redraw, const VailObject *object)
{
	PlaneRows rows = rows_of(object);
	size_t chunk_size = rows.size > CHUNK_SIZE ? (size_t)rows.size : CHUNK_SIZE;

	if (redraw->chunk_size < chunk_size) {
		free(redraw->chunk);
		redraw->chunk = malloc(chunk_size);
		redraw->chunk_size = redraw->chunk ? chunk_size : 0;
	}
	if (!redraw->picture || redraw->row_size != rows.size || redraw->rows != rows.count) {
		free(redraw->picture);
		redraw->picture = calloc(rows.count, (size_t)rows.size);
		redraw->row_size = (size_t)rows.size;
		redraw->rows = (uint32_t)rows.count;
	}
	return redraw->chunk && redraw->picture;
}

/* Copies or compares the rectangle within the budget. Returns false if that is not possible. */
static bool compare(Redraw *redraw, const VailObject *object, const VailRectangle *rectangle,
		    Damage *damage)
{
	Differences differences = { .damage = damage,
				    .pixel_size = pixel_size_of(object),
				    .width = object->width,
				    .x = rectangle->x };
	Part part = part_of(object, rectangle);

	if (!cpu_budget_refill(&redraw->budget, now()))
		return false;
	int64_t begin = cpu_time();
	bool was_read = compare_part(redraw, object, &part, &differences);
	add_area(&differences);
	redraw->budget.left -= cpu_time() - begin;
	return was_read;
}

static VailRectangle all_of(const VailObject *object)
{
	return (VailRectangle){ .width = object->width, .height = object->height };
}

void redraw_begin(Redraw *redraw, const VailObject *object)
{
	const VailRectangle all = all_of(object);
	Damage unused = { 0 };

	redraw_forget(redraw);
	redraw->is_known = is_comparable(object) && make_room(redraw, object) &&
			   compare(redraw, object, &all, &unused);
}

void redraw_compare(Redraw *redraw, const VailObject *object, const VailRectangle *rectangle,
		    Damage *damage)
{
	if (redraw->is_known && compare(redraw, object, rectangle, damage))
		return;
	/*
	 * A guest that flips redraws each buffer once, and copying that would be wasted. After the
	 * second redraw the whole picture is reported, because all of it is copied now.
	 */
	const VailRectangle all = all_of(object);
	bool copies = !redraw->is_known && redraw->was_redrawn;
	if (copies)
		redraw_begin(redraw, object);
	else
		redraw_forget(redraw);
	redraw->was_redrawn = true;
	damage_add(damage, copies && redraw->is_known ? &all : rectangle);
}
