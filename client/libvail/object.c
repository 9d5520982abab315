/* SPDX-License-Identifier: MIT */
/* Typed calls for sharing objects, and the list of objects. */
#include <string.h>

#include "client/libvail/internal.h"
#include "client/libvail/list.h"
#include "client/libvail/memory.h"
#include "client/libvail/names.h"
#include "client/libvail/object-info.h"

/* ---- Sharing ---- */

/* Programs that were built before first_row existed have a shorter structure. */
static VailFirstRow first_row_of(const VailObject *object)
{
	return object->size == sizeof(*object) ? object->first_row : VAIL_FIRST_ROW_TOP;
}

static bool size_is_known(const VailObject *object)
{
	return object->size == sizeof(*object) || object->size == offsetof(VailObject, first_row);
}

/* Returns why the object cannot be sent to vaild; NULL if it can. */
static const char *check_object(const VailObject *object)
{
	if (object->access != VAIL_ACCESS_READ && object->access != VAIL_ACCESS_READ_WRITE)
		return "object->access is invalid; set VAIL_ACCESS_READ or "
		       "VAIL_ACCESS_READ_WRITE";
	if (object->plane_count > VAIL_PLANE_MAX)
		return "object->plane_count is more than VAIL_PLANE_MAX; a "
		       "resource has 1 to 4 planes";
	if (!first_row_name(first_row_of(object)))
		return "object->first_row is invalid; set VAIL_FIRST_ROW_TOP or "
		       "VAIL_FIRST_ROW_BOTTOM";
	if (object->plane_count == 0 && object->fence < 0)
		return "object has neither planes nor a fence; set at least one of "
		       "them";
	for (size_t i = 0; i < object->plane_count; i++)
		if (object->planes[i].descriptor < 0)
			return "a plane of the object has no descriptor; set a dma-buf or "
			       "memfd for each plane";
	for (int shift = 0; object->plane_count > 0 && shift < 32; shift += 8) {
		uint32_t character = object->format >> shift & 0xff;

		if (character < ' ' || character > '~')
			return "object->format is not a DRM format code; set it with "
			       "VAIL_FORMAT()";
	}
	return NULL;
}

static VailObjectType type_of(const VailObject *object)
{
	if (object->plane_count == 0)
		return VAIL_OBJECT_FENCE;
	return object->fence < 0 ? VAIL_OBJECT_RESOURCE : VAIL_OBJECT_RESOURCE_WITH_FENCE;
}

/* The plane's index is also the index of its fd. */
static void put_plane(Parameters *parameters, const VailPlane *plane, size_t index)
{
	writer_object_begin(&parameters->writer);
	put_number(parameters, "fileDescriptor", index);
	put_number(parameters, "offset", plane->offset);
	put_number(parameters, "stride", plane->stride);
	writer_object_end(&parameters->writer);
}

static void put_resource(Parameters *parameters, const VailObject *object)
{
	char format[5] = { 0 };

	for (size_t i = 0; i < 4; i++)
		format[i] = (char)(object->format >> (8 * i) & 0xff);
	put_number(parameters, "width", object->width);
	put_number(parameters, "height", object->height);
	put_string(parameters, "format", format);
	put_address(parameters, "modifier", object->modifier);
	if (first_row_of(object) != VAIL_FIRST_ROW_TOP)
		put_string(parameters, "firstRow", first_row_name(first_row_of(object)));
	writer_key(&parameters->writer, "planes");
	writer_array_begin(&parameters->writer);
	for (size_t i = 0; i < object->plane_count; i++)
		put_plane(parameters, &object->planes[i], i);
	writer_array_end(&parameters->writer);
}

static void put_object(Parameters *parameters, const VailObject *object)
{
	writer_key(&parameters->writer, "object");
	writer_object_begin(&parameters->writer);
	put_string(parameters, "type", object_type_name(type_of(object)));
	put_string(parameters, "access", access_name(object->access));
	put_string(parameters, "name", object->name);
	if (object->plane_count > 0)
		put_resource(parameters, object);
	if (object->fence >= 0) {
		writer_key(&parameters->writer, "fence");
		writer_object_begin(&parameters->writer);
		put_number(parameters, "fileDescriptor", object->plane_count);
		writer_object_end(&parameters->writer);
	}
	writer_object_end(&parameters->writer);
}

/* Seals the planes and collects the fds in the order of their indices. Returns their number. */
static size_t seal_and_collect(const VailObject *object, int fds[VAIL_PLANE_MAX + 1])
{
	size_t count = 0;

	for (; count < object->plane_count; count++) {
		fds[count] = object->planes[count].descriptor;
		memory_seal(fds[count], object->access);
	}
	if (object->fence >= 0)
		fds[count++] = object->fence;
	return count;
}

