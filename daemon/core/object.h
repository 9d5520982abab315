/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_OBJECT_H
#define DAEMON_CORE_OBJECT_H

#include "daemon/core/account.h"
#include "daemon/core/caller.h"
#include "daemon/core/entity.h"
#include "daemon/core/event.h"
#include "daemon/core/fd.h"
#include "daemon/core/handle-entry.h"
#include "daemon/core/process.h"

typedef struct VirtualMachine VirtualMachine;
typedef struct ObjectHolder ObjectHolder;

/*
 * An object that a VMM or its agent shares with the processes registered for its VM. It is a
 * resource of 1 to 4 planes, a fence, or both.
 *
 * An object is shared until its sharer unshares it or exits, or until its VM ends or is
 * quarantined. Then its fds are closed and it cannot be opened any more. The copies of the fds that
 * its holders received cannot be revoked. So the object continues to exist, visible only to its
 * holders, until the last of them closes it or exits.
 *
 * A holder is a process that has opened the object. It stays a holder when its registration ends.
 */

#define OBJECT_PLANES_MAX 4
#define OBJECT_FDS_MAX    (OBJECT_PLANES_MAX + 1)

typedef enum ObjectType {
	OBJECT_RESOURCE,
	OBJECT_FENCE,
	OBJECT_RESOURCE_WITH_FENCE,
	OBJECT_TYPE_MAX,
} ObjectType;

/* Which row of the picture comes first in memory. */
typedef enum ObjectFirstRow {
	OBJECT_FIRST_ROW_TOP,
	OBJECT_FIRST_ROW_BOTTOM,
	OBJECT_FIRST_ROW_MAX,
} ObjectFirstRow;

typedef enum ObjectAccess { OBJECT_READ, OBJECT_READ_WRITE, OBJECT_ACCESS_MAX } ObjectAccess;

/* The layout of one plane in its memory. */
typedef struct ObjectPlane {
	uint64_t offset; /* bytes */
	uint64_t stride; /* bytes per row */
} ObjectPlane;

/* The properties of an object. The fields after access apply only to a resource. */
typedef struct ObjectDescription {
	ObjectType type;
	ObjectAccess access;
	uint64_t width;  /* pixels */
	uint64_t height; /* pixels */
	char format[5];  /* DRM fourcc */
	uint64_t modifier;
	ObjectFirstRow first_row;
	size_t plane_count;
	ObjectPlane planes[OBJECT_PLANES_MAX];
} ObjectDescription;

/* One of the object's fds, owned by the daemon. The planes come first, in order, then the fence. */
typedef struct ObjectFd {
	int fd;
	uint64_t id; /* the id in the fdstore, or 0 if not stored yet */
	FdInfo facts;
} ObjectFd;

/* The parameters of a new object. */
typedef struct ObjectSettings {
	ObjectDescription description;
	const char *name; /* NULL if unnamed; object_prepare() copies it */
	ObjectFd fds[OBJECT_FDS_MAX];
	size_t fd_count;
} ObjectSettings;

typedef struct SharedObject {
	HandleEntry handle_entry;
	Entity entity;
	uint64_t sharing_serial; /* serial of the sharing's persisted record */
	VirtualMachine *vm;      /* NULL after the object is unshared */
	Process *sharer;         /* NULL after the object is unshared */
	char *name;              /* for people, or NULL */
	ObjectDescription description;
	ObjectFd fds[OBJECT_FDS_MAX];
	size_t fd_count;              /* 0 after the object is unshared */
	Guid virtual_machine;         /* the VM's GUID, which holders still see after an unshare */
	pid_t sharer_pid;             /* the sharer's pid, which holders still see as well */
	InnerPids *sharer_inner_pids; /* its pids in the namespaces below the daemon's, or NULL */
	uint64_t since;               /* time of sharing, in microseconds (CLOCK_BOOTTIME) */
	uint64_t last_update;         /* as since; 0 without an update since the daemon's start */
	LIST_HEAD(, ObjectHolder) holders;
	RB_HEAD(HolderTree, ObjectHolder) holders_by_process;
	size_t holder_count;
	Charge charge;
	Tally bytes;       /* size of the memory when it was last read, in MiB */
	Tally entries;     /* fdstore entries, one per fd */
	bool has_lost_use; /* a sharing or holder that had not ended before could not be restored */
	LIST_ENTRY(SharedObject) of_vm;
	LIST_ENTRY(SharedObject) of_sharer;
} SharedObject;

