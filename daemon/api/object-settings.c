/* SPDX-License-Identifier: MIT */
#include "daemon/api/object-settings.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/dispatch.h"
#include "proto/pixel-format.h"

/* Maximum width and height of a resource, in pixels. */
#define SIDE_MAX (UINT64_C(1) << 16)

/* --- values ---------------------------------------------------------------------------------- */

static NTSTATUS check_absent(Request *request, bool present, const char *path, const char *type)
{
	if (!present)
		return STATUS_SUCCESS;
	return failure_parameter(&request->failure, path, "does not belong to a %s; leave it out",
				 type);
}

static NTSTATUS check_side(Request *request, const OptionalInteger *side, const char *path)
{
	if (side->present && side->value > 0 && side->value <= SIDE_MAX)
		return STATUS_SUCCESS;
	return failure_parameter(&request->failure, path, "is not a number of pixels from 1 to %u",
				 (unsigned int)SIDE_MAX);
}

static bool is_fourcc(const char *format)
{
	if (!format || strlen(format) != 4)
		return false;
	for (size_t i = 0; i < 4; i++)
		if (format[i] < ' ' || format[i] > '~')
			return false;
	return true;
}

/* Reports a missing fileDescriptor. The interface declares it optional because replies omit it. */
static NTSTATUS missing_fd(Request *request, size_t plane)
{
	char path[56];

	snprintf(path, sizeof(path), "object.planes[%zu].fileDescriptor", plane);
	return failure_parameter(&request->failure, path, "is missing");
}

static NTSTATUS read_resource(Request *request, ObjectDescription *ret)
{
	const ObjectParams *object = &request->params.share.object;
	NTSTATUS status = check_side(request, &object->width, "object.width");

	if (status == STATUS_SUCCESS)
		status = check_side(request, &object->height, "object.height");
	if (status != STATUS_SUCCESS)
		return status;
	if (!is_fourcc(object->format))
		return failure_parameter(&request->failure, "object.format",
					 "is not the four characters of a DRM fourcc, like XR24");
	if (object->planes.array.count == 0)
		return failure_parameter(&request->failure, "object.planes",
					 "is missing; a resource has 1 to 4");
	ret->width = object->width.value;
	ret->height = object->height.value;
	memcpy(ret->format, object->format, sizeof(ret->format));
	ret->modifier = object->modifier.value;
	ret->first_row = (ObjectFirstRow)object->first_row.value;
	ret->plane_count = object->planes.array.count;
	for (size_t i = 0; i < ret->plane_count && status == STATUS_SUCCESS; i++) {
		const PlaneParams *plane = &object->planes.items[i];

		ret->planes[i] = (ObjectPlane){ plane->offset.value, plane->stride.value };
		if (!plane->fd.present)
			status = missing_fd(request, i);
	}
	return status;
}

static NTSTATUS check_no_resource(Request *request)
{
	const ObjectParams *object = &request->params.share.object;
	NTSTATUS status = check_absent(request, object->width.present, "object.width", "fence");

	if (status == STATUS_SUCCESS)
		status = check_absent(request, object->height.present, "object.height", "fence");
	if (status == STATUS_SUCCESS)
		status = check_absent(request, object->format != NULL, "object.format", "fence");
	if (status == STATUS_SUCCESS)
		status =
			check_absent(request, object->modifier.present, "object.modifier", "fence");
	if (status == STATUS_SUCCESS)
		status = check_absent(request, object->first_row.present, "object.firstRow",
				      "fence");
	if (status == STATUS_SUCCESS)
		status = check_absent(request, object->planes.array.count > 0, "object.planes",
				      "fence");
	return status;
}

static NTSTATUS read_description(Request *request, ObjectDescription *ret)
{
	const ObjectParams *object = &request->params.share.object;
	ObjectType type = (ObjectType)object->type.value;
	NTSTATUS status;

	*ret = (ObjectDescription){ .type = type, .access = (ObjectAccess)object->access.value };
	status = type == OBJECT_FENCE ? check_no_resource(request) : read_resource(request, ret);
	if (status != STATUS_SUCCESS)
		return status;
	if (type == OBJECT_RESOURCE)
		return check_absent(request, object->fence.present, "object.fence", "resource");
	if (!object->fence.present)
		return failure_parameter(&request->failure, "object.fence", "is missing");
	if (!object->fence.fd.present)
		return failure_parameter(&request->failure, "object.fence.fileDescriptor",
					 "is missing");
	return STATUS_SUCCESS;
}

