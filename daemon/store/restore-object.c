/* SPDX-License-Identifier: MIT */
/* Restores objects, their sharing and their holders. */
#include "daemon/store/restore.h"

/* Tests for one memory fd per plane, followed by a sync_file if the type has a fence. */
static bool has_matching_fds(const ObjectSettings *settings)
{
	const ObjectDescription *description = &settings->description;
	size_t planes = description->plane_count;
	bool has_fence = description->type != OBJECT_RESOURCE;

	if ((planes == 0) != (description->type == OBJECT_FENCE) ||
	    settings->fd_count != planes + has_fence)
		return false;
	for (size_t i = 0; i < settings->fd_count; i++) {
		FdKind kind = settings->fds[i].facts.kind;
		bool is_memory = kind == FD_DMABUF || kind == FD_MEMFD;

		if (i < planes ? !is_memory : kind != FD_SYNC_FILE)
			return false;
	}
	return true;
}

RestoreReason restore_object(Restore *restore, void *record)
{
	RestoredObject *from = record;

	if (handle_entry_is_taken(restore->broker, &from->handle))
		return RESTORE_HANDLE_IS_TAKEN;
	if (!has_matching_fds(&from->settings))
		return RESTORE_FDS_DO_NOT_MATCH;
	for (size_t i = 0; i < OBJECT_FDS_MAX; i++)
		from->settings.fds[i].fd = FD_NONE;
	SharedObject *object = object_restore(restore->broker, from);
	if (!object)
		return restore_reason(STATUS_NO_MEMORY);
	restore->objects[restore->object_count++] = object;
	return RESTORE_OK;
}

/* Ignores the size: one that is not sealed may change, and is read when the object is opened. */
static bool is_the_same(const FdInfo *was, const FdInfo *now)
{
	return was->kind == now->kind && was->device == now->device && was->inode == now->inode;
}

RestoreReason restore_find_fd(Restore *restore, uint64_t id, ObjectFd *fd)
{
	const Host *host = restore->broker->host;
	FdInfo now;

	Lookup lookup = host->fdstore_find(host->self, id, &fd->fd);
	if (lookup != LOOKUP_FOUND) {
		fd->fd = FD_NONE;
		return lookup == LOOKUP_EXHAUSTED ? RESTORE_NO_RESOURCES : RESTORE_FD_NOT_STORED;
	}
	fd->id = id;
	if (host->read_fd_info(host->self, fd->fd, &now) != LOOKUP_FOUND)
		return RESTORE_NO_RESOURCES;
	if (!is_the_same(&fd->facts, &now))
		return RESTORE_FD_HAS_CHANGED;
	return RESTORE_OK;
}

static void release_fds(Restore *restore, SharedObject *object)
{
	const Host *host = restore->broker->host;

	for (size_t i = 0; i < OBJECT_FDS_MAX; i++) {
		ObjectFd *fd = &object->fds[i];

		if (fd->fd != FD_NONE)
			host->release_fd(host->self, fd->fd);
		fd->fd = FD_NONE;
	}
}

static RestoreReason find_fds(Restore *restore, const RecordedSharing *from, SharedObject *object)
{
	RestoreReason reason = RESTORE_OK;

	for (size_t i = 0; i < from->fd_count && reason == RESTORE_OK; i++)
		reason = restore_find_fd(restore, from->fds[i], &object->fds[i]);
	return reason;
}

static size_t wanted_fds(const SharedObject *object)
{
	return object->description.plane_count + (object->description.type != OBJECT_RESOURCE);
}

/* Finds the VM and the fds of a sharing, and links it to its object. */
static RestoreReason share_again(Restore *restore, const RecordedSharing *from,
				 const Caller *sharer, SharedObject *object)
{
	Broker *broker = restore->broker;
	VirtualMachine *vm = restore_find_vm(restore, from->vm);
	Failure failure;

	if (!vm)
		return restore_without_vm(restore, from->vm);
	if (object->vm || wanted_fds(object) != from->fd_count)
		return RESTORE_OBJECT_IS_GONE;
	if (guid_compare(&vm->guid, &object->virtual_machine) != 0)
		return RESTORE_VM_IS_GONE;
	RestoreReason reason = find_fds(restore, from, object);
	if (reason == RESTORE_OK)
		reason = restore_reason(object_restore_sharing(broker, sharer, vm, object,
							       from->fd_count, &failure));
	if (restore_reason_is_exhaustion(reason))
		broker->host->stop_persisting(broker->host->self);
	if (reason != RESTORE_OK)
		release_fds(restore, object);
	else
		object->sharing_serial = from->serial;
	return reason;
}

/* Notes that the object has lost a sharing or a holder, unless that had ended before. */
static RestoreReason note_use(SharedObject *object, RestoreReason reason)
{
	if (object && reason != RESTORE_OK && reason != RESTORE_HAS_ENDED)
		object->has_lost_use = true;
	return reason;
}

RestoreReason restore_sharing(Restore *restore, void *record)
{
	const RecordedSharing *from = record;
	SharedObject *object = object_find(restore->broker, &from->object);
	Caller sharer;
	RestoreReason reason = restore_caller(restore, &from->sharer, &from->payer, &sharer);

	if (reason == RESTORE_OK)
		reason = object ? share_again(restore, from, &sharer, object)
				: RESTORE_OBJECT_IS_GONE;
	return note_use(object, reason);
}

/* Lets a process hold the object again. */
static RestoreReason hold_again(Restore *restore, const RecordedHolder *from, const Caller *caller,
				SharedObject *object)
{
	Broker *broker = restore->broker;
	ObjectHolder *holder;
	Failure failure;

	if (object_holder(object, caller->process))
		return RESTORE_HELD_ALREADY;
	NTSTATUS status = holder_prepare(broker, caller, object, &holder, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	holder->serial = from->serial;
	holder->since = from->since;
	holder_commit(broker, holder);
	return RESTORE_OK;
}

RestoreReason restore_holder(Restore *restore, void *record)
{
	const RecordedHolder *from = record;
	SharedObject *object = object_find(restore->broker, &from->object);
	Caller caller;
	RestoreReason reason = restore_caller(restore, &from->process, &from->payer, &caller);

	if (reason == RESTORE_OK)
		reason = object ? hold_again(restore, from, &caller, object)
				: RESTORE_OBJECT_IS_GONE;
	return note_use(object, reason);
}
