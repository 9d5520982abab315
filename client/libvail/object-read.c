/* SPDX-License-Identifier: MIT */
/*
 * Reads memory that its sharer may change, shrink or free at any time. A memfd is read with
 * pread(), which returns short if it has shrunk. A dma-buf has no read(), so fault_safe_copy()
 * copies from a mapping.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/libvail/clock.h"
#include "client/libvail/fault-safe-copy.h"
#include "client/libvail/object-open.h"

/* DRM_FORMAT_MOD_INVALID: the sharer does not know the modifier. */
#define MODIFIER_UNKNOWN UINT64_C(0x00ffffffffffffff)

/* Bytes per pixel of the formats supported by vail_object_read_image(). */
#define PIXEL_SIZE 4

static void clear_message(struct vail_object *object)
{
	free(object->message);
	object->message = NULL;
}

/* Sets the object's error message. Returns status. */
_printf_(3, 4) static NTSTATUS
	fail(struct vail_object *object, NTSTATUS status, const char *format, ...)
{
	va_list arguments;

	clear_message(object);
	va_start(arguments, format);
	if (vasprintf(&object->message, format, arguments) < 0)
		object->message = NULL; /* out of memory: the user still gets the status */
	va_end(arguments);
	return status;
}

/* ---- Waiting ---- */

/* Waits until the fd is readable. Returns false if the timeout expires first. */
static bool wait_readable(int fd, int timeout)
{
	struct pollfd watch = { .fd = fd, .events = POLLIN };
	int64_t deadline = monotonic_milliseconds() + timeout;
	int ready, left = timeout;

	while ((ready = poll(&watch, 1, left < 0 ? -1 : left)) < 0 && errno == EINTR) {
		int64_t rest = deadline - monotonic_milliseconds();

		if (timeout >= 0)
			left = rest > 0 ? (int)rest : 0;
	}
	return ready > 0;
}

NTSTATUS vail_object_wait(struct vail_object *object, int timeout)
{
	use_or_refuse(object);
	struct sync_file_info info = { 0 };

	if (!object)
		return STATUS_INVALID_PARAMETER;
	clear_message(object);
	if (object->fence < 0)
		return STATUS_SUCCESS;
	if (!wait_readable(object->fence, timeout))
		return fail(object, STATUS_IO_TIMEOUT,
			    "the object's fence was not signalled within %d ms; wait "
			    "longer, or check the VM's GPU",
			    timeout);
	if (ioctl(object->fence, SYNC_IOC_FILE_INFO, &info) == 0 && info.status < 0)
		return fail(object, STATUS_INVALID_DEVICE_STATE,
			    "the GPU work behind the object's fence has failed: %s",
			    strerror(-info.status));
	return STATUS_SUCCESS;
}

/* ---- Access to a dma-buf ---- */

/* Begins or ends CPU access to a dma-buf. Returns 0, or -1 with errno. */
static int dmabuf_sync(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_READ | flags };
	int result;

	do
		result = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	while (result < 0 && (errno == EINTR || errno == EAGAIN));
	return result;
}

static NTSTATUS map_dmabuf(struct vail_object *object, OpenPlane *plane)
{
	if (object->scratch < 0)
		object->scratch = fault_safe_copy_open();
	if (object->scratch < 0)
		return fail(object, STATUS_INSUFFICIENT_RESOURCES,
			    "cannot create a buffer for reading the dma-buf: %s; close "
			    "file descriptors or free memory",
			    strerror(-object->scratch));
	if (plane->mapping)
		return STATUS_SUCCESS;
	void *mapping = mmap(NULL, plane->size, PROT_READ, MAP_SHARED, plane->fd, 0);
	if (mapping == MAP_FAILED)
		return fail(object, STATUS_NOT_SUPPORTED,
			    "the CPU cannot read this dma-buf: %s; import its file "
			    "descriptor into EGL or Vulkan",
			    strerror(errno));
	plane->mapping = mapping;
	plane->mapped = plane->size;
	return STATUS_SUCCESS;
}

/* Prepares the plane for reading. After success, call reading_end() when done. */
static NTSTATUS reading_begin(struct vail_object *object, OpenPlane *plane)
{
	if (plane->kind == PLANE_FILE)
		return STATUS_SUCCESS;
	if (plane->kind != PLANE_DMABUF)
		return fail(object, STATUS_NOT_SUPPORTED,
			    "the plane is neither a memfd nor a dma-buf, and this "
			    "libvail cannot read others");
	NTSTATUS status = map_dmabuf(object, plane);
	if (status != STATUS_SUCCESS)
		return status;
	/* The ioctl would wait for the GPU without a timeout. */
	if (!wait_readable(plane->fd, object->timeout))
		return fail(object, STATUS_IO_TIMEOUT,
			    "a GPU was still writing to the dma-buf after %d ms; try "
			    "again, or check the GPU",
			    object->timeout);
	if (dmabuf_sync(plane->fd, DMA_BUF_SYNC_START) < 0)
		return fail(object, STATUS_INVALID_DEVICE_STATE,
			    "the dma-buf cannot be read: %s; check whether its GPU was "
			    "removed",
			    strerror(errno));
	return STATUS_SUCCESS;
}