/* --- file descriptors ------------------------------------------------------------------------ */

/* An fd that the message names by its index among the message's fds, for a plane or the fence. */
typedef struct FdReference {
	uint64_t index;
	char path[56];
	bool is_fence;
} FdReference;

static size_t name_fds(const ObjectParams *object, FdReference *reference)
{
	size_t count = object->planes.array.count;

	for (size_t i = 0; i < count; i++) {
		reference[i].index = object->planes.items[i].fd.value;
		reference[i].is_fence = false;
		snprintf(reference[i].path, sizeof(reference[i].path),
			 "object.planes[%zu].fileDescriptor", i);
	}
	if (!object->fence.present)
		return count;
	reference[count].index = object->fence.fd.value;
	reference[count].is_fence = true;
	snprintf(reference[count].path, sizeof(reference[count].path),
		 "object.fence.fileDescriptor");
	return count + 1;
}

/* Checks that each reference index has an fd, and that each fd of the message is reference. */
static NTSTATUS check_indexes(Request *request, const FdReference *reference, size_t count)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < count; i++) {
		if (reference[i].index >= request->fd_count)
			return failure_parameter(
				&request->failure, reference[i].path,
				"is not the index of a file descriptor of this message, "
				"which came with %zu",
				request->fd_count);
		seen |= UINT64_C(1) << (reference[i].index % 64);
	}
	for (size_t i = 0; i < request->fd_count; i++)
		if (i >= OBJECT_FDS_MAX || !(seen & UINT64_C(1) << i))
			return failure_parameter(
				&request->failure, "object",
				"names fewer file descriptors than came with it; send "
				"only those that it needs");
	return STATUS_SUCCESS;
}

static NTSTATUS mismatch(Request *request, const char *path, const char *message)
{
	failure_set(&request->failure, STATUS_OBJECT_TYPE_MISMATCH, "objectType", "%s", message);
	snprintf(request->failure.parameter, sizeof(request->failure.parameter), "%s", path);
	return request->failure.status;
}

static NTSTATUS check_memory(Request *request, const char *path, const FdInfo *facts,
			     const FdInfo *first)
{
	bool writes = request->params.share.object.access.value == OBJECT_READ_WRITE;

	if (facts->kind != FD_DMABUF && facts->kind != FD_MEMFD)
		return mismatch(request, path,
				"this file descriptor is neither a dma-buf nor a memfd; only those "
				"can be shared as a plane");
	if (facts->kind != first->kind)
		return mismatch(
			request, path,
			"this plane has another kind of memory than the first; use the same "
			"kind for all planes");
	if (facts->kind == FD_MEMFD && facts->can_be_sealed)
		return mismatch(request, path,
				"this memfd has no F_SEAL_SEAL, so its readers could seal it "
				"against you; add F_SEAL_SEAL first");
	if (facts->kind == FD_MEMFD && !facts->size_is_sealed &&
	    (request->service->settings.require_sealed_memory ||
	     request->subject.vm->requires_sealed_memory))
		return mismatch(request, path,
				"the size of this memfd is not sealed, and this host requires it; "
				"add F_SEAL_SHRINK and F_SEAL_GROW");
	if (writes && !facts->is_writable)
		return mismatch(request, path,
				"this file descriptor is not open for writing, which access "
				"readWrite needs; open it with O_RDWR");
	return STATUS_SUCCESS;
}

static NTSTATUS read_facts(Request *request, const FdReference *reference, ObjectFd *ret,
			   const ObjectFd *first)
{
	const Host *host = request->service->host;
	Lookup lookup = host->read_fd_info(host->self, request->fds[reference->index], &ret->facts);

	if (lookup != LOOKUP_FOUND)
		return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES, "exhausted",
				   "the daemon has no resources left to examine the descriptor; "
				   "try again later");
	if (!reference->is_fence)
		return check_memory(request, reference->path, &ret->facts, &first->facts);
	if (ret->facts.kind == FD_SYNC_FILE)
		return STATUS_SUCCESS;
	return mismatch(request, reference->path,
			"this file descriptor is not a sync_file; only those can be shared as a "
			"fence");
}

/* --- layout of the planes -------------------------------------------------------------------- */

/*
 * Returns the rows that the plane must have. Planes that the format does not have belong to its
 * modifier, which may make them far smaller than the image: only one row of them is required.
 */
