/* SPDX-License-Identifier: MIT */
#include "client/libvail/object-open.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "client/libvail/internal.h"
#include "client/libvail/object-info.h"
#include "client/libvail/parameters.h"

static const char object_busy[] =
	"another thread is using this object; open it in each thread, or protect the calls with a "
	"lock";

static struct vail_object *object_new(void)
{
	struct vail_object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	exclusive_use_forget(&object->use);
	for (size_t i = 0; i < VAIL_PLANE_MAX; i++)
		object->planes[i].fd = -1;
	object->fence = -1;
	object->scratch = -1;
	object->timeout = VAIL_TIMEOUT_DEFAULT;
	return object;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void object_free(struct vail_object *object)
{
	for (size_t i = 0; i < VAIL_PLANE_MAX; i++) {
		if (object->planes[i].mapping)
			munmap(object->planes[i].mapping, object->planes[i].mapped);
		close_one(object->planes[i].fd);
	}
	close_one(object->fence);
	close_one(object->scratch);
	free(object->name);
	free(object->message);
	free(object);
}

/* ---- Opening ---- */

static void plane_inspect(OpenPlane *plane)
{
	struct statfs file_system;
	struct stat status;

	if (fstat(plane->fd, &status) < 0)
		return;
	if (fstatfs(plane->fd, &file_system) == 0 && file_system.f_type == DMA_BUF_MAGIC) {
		off_t end = lseek(plane->fd, 0, SEEK_END);

		plane->kind = PLANE_DMABUF;
		plane->size = end > 0 ? (uint64_t)end : 0;
	} else if (S_ISREG(status.st_mode)) {
		plane->kind = PLANE_FILE;
		plane->size = (uint64_t)status.st_size;
	}
}

/* Takes the fds of the planes and the fence from the reply. Returns false if one is missing. */
static bool take_fds(struct vail *vail, struct vail_object *object, const JsonValue *value)
{
	const JsonValue *planes = json_member(value, "planes");
	const JsonValue *fence = json_member(value, "fence");
	size_t count = object->info.plane_count;

	for (size_t i = 0; i < count; i++) {
		OpenPlane *plane = &object->planes[i];
		size_t index = fd_index(json_array_at(planes, i), i);

		plane->fd = vail_take_descriptor(vail, index);
		if (plane->fd < 0)
			return false;
		plane_inspect(plane);
	}
	if (fence)
		object->fence = vail_take_descriptor(vail, fd_index(fence, count));
	return !fence || object->fence >= 0;
}

static NTSTATUS object_fill(struct vail *vail, struct vail_object *object, const char *handle,
			    const JsonValue *reply)
{
	const JsonValue *value = json_member(reply, "object");

	object->info = object_info_read(value, json_member(reply, "memory"));
	if (object->info.name) {
		object->name = strdup(object->info.name);
		object->info.name = object->name;
		if (!object->name)
			return STATUS_NO_MEMORY;
	}
	/* vaild has accepted the handle, so it has the right length. */
	strncpy(object->handle, handle, sizeof(object->handle) - 1);
	return take_fds(vail, object, value) ? STATUS_SUCCESS : STATUS_INVALID_NETWORK_RESPONSE;
}

static void put_handle(Parameters *parameters, const char *handle)
{
	parameters_begin(parameters);
	put_required(parameters, "handle", handle);
}

/* Notifies vaild that this process no longer holds the object. */
static NTSTATUS release(struct vail *vail, const char *handle, bool wait)
{
	_cleanup_(parameters_deinit) Parameters parameters;
	const char *text = NULL;

	put_handle(&parameters, handle);
	if (wait)
		return parameters_call_plain(vail, "io.vaild.CloseSharedObject", &parameters);
	NTSTATUS status = parameters_end(vail, &parameters, &text);
	if (status != STATUS_SUCCESS)
		return status;
	return vail_send_oneway(vail, "io.vaild.CloseSharedObject", text);
}

/* Closes the object again in vaild, which already regards this process as a holder. */
static NTSTATUS undo_open(struct vail *vail, const char *handle, NTSTATUS status)
{
	release(vail, handle, false);
	if (status == STATUS_NO_MEMORY)
		return error_set_no_memory(vail);
	return error_set(vail, status,
			 "vaild's reply lacks the object's file descriptors; use the "
			 "libvail that belongs to this vaild");
}

NTSTATUS vail_open_object(struct vail *vail, const char *handle, struct vail_object **ret_object)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters = { 0 };
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;

	if (!vail || !ret_object)
		return STATUS_INVALID_PARAMETER;
	put_handle(&parameters, handle);
	NTSTATUS status =
		parameters_call(vail, "io.vaild.OpenSharedObject", &parameters, &message, &reply);
	if (status != STATUS_SUCCESS)
		return status;
	struct vail_object *object = object_new();
	if (!object)
		return undo_open(vail, handle, STATUS_NO_MEMORY);
	status = object_fill(vail, object, handle, reply);
	if (status != STATUS_SUCCESS) {
		object_free(object);
		return undo_open(vail, handle, status);
	}
	*ret_object = object;
	return STATUS_SUCCESS;
}

/* Notifies vaild about an object that is freed already. */
static NTSTATUS release_freed(struct vail *vail, const char *handle)
{
	NTSTATUS status = release(vail, handle, !vail->in_callback);

	/* A child forked inside a callback. The other status would mean that the object is open. */
	return status == STATUS_INVALID_DEVICE_STATE ? STATUS_CONNECTION_DISCONNECTED : status;
}

NTSTATUS vail_object_close(struct vail *vail, struct vail_object *object)
{
	use_or_refuse(vail);
	char handle[VAIL_HANDLE_SIZE];

	if (!object)
		return STATUS_SUCCESS;
	if (!exclusive_use_begin(&object->use))
		return vail ? error_set(vail, STATUS_INVALID_DEVICE_STATE, "%s", object_busy)
			    : STATUS_INVALID_DEVICE_STATE;
	memcpy(handle, object->handle, sizeof(handle));
	object_free(object);
	return vail ? release_freed(vail, handle) : STATUS_SUCCESS;
}

/* ---- Getters ---- */

const char *vail_object_error_message(const struct vail_object *object)
{
	if (object && exclusive_use_was_refused(&object->use))
		return object_busy;
	use_or_return(object, object_busy);
	return object && object->message ? object->message : "";
}

const char *vail_object_handle(const struct vail_object *object)
{
	return object ? object->handle : NULL;
}

const VailObjectInfo *vail_object_info(const struct vail_object *object)
{
	return object ? &object->info : NULL;
}

int vail_object_descriptor(const struct vail_object *object, size_t plane)
{
	return object && plane < VAIL_PLANE_MAX ? object->planes[plane].fd : -1;
}

int vail_object_fence_descriptor(const struct vail_object *object)
{
	return object ? object->fence : -1;
}

void vail_object_set_timeout(struct vail_object *object, int timeout)
{
	use_or_return(object);
	if (object)
		object->timeout = timeout;
}
