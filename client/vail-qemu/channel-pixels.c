/* SPDX-License-Identifier: MIT */
#include "client/vail-qemu/channel-pixels.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "client/vail-qemu/pixman-format.h"
#include "proto/macros.h"

/* The most bytes that a D-Bus array can have. */
#define BYTES_MAX ((uint64_t)64 << 20)

/* Tests whether the memory has all rows now. */
static bool has_all_rows(const VailObject *object, uint64_t size)
{
	const VailPlane *plane = &object->planes[0];
	uint64_t rows;

	return plane->offset <= size &&
	       !__builtin_mul_overflow((uint64_t)plane->stride, object->height, &rows) &&
	       rows <= size - plane->offset;
}

PixelsKind channel_pixels_kind(const VailObject *object)
{
	struct stat status;
	struct statfs file_system;
	int fd = object->planes[0].descriptor;

	if (object->plane_count != 1 || fstat(fd, &status) < 0 || fstatfs(fd, &file_system) < 0)
		return PIXELS_UNKNOWN;
	if (file_system.f_type == DMA_BUF_MAGIC)
		return PIXELS_DMABUF;
	return S_ISREG(status.st_mode) && has_all_rows(object, (uint64_t)status.st_size)
		       ? PIXELS_MEMORY
		       : PIXELS_UNKNOWN;
}

int channel_pixels_open_read_only(const VailObject *object)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->planes[0].descriptor);
	/* Without O_NONBLOCK, open() would wait for the owner of a lease. */
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

uint32_t channel_pixels_format(const VailObject *object)
{
	return object->modifier == 0 ? pixman_format_from_drm(object->format) : 0;
}

static bool read_all(int fd, uint8_t *to, size_t size, uint64_t position)
{
	while (size > 0) {
		ssize_t count = pread(fd, to, size, (off_t)position);

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

bool channel_pixels_read(const VailObject *object, const VailRectangle *rectangle, uint8_t **ret,
			 size_t *ret_size)
{
	const VailPlane *plane = &object->planes[0];
	uint64_t pixel = pixman_format_size(channel_pixels_format(object));
	uint64_t row = rectangle->width * pixel, size = row * rectangle->height;
	bool is_bottom_up = object->first_row == VAIL_FIRST_ROW_BOTTOM;
	_cleanup_free_ uint8_t *pixels = NULL;

	if (size == 0 || size > BYTES_MAX)
		return false;
	pixels = malloc(size);
	if (!pixels)
		return false;
	for (uint32_t y = 0; y < rectangle->height; y++) {
		uint64_t line = rectangle->y + y;

		line = is_bottom_up ? object->height - 1 - line : line;
		if (!read_all(plane->descriptor, pixels + y * row, row,
			      plane->offset + line * plane->stride + rectangle->x * pixel))
			return false;
	}
	*ret = TAKE_POINTER(pixels);
	*ret_size = size;
	return true;
}
