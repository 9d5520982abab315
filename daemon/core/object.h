/* SPDX-License-Identifier: MIT */
#ifndef CORE_OBJECT_H
#define CORE_OBJECT_H

#include "account.h"
#include "caller.h"
#include "descriptor.h"
#include "event.h"
#include "named.h"
#include "process.h"
#include "thing.h"

typedef struct VirtualMachine VirtualMachine;
typedef struct ObjectHolder ObjectHolder;

/*
 * What a VMM, or its agent, shares with the processes that are registered for its VM: a resource of
 * 1 to 4 planes, a fence, or both as one.
 *
 * An object is shared until its sharer takes it back or exits, or its VM ends or is quarantined.
 * Then nobody opens it any more, and its descriptors are closed; but what was handed out cannot be
 * taken back, so its record stays, known to its holders alone, until the last of them closes it or
 * exits.
 *
 * A holder is a process that has opened the object. It stays one whatever becomes of its
 * registration.
 */

#define OBJECT_PLANES_MAX      4
#define OBJECT_DESCRIPTORS_MAX (OBJECT_PLANES_MAX + 1)

typedef enum ObjectType {
	OBJECT_RESOURCE,
	OBJECT_FENCE,
	OBJECT_RESOURCE_WITH_FENCE,
	OBJECT_TYPE_MAX,
} ObjectType;

typedef enum ObjectAccess { OBJECT_READ, OBJECT_READ_WRITE, OBJECT_ACCESS_MAX } ObjectAccess;

extern const char *const object_type_names[];   /* NULL behind the last */
extern const char *const object_access_names[]; /* likewise */

/* Where the bytes of a plane lie. */
typedef struct ObjectPlane {
	uint64_t offset; /* bytes */
	uint64_t stride; /* bytes a row */
} ObjectPlane;

/* What is said of an object. */
typedef struct ObjectDescription {
	ObjectType type;
	ObjectAccess access;
	uint64_t width; /* pixels; of a resource, as is all but the name */
	uint64_t height;
	char format[5]; /* DRM fourcc */
	uint64_t modifier;
	size_t plane_count;
	ObjectPlane planes[OBJECT_PLANES_MAX];
} ObjectDescription;

/* A descriptor that the daemon has, with what it is: of each plane, in their order, then of the
 * fence. */
typedef struct ObjectDescriptor {
	Descriptor descriptor;
	uint64_t id; /* that it is kept under over a restart; 0: not yet */
	DescriptorFacts facts;
} ObjectDescriptor;

/* What an object is made of. */
typedef struct ObjectSettings {
	ObjectDescription description;
	const char *name; /* or NULL; copied by object_prepare() */
	ObjectDescriptor descriptors[OBJECT_DESCRIPTORS_MAX];
	size_t descriptor_count;
} ObjectSettings;

typedef struct SharedObject {
	Named named;
	Thing thing;
	uint64_t sharing_serial; /* that its being shared is made lasting under */
	VirtualMachine *vm;      /* NULL once it is no longer shared */
	Process *sharer;         /* likewise */
	char *name;              /* for people, or NULL */
	ObjectDescription description;
	ObjectDescriptor descriptors[OBJECT_DESCRIPTORS_MAX];
	size_t descriptor_count; /* 0 once it is no longer shared */
	Guid virtual_machine;    /* kept for its holders */
	pid_t sharer_pid;
	uint64_t since; /* microseconds on CLOCK_BOOTTIME */
	LIST_HEAD(, ObjectHolder) holders;
	size_t holder_count;
	Charge charge;
	Tally bytes;   /* what its memory was when it was shared, or looked at last */
	Tally entries; /* in the store, one for each descriptor */
	LIST_ENTRY(SharedObject) of_vm;
	LIST_ENTRY(SharedObject) of_sharer;
} SharedObject;

struct ObjectHolder {
	uint64_t serial; /* that it is made lasting under */
	SharedObject *object;
	Process *process;
	uint64_t since;
	Charge charge;
	LIST_ENTRY(ObjectHolder) of_object;
	LIST_ENTRY(ObjectHolder) of_process;
};

/* Whether all of its memory has its size for good, and no reader can make itself a writer. */
bool object_size_is_sealed(const SharedObject *object);
bool object_access_is_enforced(const SharedObject *object);

/* Of all its memory, in bytes; the same memory in several planes counts once. */
uint64_t object_size(const SharedObject *object);

/* DESCRIPTOR_OTHER where it has no planes. */
DescriptorKind object_memory_kind(const SharedObject *object);

/*
 * Makes an object for the caller, who may share for the VM. The descriptors are the object's from
 * success on, else they stay the caller's.
 *
 * Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS object_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			const ObjectSettings *settings, SharedObject **ret_object,
			Failure *failure);
void object_commit(Broker *broker, SharedObject *object);
void object_discard(Broker *broker, SharedObject *object);

/* One that was there before a restart: known, and not shared. */
typedef struct RestoredObject {
	uint64_t serial;
	Handle handle; /* that nobody has */
	Guid virtual_machine;
	ObjectSettings settings; /* what of the descriptors is known; they are not there */
	pid_t sharer_pid;
	uint64_t since;
} RestoredObject;

/* NULL: there is no memory. It is gone with object_end_if_unused(), or its last holder. */
SharedObject *object_restore(Broker *broker, const RestoredObject *from);

/* It is shared again, with descriptors that it has been given. Returns STATUS_SUCCESS,
 * STATUS_NO_MEMORY or STATUS_INSUFFICIENT_RESOURCES; the descriptors stay the caller's then. */
NTSTATUS object_restore_sharing(Broker *broker, const Caller *sharer, VirtualMachine *vm,
				SharedObject *object, size_t descriptor_count, Failure *failure);

/* It goes if it is neither shared nor held. */
void object_end_if_unused(Broker *broker, SharedObject *object);

/* Whatever of them is shared, or held; and only what is shared. */
SharedObject *object_find(Broker *broker, const Handle *handle);
SharedObject *object_find_shared(Broker *broker, const Handle *handle);

/* The first shared object whose serial is above the cursor. */
SharedObject *object_after(Broker *broker, uint64_t serial);

/*
 * Its memory was looked at again. Where it has grown past what may be shared,
 * STATUS_QUOTA_EXCEEDED: then it is to be ended.
 */
NTSTATUS object_resize(Broker *broker, SharedObject *object, const ObjectDescriptor *descriptors,
		       Failure *failure);

/* Its contents have changed, in the rectangles (none: everywhere). */
void object_updated(Broker *broker, const SharedObject *object, const Rectangle *damage,
		    size_t damage_count);

/* No longer shared: nobody opens it from now on. It is gone with its last holder. */
void object_end(Broker *broker, SharedObject *object, EndReason reason);

/* The process's hold on the object; NULL: it has none. */
ObjectHolder *object_holder(const SharedObject *object, ProcessKey process);

/*
 * Makes the caller a holder; opening twice is one holder, which *ret_holder is then. Returns as
 * object_prepare().
 */
NTSTATUS holder_prepare(Broker *broker, const Caller *caller, SharedObject *object,
			ObjectHolder **ret_holder, Failure *failure);
void holder_commit(Broker *broker, ObjectHolder *holder);
void holder_discard(Broker *broker, ObjectHolder *holder);

/* It has closed the object, or exited. The object may be gone afterwards. */
void holder_end(Broker *broker, ObjectHolder *holder, EndReason reason);

void objects_check(Broker *broker);

#endif