struct ObjectHolder {
	uint64_t serial; /* serial of its persisted record */
	SharedObject *object;
	Process *process;
	uint64_t since; /* time of the first open, in microseconds (CLOCK_BOOTTIME) */
	Charge charge;
	LIST_ENTRY(ObjectHolder) of_object;
	RB_ENTRY(ObjectHolder) by_process; /* in the object */
	LIST_ENTRY(ObjectHolder) of_process;
};

/* Tests whether no part of the object's memory can change its size. False without planes. */
bool object_size_is_sealed(const SharedObject *object);

/* Tests whether no reader can make any of the memory writable or seal it. False without planes. */
bool object_access_is_enforced(const SharedObject *object);

/*
 * Returns the size of the object's memory in bytes, at most INT64_MAX. Memory that several planes
 * share counts once.
 */
uint64_t object_size(const SharedObject *object);

/* Returns the kind of the first plane's fd, or FD_OTHER if the object has no planes. */
FdKind object_memory_kind(const SharedObject *object);

/*
 * Prepares an object that the caller shares with the VM's registered processes. Whether the caller
 * may share has been checked before. The fds belong to the object from object_commit() on. If
 * preparation fails, or the object is discarded, the calling code still owns them.
 *
 * Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS object_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			const ObjectSettings *settings, SharedObject **ret_object,
			Failure *failure);
void object_commit(Broker *broker, SharedObject *object);
void object_discard(Broker *broker, SharedObject *object);

/* An object from before a restart. */
typedef struct RestoredObject {
	uint64_t serial;
	Handle handle; /* must be unused */
	Guid virtual_machine;
	ObjectSettings settings; /* the fds are FD_NONE */
	pid_t sharer_pid;
	uint64_t since; /* microseconds (CLOCK_BOOTTIME) */
} RestoredObject;

/*
 * Restores an object that is neither shared nor held yet. It is freed when its last holder ends, or
 * by object_end_if_unused(). Returns NULL if out of memory.
 */
SharedObject *object_restore(Broker *broker, const RestoredObject *from);

/*
 * Restores the sharing of an object, whose fds have been set. Returns STATUS_SUCCESS,
 * STATUS_NO_MEMORY or STATUS_INSUFFICIENT_RESOURCES. On failure the calling code releases the fds.
 */
NTSTATUS object_restore_sharing(Broker *broker, const Caller *sharer, VirtualMachine *vm,
				SharedObject *object, size_t fd_count, Failure *failure);

/* Removes and frees the object if it is neither shared nor held. */
void object_end_if_unused(Broker *broker, SharedObject *object);

/* Return NULL if not found. object_find_shared() ignores objects that are only held. */
SharedObject *object_find(Broker *broker, const Handle *handle);
SharedObject *object_find_shared(Broker *broker, const Handle *handle);

/* Returns the first shared object whose serial is above the cursor, or NULL at the end. */
SharedObject *object_after(Broker *broker, uint64_t serial);

/*
 * Updates the object after its fds were read again. Returns STATUS_SUCCESS, STATUS_NO_MEMORY, or
 * STATUS_QUOTA_EXCEEDED if the memory grew beyond a limit. In the last case the calling code must
 * end the object.
 */
NTSTATUS object_resize(Broker *broker, SharedObject *object, const ObjectFd *fds, Failure *failure);

/*
 * Reports that the object's contents changed in the rectangles. Without rectangles, the whole
 * object may have changed.
 */
void object_updated(Broker *broker, SharedObject *object, const Rectangle *damage,
		    size_t damage_count);

/* Unshares the object and closes its fds. Frees it at once if it has no holders. */
void object_end(Broker *broker, SharedObject *object, EndReason reason);

/* Returns the process's holder of the object, or NULL if the process does not hold it. */
ObjectHolder *object_holder(const SharedObject *object, ProcessKey process);

/*
 * Prepares a holder for the caller's process, which must not hold the object yet. Returns the
 * statuses of object_prepare().
 */
NTSTATUS holder_prepare(Broker *broker, const Caller *caller, SharedObject *object,
			ObjectHolder **ret_holder, Failure *failure);
void holder_commit(Broker *broker, ObjectHolder *holder);
void holder_discard(Broker *broker, ObjectHolder *holder);

/* Ends a holder that closed the object or exited. Frees the object if it is unused then. */
void holder_end(Broker *broker, ObjectHolder *holder, EndReason reason);

/* Asserts the invariants of all shared objects. */
void objects_check(Broker *broker);

#endif