NTSTATUS vail_share_object(struct vail *vail, const char *virtual_machine, const VailObject *object,
			   char ret_handle[VAIL_HANDLE_SIZE])
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters = { 0 };
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;
	int fds[VAIL_PLANE_MAX + 1];
	CallRequest request = { .method = "io.vaild.ShareObjectWithHost", .fds = fds };

	if (!vail || !object || !ret_handle)
		return STATUS_INVALID_PARAMETER;
	if (!size_is_known(object))
		return refuse_size(vail, "VAIL_OBJECT_INIT");
	const char *wrong = check_object(object);
	if (wrong)
		return error_set(vail, STATUS_INVALID_PARAMETER, "%s", wrong);
	parameters_begin(&parameters);
	put_required(&parameters, "virtualMachineGuid", virtual_machine);
	put_object(&parameters, object);
	NTSTATUS status = parameters_end(vail, &parameters, &request.parameters);
	if (status != STATUS_SUCCESS)
		return status;
	request.fd_count = seal_and_collect(object, fds);
	status = call_blocking(vail, &request, &message, &reply);
	if (status != STATUS_SUCCESS)
		return status;
	return read_handle(vail, json_member(reply, "sharedObject"), "handle", ret_handle);
}

/* ---- Updating ---- */

static void put_update(Parameters *parameters, const char *handle, const VailRectangle *damage,
		       size_t count)
{
	put_required(parameters, "handle", handle);
	if (!damage || count == 0)
		return;
	writer_key(&parameters->writer, "damage");
	writer_array_begin(&parameters->writer);
	for (size_t i = 0; i < count; i++) {
		writer_object_begin(&parameters->writer);
		put_number(parameters, "x", damage[i].x);
		put_number(parameters, "y", damage[i].y);
		put_number(parameters, "width", damage[i].width);
		put_number(parameters, "height", damage[i].height);
		writer_object_end(&parameters->writer);
	}
	writer_array_end(&parameters->writer);
}

NTSTATUS vail_update_object(struct vail *vail, const char *handle, const VailRectangle *damage,
			    size_t count)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_update(&parameters, handle, damage, count);
	return parameters_call_plain(vail, "io.vaild.UpdateObject", &parameters);
}

NTSTATUS vail_send_update(struct vail *vail, const char *handle, const VailRectangle *damage,
			  size_t count)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	const char *text = NULL;

	parameters_begin(&parameters);
	put_update(&parameters, handle, damage, count);
	NTSTATUS status = parameters_end(vail, &parameters, &text);
	if (status != STATUS_SUCCESS)
		return status;
	return vail_send_oneway(vail, "io.vaild.UpdateObject", text);
}

/* ---- Unsharing ---- */

NTSTATUS vail_unshare_object(struct vail *vail, const char *handle, uint64_t *ret_holders)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;

	parameters_begin(&parameters);
	put_required(&parameters, "handle", handle);
	NTSTATUS status =
		parameters_call(vail, "io.vaild.UnshareObject", &parameters, &message, &reply);
	if (status == STATUS_SUCCESS && ret_holders)
		*ret_holders = json_array_size(json_member(reply, "holders"));
	return status;
}

/* ---- Listing ---- */

/* The user's callback for a list's items. */
typedef struct ListCallback {
	VailObjectTaker take;
	void *context;
	bool failed; /* out of memory */
} ListCallback;

static bool report_object(struct vail *vail, const JsonValue *value, void *context)
{
	ListCallback *list = context;
	ObjectReading reading;
	bool go_on = false;

	if (object_reading_init(&reading, value))
		go_on = list->take(vail, &reading.object, list->context);
	else
		list->failed = true;
	object_reading_deinit(&reading);
	return go_on;
}

NTSTATUS vail_list_objects(struct vail *vail, const char *virtual_machine, VailObjectTaker take,
			   void *context)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	ListCallback list = { .take = take, .context = context };

	parameters_begin(&parameters);
	put_string(&parameters, "virtualMachineGuid", virtual_machine);
	if (!take)
		parameters.wrong = "take is NULL; it is required";
	NTSTATUS status = parameters_call_list(vail, "io.vaild.ListSharedObjects", &parameters,
					       "sharedObjects", report_object, &list);
	if (status == STATUS_SUCCESS && list.failed)
		status = error_set_no_memory(vail);
	return status;
}