static void reading_end(const OpenPlane *plane)
{
	if (plane->kind == PLANE_DMABUF)
		dmabuf_sync(plane->fd, DMA_BUF_SYNC_END);
}

/* ---- Reading ---- */

static NTSTATUS fail_end(struct vail_object *object, const OpenPlane *plane, uint64_t end)
{
	if (end > plane->size)
		return fail(object, STATUS_INVALID_PARAMETER,
			    "the memory has only %llu bytes, and the range ends behind them",
			    (unsigned long long)plane->size);
	return fail(object, STATUS_INVALID_DEVICE_STATE,
		    "the sharing process has shrunk the memory; have it seal the "
		    "size before sharing");
}

static NTSTATUS read_file(struct vail_object *object, const OpenPlane *plane, uint64_t position,
			  char *buffer, size_t size)
{
	uint64_t end = position + size;

	while (position < end) {
		ssize_t count = pread(plane->fd, buffer, end - position, (off_t)position);

		if (count == 0)
			return fail_end(object, plane, end);
		if (count < 0 && errno != EINTR)
			return fail(object, STATUS_INVALID_DEVICE_STATE,
				    "the memory cannot be read: %s", strerror(errno));
		if (count > 0) {
			position += (uint64_t)count;
			buffer += count;
		}
	}
	return STATUS_SUCCESS;
}

static NTSTATUS read_dmabuf(struct vail_object *object, const OpenPlane *plane, uint64_t position,
			    char *buffer, size_t size)
{
	if (position + size > plane->size)
		return fail_end(object, plane, position + size);
	int error = fault_safe_copy(object->scratch, (const char *)plane->mapping + position,
				    buffer, size);
	if (error < 0)
		return fail(object, STATUS_INVALID_DEVICE_STATE,
			    "the dma-buf's memory cannot be read: %s; check whether its "
			    "GPU was removed",
			    strerror(-error));
	return STATUS_SUCCESS;
}

/* Call between reading_begin() and reading_end(). position is relative to the memory's start. */
static NTSTATUS read_bytes(struct vail_object *object, const OpenPlane *plane, uint64_t position,
			   void *buffer, size_t size)
{
	if (position > INT64_MAX || size > INT64_MAX - position)
		return fail_end(object, plane, UINT64_MAX);
	return plane->kind == PLANE_DMABUF ? read_dmabuf(object, plane, position, buffer, size)
					   : read_file(object, plane, position, buffer, size);
}

static NTSTATUS check_plane(struct vail_object *object, size_t plane)
{
	clear_message(object);
	if (plane < object->info.plane_count)
		return STATUS_SUCCESS;
	return fail(object, STATUS_INVALID_PARAMETER, "the object has %zu plane%s, numbered from 0",
		    object->info.plane_count, object->info.plane_count == 1 ? "" : "s");
}

NTSTATUS vail_object_read(struct vail_object *object, size_t plane, uint64_t offset, void *buffer,
			  size_t size)
{
	use_or_refuse(object);
	uint64_t position = 0;

	if (!object || !buffer)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = check_plane(object, plane);
	if (status != STATUS_SUCCESS)
		return status;
	OpenPlane *from = &object->planes[plane];
	if (__builtin_add_overflow(object->info.planes[plane].offset, offset, &position))
		return fail_end(object, from, UINT64_MAX);
	status = reading_begin(object, from);
	if (status != STATUS_SUCCESS)
		return status;
	status = read_bytes(object, from, position, buffer, size);
	reading_end(from);
	return status;
}

/* ---- Images ---- */

