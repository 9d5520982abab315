/* SPDX-License-Identifier: MIT */
#include "daemon/core/object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker.h"

#define MEBIBYTE (UINT64_C(1) << 20)

/* --- memory ---------------------------------------------------------------------------------- */

/* Tests whether an earlier plane uses the same memory. */
static bool is_repeated(const ObjectFd *fds, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (fds[i].facts.inode == fds[index].facts.inode &&
		    fds[i].facts.device == fds[index].facts.device)
			return true;
	return false;
}

static uint64_t size_of_memory(const ObjectFd *fds, size_t plane_count)
{
	uint64_t size = 0;

	for (size_t i = 0; i < plane_count; i++)
		if (!is_repeated(fds, i) && __builtin_add_overflow(size, fds[i].facts.size, &size))
			return INT64_MAX;
	return size < INT64_MAX ? size : INT64_MAX;
}

static uint64_t mebibytes(uint64_t size)
{
	return size / MEBIBYTE + (size % MEBIBYTE > 0);
}

uint64_t object_size(const SharedObject *object)
{
	return size_of_memory(object->fds, object->description.plane_count);
}

FdKind object_memory_kind(const SharedObject *object)
{
	return object->description.plane_count > 0 ? object->fds[0].facts.kind : FD_OTHER;
}

bool object_size_is_sealed(const SharedObject *object)
{
	for (size_t i = 0; i < object->description.plane_count; i++)
		if (!fd_size_is_sealed(&object->fds[i].facts))
			return false;
	return object->description.plane_count > 0;
}

bool object_access_is_enforced(const SharedObject *object)
{
	for (size_t i = 0; i < object->description.plane_count; i++)
		if (!fd_access_is_enforced(&object->fds[i].facts))
			return false;
	return object->description.plane_count > 0;
}

/* --- sharing --------------------------------------------------------------------------------- */

/* Checks the limits of the VM, then charges the object, its memory and its fds to the caller. */
static NTSTATUS take_charges(Broker *broker, const Caller *caller, SharedObject *object,
			     size_t fd_count, Failure *failure)
{
	const VirtualMachine *vm = object->vm;
	const Payer payer = payer_of(caller);
	uint64_t size = mebibytes(object_size(object));
	NTSTATUS status =
		limit_check_entity(&broker->accounts, LIMIT_OBJECTS, vm->object_count, 1, failure);

	if (status == STATUS_SUCCESS)
		status = limit_check_entity(&broker->accounts, LIMIT_OBJECT_MEBIBYTES,
					    vm->object_mebibytes, size, failure);
	if (status == STATUS_SUCCESS)
		status = charge_take(&object->charge, &broker->accounts, &payer, LIMIT_OBJECTS,
				     failure);
	if (status == STATUS_SUCCESS)
		status = tally_take_many(&object->bytes, &broker->accounts, &payer, size, failure);
	if (status == STATUS_SUCCESS)
		status = tally_take_many(&object->entries, &broker->accounts, &payer, fd_count,
					 failure);
	return status;
}

/* Returns everything that object_acquire() took. Idempotent. */
static void return_charges(Broker *broker, SharedObject *object)
{
	tally_return(&object->entries, &broker->accounts, object->entries.count);
	tally_return(&object->bytes, &broker->accounts, object->bytes.count);
	charge_return(&object->charge, &broker->accounts);
	process_release(broker, TAKE_POINTER(object->sharer));
}

void object_discard(Broker *broker, SharedObject *object)
{
	assert(LIST_EMPTY(&object->holders) && object->holder_count == 0);
	return_charges(broker, object);
	inner_pids_unref(object->sharer_inner_pids);
	free(object->name);
	free(object);
}