static PlaneRows rows_of_plane(const ObjectDescription *description, size_t plane)
{
	PlaneRows rows = pixel_format_rows(description->format, plane, description->width,
					   description->height);

	if (rows.size == 0 && plane > 0 && description->modifier != 0 &&
	    pixel_format_rows(description->format, 0, 1, 1).size > 0)
		rows.count = 1;
	return rows;
}

/* Adds up the bytes from the start of the memory to the end of the last row. */
static bool end_of_plane(const ObjectPlane *plane, const PlaneRows *rows, uint64_t *ret_end)
{
	uint64_t last_row = rows->size > 0 ? rows->size : plane->stride;

	return !__builtin_mul_overflow(plane->stride, rows->count - 1, ret_end) &&
	       !__builtin_add_overflow(*ret_end, last_row, ret_end) &&
	       !__builtin_add_overflow(*ret_end, plane->offset, ret_end);
}

static NTSTATUS check_plane_fits(Request *request, const ObjectDescription *description,
				 size_t index, const FdInfo *facts)
{
	const ObjectPlane *plane = &description->planes[index];
	PlaneRows rows = rows_of_plane(description, index);
	char path[40];
	uint64_t end;

	snprintf(path, sizeof(path), "object.planes[%zu]", index);
	if (plane->stride == 0)
		return failure_parameter(&request->failure, path,
					 "has a stride of 0; send the number of bytes per row");
	if (!end_of_plane(plane, &rows, &end) || end > facts->size)
		return failure_parameter(
			&request->failure, path,
			"does not fit into its memory of %llu bytes, because offset + stride x "
			"%llu + %llu bytes of the last row exceeds that; share more memory",
			(unsigned long long)facts->size, (unsigned long long)(rows.count - 1),
			(unsigned long long)(rows.size > 0 ? rows.size : plane->stride));
	return STATUS_SUCCESS;
}

/* --- opening the daemon's own file descriptors ----------------------------------------------- */

static NTSTATUS open_own_fd(Request *request, const FdReference *reference, ObjectFd *fd)
{
	const Host *host = request->service->host;
	bool writes = request->params.share.object.access.value == OBJECT_READ_WRITE;

	switch (host->open_fd(host->self, request->fds[reference->index], fd->facts.kind, writes,
			      &fd->fd)) {
	case LOOKUP_FOUND:
		return STATUS_SUCCESS;
	case LOOKUP_UNREADABLE:
		return mismatch(request, reference->path,
				"the file mode of this memfd keeps the daemon from opening it; use "
				"fchmod 0666, which is safe, because only its holders can open it");
	default:
		return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES, "exhausted",
				   "the daemon has no descriptors left; try again later");
	}
}

void object_settings_release(Request *request, ObjectSettings *settings)
{
	const Host *host = request->service->host;

	for (size_t i = 0; i < settings->fd_count; i++)
		host->release_fd(host->self, settings->fds[i].fd);
	settings->fd_count = 0;
}

/* Examines all fds before any is opened. */
static NTSTATUS check_fds(Request *request, const FdReference *reference, size_t count,
			  ObjectSettings *settings)
{
	NTSTATUS status = check_indexes(request, reference, count);

	for (size_t i = 0; i < count && status == STATUS_SUCCESS; i++)
		status = read_facts(request, &reference[i], &settings->fds[i], &settings->fds[0]);
	for (size_t i = 0; i < settings->description.plane_count && status == STATUS_SUCCESS; i++)
		status = check_plane_fits(request, &settings->description, i,
					  &settings->fds[i].facts);
	return status;
}

NTSTATUS object_resolve_settings(Request *request, ObjectSettings *ret_settings)
{
	FdReference reference[OBJECT_FDS_MAX];
	ObjectSettings settings = { .name = request->params.share.object.name };
	size_t count = 0;
	NTSTATUS status = read_description(request, &settings.description);

	if (status == STATUS_SUCCESS) {
		count = name_fds(&request->params.share.object, reference);
		status = check_fds(request, reference, count, &settings);
	}
	for (size_t i = 0; i < count && status == STATUS_SUCCESS; i++) {
		status = open_own_fd(request, &reference[i], &settings.fds[i]);
		settings.fd_count += status == STATUS_SUCCESS;
	}
	if (status == STATUS_SUCCESS)
		*ret_settings = settings;
	else
		object_settings_release(request, &settings);
	return status;
}
