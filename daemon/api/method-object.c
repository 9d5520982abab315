/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild: objects that a VM shares with the processes registered for it. */
#include <stdio.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"
#include "daemon/api/object-settings.h"

/* --- sharing --------------------------------------------------------------------------------- */

NTSTATUS method_share_object_with_host(Request *request)
{
	Broker *broker = request->service->broker;
	VirtualMachine *vm = request->subject.vm;
	ObjectSettings settings;
	SharedObject *object;
	NTSTATUS status;

	if (quarantine_find(broker, &vm->guid))
		return failure_set(
			&request->failure, STATUS_ACCESS_DENIED, "quarantined",
			"the VM is in quarantine; have an operator run: vailctl vm release VM");
	status = request_await_fdstore(request);
	if (status == STATUS_SUCCESS)
		status = object_resolve_settings(request, &settings);
	if (status != STATUS_SUCCESS)
		return status;
	status = object_prepare(broker, request->caller, vm, &settings, &object, &request->failure);
	if (status == STATUS_SUCCESS) {
		status = store_save_object(&request->service->store, object, &request->failure);
		if (status != STATUS_SUCCESS)
			object_discard(broker, object);
	}
	if (status != STATUS_SUCCESS) {
		object_settings_release(request, &settings);
		return status;
	}
	object_commit(broker, object);
	request->changed = true;
	request->object = object->handle_entry.handle;
	request->names_object = true;
	writer_key(request->reply, "sharedObject");
	encode_shared_object(request->reply, object, request->caller->pid_namespace);
	return STATUS_SUCCESS;
}

/* Tests whether the rectangle is not empty and lies inside the resource. */
static bool is_inside(const ObjectDescription *description, const Rectangle *rectangle)
{
	return rectangle->width > 0 && rectangle->height > 0 &&
	       rectangle->x <= description->width && rectangle->y <= description->height &&
	       rectangle->width <= description->width - rectangle->x &&
	       rectangle->height <= description->height - rectangle->y;
}

NTSTATUS method_update_object(Request *request)
{
	const DamageParams *damage = &request->params.update.damage;
	SharedObject *object = request->subject.object;
	Rectangle rectangles[LIMIT_DAMAGE_RECTANGLES];

	for (size_t i = 0; i < damage->array.count; i++) {
		const RectangleParams *item = &damage->items[i];
		char path[32];

		rectangles[i] = (Rectangle){ item->x.value, item->y.value, item->width.value,
					     item->height.value };
		snprintf(path, sizeof(path), "damage[%zu]", i);
		if (!is_inside(&object->description, &rectangles[i]))
			return failure_parameter(
				&request->failure, path,
				"is empty or not inside the resource; send rectangles "
				"within its width and height");
	}
	object_updated(request->service->broker, object, rectangles, damage->array.count);
	return STATUS_SUCCESS;
}

NTSTATUS method_unshare_object(Request *request)
{
	SharedObject *object = request->subject.object;

	encode_holders(request->reply, object, request->caller->pid_namespace);
	object_end(request->service->broker, object, END_REQUESTED);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* --- opening --------------------------------------------------------------------------------- */

static bool sizes_are_the_same(const SharedObject *object, const ObjectFd *fds)
{
	for (size_t i = 0; i < object->fd_count; i++)
		if (fds[i].facts.size != object->fds[i].facts.size)
			return false;
	return true;
}

/*
 * Reads the sizes again if they are not sealed, because the memory may have grown. Charges the
 * difference, or ends the object if that exceeds a limit.
 */
static NTSTATUS update_size(Request *request)
{
	const Host *host = request->service->host;
	SharedObject *object = request->subject.object;
	ObjectFd fds[OBJECT_FDS_MAX];
	NTSTATUS status = STATUS_SUCCESS;

	if (object->description.plane_count == 0 || object_size_is_sealed(object))
		return STATUS_SUCCESS;
	for (size_t i = 0; i < object->fd_count; i++) {
		fds[i] = object->fds[i];
		if (host->read_fd_info(host->self, fds[i].fd, &fds[i].facts) != LOOKUP_FOUND)
			return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES,
					   "exhausted",
					   "the daemon has no resources left; try again later");
	}
	if (!sizes_are_the_same(object, fds))
		status = store_save_object_sizes(&request->service->store, object, fds,
						 &request->failure);
	if (status == STATUS_SUCCESS)
		status = object_resize(request->service->broker, object, fds, &request->failure);
	status = request_await_ends(request, status);
	if (status == STATUS_QUOTA_EXCEEDED)
		object_end(request->service->broker, object, END_OVER_BUDGET);
	return status;
}