/* Allocates an object that is not shared. Returns NULL if out of memory. */
static SharedObject *object_new(const Guid *virtual_machine, const ObjectSettings *settings)
{
	SharedObject *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	if (settings->name && !(object->name = strdup(settings->name))) {
		free(object);
		return NULL;
	}
	object->virtual_machine = *virtual_machine;
	object->description = settings->description;
	object->bytes = TALLY_INIT(LIMIT_OBJECT_MEBIBYTES);
	object->entries = TALLY_INIT(LIMIT_STORE_ENTRIES);
	memcpy(object->fds, settings->fds, sizeof(object->fds));
	LIST_INIT(&object->holders);
	return object;
}

/* Takes the charges and attaches the sharer's process. */
static NTSTATUS object_acquire(Broker *broker, const Caller *caller, VirtualMachine *vm,
			       SharedObject *object, size_t fd_count, Failure *failure)
{
	const ProcessOrigin origin = process_origin_of(caller);

	object->vm = vm;
	NTSTATUS status = take_charges(broker, caller, object, fd_count, failure);

	if (status == STATUS_SUCCESS)
		status = process_attach(broker, &origin, &object->sharer, failure);
	if (status == STATUS_SUCCESS)
		object->sharer_inner_pids = inner_pids_ref(object->sharer->inner_pids);
	return status;
}

NTSTATUS object_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			const ObjectSettings *settings, SharedObject **ret_object, Failure *failure)
{
	SharedObject *object = object_new(&vm->guid, settings);

	if (!object)
		return failure_no_memory(failure);
	NTSTATUS status = object_acquire(broker, caller, vm, object, settings->fd_count, failure);
	if (status != STATUS_SUCCESS) {
		object_discard(broker, object);
		return status;
	}
	object->fd_count = settings->fd_count;
	object->sharer_pid = object->sharer->pid;
	object->since = broker_now(broker);
	object->sharing_serial = broker_next_serial(broker);
	handle_entry_prepare(broker, &object->handle_entry, HANDLE_OBJECT);
	entity_prepare(broker, &object->entity, ENTITY_OBJECT);
	*ret_object = object;
	return STATUS_SUCCESS;
}

SharedObject *object_restore(Broker *broker, const RestoredObject *from)
{
	SharedObject *object = object_new(&from->virtual_machine, &from->settings);

	if (!object)
		return NULL;
	object->handle_entry = (HandleEntry){ .handle = from->handle, .type = HANDLE_OBJECT };
	object->entity = (Entity){ .type = ENTITY_OBJECT, .serial = from->serial };
	object->sharer_pid = from->sharer_pid;
	object->since = from->since;
	handle_entry_insert(broker, &object->handle_entry);
	return object;
}

static void object_event(Broker *broker, const SharedObject *object, Event event)
{
	event.virtual_machine = &object->virtual_machine;
	event.handle = &object->handle_entry.handle;
	event.entity = &object->entity;
	broker_event(broker, &event);
}

/* Marks the object as shared: lists it, and links it to its VM and its sharer. */
static void object_link(Broker *broker, SharedObject *object)
{
	VirtualMachine *vm = object->vm;

	entity_insert(broker, &object->entity);
	LIST_INSERT_HEAD(&vm->objects, object, of_vm);
	LIST_INSERT_HEAD(&object->sharer->objects, object, of_sharer);
	vm->object_count++;
	vm->object_mebibytes += object->bytes.count;
	vm->object_bytes += object_size(object);
}

void object_commit(Broker *broker, SharedObject *object)
{
	handle_entry_insert(broker, &object->handle_entry);
	object_link(broker, object);
	object_event(broker, object, (Event){ .kind = EVENT_SHARED, .pid = object->sharer_pid });
}

NTSTATUS object_restore_sharing(Broker *broker, const Caller *sharer, VirtualMachine *vm,
				SharedObject *object, size_t fd_count, Failure *failure)
{
	NTSTATUS status = object_acquire(broker, sharer, vm, object, fd_count, failure);

	if (status != STATUS_SUCCESS) {
		return_charges(broker, object);
		object->vm = NULL;
		return status;
	}
	object->fd_count = fd_count;
	object_link(broker, object);
	return STATUS_SUCCESS;
}