/* Tests whether the format has 32 bits per pixel. */
static bool is_32_bits(uint32_t format)
{
	static const char formats[][5] = {
		"XR24", "XB24", "RX24", "BX24", "AR24", "AB24", "RA24", "BA24",
		"XR30", "XB30", "RX30", "BX30", "AR30", "AB30", "RA30", "BA30",
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (format ==
		    VAIL_FORMAT(formats[i][0], formats[i][1], formats[i][2], formats[i][3]))
			return true;
	return false;
}

static NTSTATUS check_image(struct vail_object *object, size_t size)
{
	const VailObjectInfo *info = &object->info;
	uint64_t row = (uint64_t)info->width * PIXEL_SIZE, bytes = row * info->height;

	if (info->plane_count != 1 || !is_32_bits(info->format))
		return fail(object, STATUS_NOT_SUPPORTED,
			    "only images with one plane and 32 bits per pixel, like "
			    "XR24, can be read as images; use vail_object_read()");
	if (info->modifier == MODIFIER_UNKNOWN)
		return fail(object, STATUS_NOT_SUPPORTED,
			    "the modifier of the image is unknown, so its layout may not be "
			    "linear; have it shared with its modifier");
	if (info->modifier != 0)
		return fail(object, STATUS_NOT_SUPPORTED,
			    "the image is not linear, its modifier is 0x%llx; import "
			    "its file descriptor into EGL or Vulkan",
			    (unsigned long long)info->modifier);
	if (info->planes[0].stride < row)
		return fail(object, STATUS_NOT_SUPPORTED,
			    "the image's rows overlap, because its stride is less than "
			    "4 * width");
	if ((info->height > 0 && bytes / info->height != row) || bytes > SIZE_MAX)
		return fail(object, STATUS_NO_MEMORY, "the image is too large for this process");
	if (size < bytes)
		return fail(object, STATUS_INVALID_PARAMETER,
			    "the image has %llu bytes; pass a buffer for all of them",
			    (unsigned long long)bytes);
	return STATUS_SUCCESS;
}

/*
 * Copies the rows with the top one first. Reads exactly the bytes of the rows: the padding behind
 * the last one need not exist.
 */
static NTSTATUS read_rows(struct vail_object *object, const OpenPlane *from, char *pixels)
{
	const VailObjectInfo *info = &object->info;
	uint64_t position = info->planes[0].offset, stride = info->planes[0].stride;
	size_t row = (size_t)info->width * PIXEL_SIZE;
	bool is_bottom_up = info->first_row == VAIL_FIRST_ROW_BOTTOM;

	if (stride == row && !is_bottom_up)
		return read_bytes(object, from, position, pixels, row * info->height);
	for (uint32_t y = 0; y < info->height; y++) {
		uint32_t place = is_bottom_up ? info->height - 1 - y : y;
		NTSTATUS status = read_bytes(object, from, position, pixels + place * row, row);

		if (status != STATUS_SUCCESS)
			return status;
		/* After an overflow the next read_bytes() fails. */
		if (__builtin_add_overflow(position, stride, &position))
			position = UINT64_MAX;
	}
	return STATUS_SUCCESS;
}

NTSTATUS vail_object_read_image(struct vail_object *object, void *pixels, size_t size)
{
	use_or_refuse(object);
	if (!object || !pixels)
		return STATUS_INVALID_PARAMETER;
	clear_message(object);
	NTSTATUS status = check_image(object, size);
	if (status == STATUS_SUCCESS)
		status = reading_begin(object, &object->planes[0]);
	if (status != STATUS_SUCCESS)
		return status;
	status = read_rows(object, &object->planes[0], pixels);
	reading_end(&object->planes[0]);
	return status;
}

/* ---- Mapping ---- */

static NTSTATUS map_file(struct vail_object *object, OpenPlane *plane)
{
	bool writes = object->info.access == VAIL_ACCESS_READ_WRITE;
	struct stat status;

	/* A seal is permanent, so the size cannot shrink after this check. */
	int seals = fcntl(plane->fd, F_GET_SEALS);
	if (plane->kind != PLANE_FILE || seals < 0 || !(seals & F_SEAL_SHRINK))
		return fail(object, STATUS_NOT_SUPPORTED,
			    "only a memfd whose size is sealed can be mapped safely; "
			    "use vail_object_read()");
	if (fstat(plane->fd, &status) < 0 || status.st_size == 0)
		return fail(object, STATUS_INVALID_DEVICE_STATE, "the memory is empty");
	void *mapping = mmap(NULL, (size_t)status.st_size, PROT_READ | (writes ? PROT_WRITE : 0),
			     MAP_SHARED, plane->fd, 0);
	if (mapping == MAP_FAILED && (errno == EPERM || errno == EACCES))
		return fail(object, STATUS_ACCESS_DENIED,
			    "the memory is sealed against writing, although it was "
			    "shared for writing");
	if (mapping == MAP_FAILED)
		return fail(object, STATUS_NO_MEMORY, "the memory cannot be mapped: %s",
			    strerror(errno));
	plane->mapping = mapping;
	plane->mapped = (size_t)status.st_size;
	return STATUS_SUCCESS;
}

NTSTATUS vail_object_map(struct vail_object *object, size_t plane, void **ret_data,
			 size_t *ret_size)
{
	use_or_refuse(object);
	NTSTATUS status = STATUS_SUCCESS;

	if (!object || !ret_data || !ret_size)
		return STATUS_INVALID_PARAMETER;
	status = check_plane(object, plane);
	if (status != STATUS_SUCCESS)
		return status;
	OpenPlane *from = &object->planes[plane];
	uint64_t offset = object->info.planes[plane].offset;
	if (!from->mapping || from->kind == PLANE_DMABUF)
		status = map_file(object, from);
	if (status != STATUS_SUCCESS)
		return status;
	if (offset > from->mapped)
		return fail_end(object, from, offset);
	*ret_data = (char *)from->mapping + offset;
	*ret_size = from->mapped - offset;
	return STATUS_SUCCESS;
}
