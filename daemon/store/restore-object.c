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
	    settings->descriptor_count != planes + has_fence)
		return false;
	for (size_t i = 0; i < settings->descriptor_count; i++) {
		DescriptorKind kind = settings->descriptors[i].facts.kind;
		bool is_memory = kind == DESCRIPTOR_DMABUF || kind == DESCRIPTOR_MEMFD;

		if (i < planes ? !is_memory : kind != DESCRIPTOR_SYNC_FILE)
			return false;
	}
	return true;
}

RestoreReason restore_object(Restore *restore, void *record)
{
	RestoredObject *from = record;

	if (named_is_taken(restore->broker, &from->handle))
		return RESTORE_HANDLE_IS_TAKEN;
	if (!has_matching_fds(&from->settings))
		return RESTORE_FDS_DO_NOT_MATCH;
	for (size_t i = 0; i < OBJECT_DESCRIPTORS_MAX; i++)
		from->settings.descriptors[i].descriptor = DESCRIPTOR_NONE;
	SharedObject *object = object_restore(restore->broker, from);
	if (!object)
		return restore_reason(STATUS_NO_MEMORY);
	restore->objects[restore->object_count++] = object;
	return RESTORE_OK;
}

/* Ignores the size: one that is not sealed may change, and is read when the object is opened. */
static bool is_the_same(const DescriptorFacts *was, const DescriptorFacts *now)
{
	return was->kind == now->kind && was->device == now->device && was->inode == now->inode;
}

static RestoreReason find_descriptor(Restore *restore, uint64_t id, ObjectDescriptor *descriptor)
{
	const Host *host = restore->broker->host;
	DescriptorFacts now;

	Evidence evidence = host->find_kept_descriptor(host->self, id, &descriptor->descriptor);
	if (evidence != EVIDENCE_FOUND) {
		descriptor->descriptor = DESCRIPTOR_NONE;
		return evidence == EVIDENCE_EXHAUSTED ? RESTORE_NO_RESOURCES
						      : RESTORE_FD_NOT_STORED;
	}
	descriptor->id = id;
	if (host->read_descriptor(host->self, descriptor->descriptor, &now) != EVIDENCE_FOUND)
		return RESTORE_NO_RESOURCES;
	if (!is_the_same(&descriptor->facts, &now))
		return RESTORE_FD_HAS_CHANGED;
	return RESTORE_OK;
}

static void release_descriptors(Restore *restore, SharedObject *object)
{
	const Host *host = restore->broker->host;

	for (size_t i = 0; i < OBJECT_DESCRIPTORS_MAX; i++) {
		ObjectDescriptor *descriptor = &object->descriptors[i];

		if (descriptor->descriptor != DESCRIPTOR_NONE)
			host->release_descriptor(host->self, descriptor->descriptor);
		descriptor->descriptor = DESCRIPTOR_NONE;
	}
}

static RestoreReason find_descriptors(Restore *restore, const RecordedSharing *from,
				      SharedObject *object)
{
	RestoreReason reason = RESTORE_OK;

	for (size_t i = 0; i < from->descriptor_count && reason == RESTORE_OK; i++)
		reason = find_descriptor(restore, from->descriptors[i], &object->descriptors[i]);
	return reason;
}

static size_t wanted_descriptors(const SharedObject *object)
{
	return object->description.plane_count + (object->description.type != OBJECT_RESOURCE);
}

RestoreReason restore_sharing(Restore *restore, void *record)
{
	const RecordedSharing *from = record;
	Broker *broker = restore->broker;
	SharedObject *object = object_find(broker, &from->object);
	VirtualMachine *vm =
		thing_owner(thing_find(broker, THING_VIRTUAL_MACHINE, from->vm), VirtualMachine);
	Caller sharer;
	Failure failure;
	RestoreReason reason = restore_caller(restore, &from->sharer, from->account, &sharer);

	if (reason != RESTORE_OK)
		return reason;
	if (!object || object->vm || wanted_descriptors(object) != from->descriptor_count)
		return RESTORE_OBJECT_IS_GONE;
	if (!vm || guid_compare(&vm->guid, &object->virtual_machine) != 0)
		return RESTORE_VM_IS_GONE;
	reason = find_descriptors(restore, from, object);
	if (reason == RESTORE_OK)
		reason = restore_reason(object_restore_sharing(broker, &sharer, vm, object,
							       from->descriptor_count, &failure));
	if (restore_reason_is_exhaustion(reason))
		broker->host->stop_keeping(broker->host->self);
	if (reason != RESTORE_OK)
		release_descriptors(restore, object);
	else
		object->sharing_serial = from->serial;
	return reason;
}

RestoreReason restore_holder(Restore *restore, void *record)
{
	const RecordedHolder *from = record;
	Broker *broker = restore->broker;
	SharedObject *object = object_find(broker, &from->object);
	ObjectHolder *holder;
	Caller caller;
	Failure failure;
	RestoreReason reason = restore_caller(restore, &from->process, from->account, &caller);

	if (reason != RESTORE_OK)
		return reason;
	if (!object)
		return RESTORE_OBJECT_IS_GONE;
	if (object_holder(object, caller.process))
		return RESTORE_HELD_ALREADY;
	NTSTATUS status = holder_prepare(broker, &caller, object, &holder, &failure);
	if (status != STATUS_SUCCESS)
		return restore_reason(status);
	holder->serial = from->serial;
	holder->since = from->since;
	holder_commit(broker, holder);
	return RESTORE_OK;
}