SharedObject *object_find(Broker *broker, const Handle *handle)
{
	HandleEntry *handle_entry = handle_entry_find(broker, HANDLE_OBJECT, handle);

	if (!handle_entry)
		return NULL;
	SharedObject *object = container_of(handle_entry, SharedObject, handle_entry);
	return vm_is_ending(object->vm) && object->holder_count == 0 ? NULL : object;
}

SharedObject *object_find_shared(Broker *broker, const Handle *handle)
{
	SharedObject *object = object_find(broker, handle);

	return object && object->vm && !vm_is_ending(object->vm) ? object : NULL;
}

SharedObject *object_after(Broker *broker, uint64_t serial)
{
	return entity_container(entity_after(broker, ENTITY_OBJECT, serial), SharedObject);
}

NTSTATUS object_resize(Broker *broker, SharedObject *object, const ObjectFd *fds, Failure *failure)
{
	const Payer payer = object->charge.account->payer;
	uint64_t size = mebibytes(size_of_memory(fds, object->description.plane_count));
	uint64_t former = object->bytes.count;
	NTSTATUS status = STATUS_SUCCESS;

	if (size > former) {
		status = limit_check_entity(&broker->accounts, LIMIT_OBJECT_MEBIBYTES,
					    object->vm->object_mebibytes, size - former, failure);
		if (status == STATUS_SUCCESS)
			status = tally_take_many(&object->bytes, &broker->accounts, &payer,
						 size - former, failure);
	} else {
		tally_return(&object->bytes, &broker->accounts, former - size);
	}
	if (status != STATUS_SUCCESS)
		return status;
	object->vm->object_mebibytes += size - former;
	object->vm->object_bytes -= object_size(object);
	memcpy(object->fds, fds, object->fd_count * sizeof(*object->fds));
	object->vm->object_bytes += object_size(object);
	return STATUS_SUCCESS;
}

void object_updated(Broker *broker, SharedObject *object, const Rectangle *damage,
		    size_t damage_count)
{
	object->last_update = broker_now(broker);
	object_event(
		broker, object,
		(Event){ .kind = EVENT_UPDATED, .damage = damage, .damage_count = damage_count });
}

/* --- the end --------------------------------------------------------------------------------- */

void object_end_if_unused(Broker *broker, SharedObject *object)
{
	if (object->vm || object->holder_count > 0)
		return;
	handle_entry_remove(broker, &object->handle_entry);
	/* The next start drops an object that is neither shared nor held. */
	broker_remove_record_later(broker, object->entity.serial);
	object_discard(broker, object);
}

void object_end(Broker *broker, SharedObject *object, EndReason reason)
{
	const Host *host = broker->host;
	VirtualMachine *vm = object->vm;

	LIST_REMOVE(object, of_vm);
	LIST_REMOVE(object, of_sharer);
	entity_remove(broker, &object->entity);
	vm->object_count--;
	vm->object_mebibytes -= object->bytes.count;
	vm->object_bytes -= object_size(object);
	object_event(
		broker, object,
		(Event){ .kind = EVENT_UNSHARED, .pid = object->sharer_pid, .reason = reason });
	for (size_t i = 0; i < object->fd_count; i++)
		host->release_fd(host->self, object->fds[i].fd);
	object->fd_count = 0;
	object->vm = NULL;
	broker_remove_ended(broker, object->sharing_serial, reason);
	return_charges(broker, object);
	object_end_if_unused(broker, object);
}

/* --- holders --------------------------------------------------------------------------------- */

static int holder_compare(const ObjectHolder *a, const ObjectHolder *b)
{
	return compare_numbers(a->process->key, b->process->key);
}

TREE_GENERATE(HolderTree, ObjectHolder, by_process, holder_compare)

ObjectHolder *object_holder(const SharedObject *object, ProcessKey process)
{
	Process key = { .key = process };
	ObjectHolder holder = { .process = &key };

	return RB_FIND(HolderTree, (struct HolderTree *)&object->holders_by_process, &holder);
}