/* Reports that the daemon could not open its own fd. */
static NTSTATUS open_failure(Request *request, Lookup lookup)
{
	if (lookup == LOOKUP_UNREADABLE)
		return failure_set(&request->failure, STATUS_OBJECT_TYPE_MISMATCH, "objectType",
				   "the file mode of the object's memory no longer lets the daemon "
				   "open it; ask the sharing process to restore it (fchmod 0666)");
	return failure_set(&request->failure, STATUS_INSUFFICIENT_RESOURCES, "exhausted",
			   "the daemon has no descriptors left; try again later");
}

/* Opens the daemon's own fds for the reply: one per plane, then the fence's. */
static NTSTATUS send_object_fds(Request *request)
{
	const Host *host = request->service->host;
	const SharedObject *object = request->subject.object;
	bool writes = object->description.access == OBJECT_READ_WRITE;

	for (size_t i = 0; i < object->fd_count; i++) {
		const ObjectFd *fd = &object->fds[i];
		Lookup lookup = host->open_fd(host->self, fd->fd, fd->facts.kind, writes,
					      &request->outgoing_fds[i]);

		if (lookup != LOOKUP_FOUND)
			return open_failure(request, lookup);
		request->outgoing_count++;
	}
	return STATUS_SUCCESS;
}

NTSTATUS method_open_shared_object(Request *request)
{
	Broker *broker = request->service->broker;
	SharedObject *object = request->subject.object;
	ObjectHolder *holder = NULL;
	NTSTATUS status = request_await_look(request);

	if (status == STATUS_SUCCESS)
		status = update_size(request);
	if (status == STATUS_SUCCESS && !object_holder(object, request->caller->process))
		status =
			holder_prepare(broker, request->caller, object, &holder, &request->failure);
	if (status == STATUS_SUCCESS)
		status = send_object_fds(request);
	if (status == STATUS_SUCCESS && holder)
		status = store_save_holder(&request->service->store, holder, &request->failure);
	if (status != STATUS_SUCCESS) {
		if (holder)
			holder_discard(broker, holder);
		return status;
	}
	if (holder)
		holder_commit(broker, holder);
	request->changed = true;
	encode_opened_object(request->reply, object);
	return STATUS_SUCCESS;
}

NTSTATUS method_close_shared_object(Request *request)
{
	holder_end(request->service->broker,
		   object_holder(request->subject.object, request->caller->process), END_REQUESTED);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* --- the list -------------------------------------------------------------------------------- */

static bool object_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	const SharedObject *object = container_of(entity, SharedObject, entity);

	if (caller_sees_all(caller) || object->sharer->key == caller->process)
		return true;
	const Registration *registration =
		registration_find(service->broker, caller->process, object->vm);
	return registration && !vm_prunes(registration);
}

static void object_write(const ListView *view, Writer *writer, const Entity *entity)
{
	encode_shared_object(writer, container_of(entity, SharedObject, entity),
			     view->caller->pid_namespace);
}

static const Guid *object_machine(const Entity *entity)
{
	return &container_of(entity, SharedObject, entity)->virtual_machine;
}

static size_t object_parts(const Entity *entity)
{
	const SharedObject *object = container_of(entity, SharedObject, entity);

	return 1 + object->description.plane_count + object->holder_count;
}

const ListOperations list_shared_objects = {
	.next = list_next_entity,
	.count = list_count_entities,
	.type = ENTITY_OBJECT,
	.is_visible = object_is_visible,
	.write = object_write,
	.parts = object_parts,
	.machine = object_machine,
};