void holder_discard(Broker *broker, ObjectHolder *holder)
{
	Process *process = holder->process;

	charge_return(&holder->charge, &broker->accounts);
	free(holder);
	process_release(broker, process);
}

NTSTATUS holder_prepare(Broker *broker, const Caller *caller, SharedObject *object,
			ObjectHolder **ret_holder, Failure *failure)
{
	const ProcessOrigin origin = process_origin_of(caller);
	ObjectHolder *holder = calloc(1, sizeof(*holder));

	if (!holder)
		return failure_no_memory(failure);
	holder->object = object;
	holder->serial = broker_next_serial(broker);
	holder->since = broker_now(broker);
	NTSTATUS status = charge_take(&holder->charge, &broker->accounts, &origin.payer,
				      LIMIT_HOLDERS, failure);
	if (status == STATUS_SUCCESS)
		status = process_attach(broker, &origin, &holder->process, failure);
	if (status != STATUS_SUCCESS) {
		holder_discard(broker, holder);
		return status;
	}
	*ret_holder = holder;
	return STATUS_SUCCESS;
}

static void holder_event(Broker *broker, const ObjectHolder *holder, EventKind kind,
			 EndReason reason)
{
	object_event(broker, holder->object,
		     (Event){
			     .kind = kind,
			     .holder = holder,
			     .pid = holder->process->pid,
			     .uid = holder->process->uid,
			     .reason = reason,
		     });
}

/* Counts the object for the process's registration, if it is registered for the VM now. */
static void holder_count_open(Broker *broker, const ObjectHolder *holder, int change)
{
	const VirtualMachine *vm = vm_find_also_ending(broker, &holder->object->virtual_machine);
	Registration *registration =
		vm ? registration_find(broker, holder->process->key, vm) : NULL;

	if (registration)
		registration->open_object_count += (uint64_t)change;
}

void holder_commit(Broker *broker, ObjectHolder *holder)
{
	LIST_INSERT_HEAD(&holder->object->holders, holder, of_object);
	LIST_INSERT_HEAD(&holder->process->holds, holder, of_process);
	RB_INSERT(HolderTree, &holder->object->holders_by_process, holder);
	holder->object->holder_count++;
	holder_count_open(broker, holder, 1);
	holder_event(broker, holder, EVENT_OPENED, END_REQUESTED);
}

void holder_end(Broker *broker, ObjectHolder *holder, EndReason reason)
{
	SharedObject *object = holder->object;

	LIST_REMOVE(holder, of_object);
	LIST_REMOVE(holder, of_process);
	RB_REMOVE(HolderTree, &object->holders_by_process, holder);
	object->holder_count--;
	holder_count_open(broker, holder, -1);
	broker_remove_ended(broker, holder->serial, reason);
	holder_event(broker, holder, EVENT_RELEASED, reason);
	holder_discard(broker, holder);
	object_end_if_unused(broker, object);
}

void objects_check(Broker *broker)
{
	const ObjectHolder *holder;
	SharedObject *object;
	size_t holders;

	for (object = object_after(broker, 0); object;
	     object = object_after(broker, object->entity.serial)) {
		assert(object->vm);
		assert(vm_is_ending(object->vm) ||
		       object_find_shared(broker, &object->handle_entry.handle) == object);
		assert(object->charge.account && object->charge.kind == LIMIT_OBJECTS);
		assert(object->bytes.count == mebibytes(object_size(object)));
		assert(object->fd_count > 0);
		assert(object->entries.count == object->fd_count);
		assert(vm_is_ending(object->vm) ||
		       !quarantine_find(broker, &object->virtual_machine));
		holders = 0;
		LIST_FOREACH (holder, &object->holders, of_object) {
			assert(holder->object == object && holder->charge.account);
			assert(object_holder(object, holder->process->key) == holder);
			holders++;
		}
		assert(holders == object->holder_count);
	}
}
