/* SPDX-License-Identifier: MIT */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <sys/types.h>

#include "guid.h"
#include "thing.h"
#include "vail-status.h"

/* Why something ended. The name goes into events and the journal. */
typedef enum EndReason {
	END_REQUESTED,
	END_REVOKED,
	END_PROCESS_EXITED,
	END_VMM_EXITED,
	END_VM_UNREGISTERED,
	END_VM_DISPLACED,
	END_LAST_VIRTUAL_GPU_REMOVED,
	END_QUARANTINED,
	END_PRIVILEGES_CHANGED,
	END_ADAPTER_REMOVED,
	END_DRIVER_GONE, /* the connection that had registered the adapter */
	END_SHARER_EXITED,
	END_OVER_BUDGET, /* an object that grew past what may be shared */
	END_DAEMON_STOPPED,
	END_MAX,
} EndReason;

const char *end_reason_name(EndReason reason);

/* The status that says the same to the process whose registration ended. */
NTSTATUS end_reason_status(EndReason reason);

typedef enum EventKind {
	EVENT_REGISTERED,
	EVENT_UNREGISTERED,
	EVENT_VIRTUAL_MACHINE_ADDED,
	EVENT_VIRTUAL_MACHINE_CHANGED,
	EVENT_VIRTUAL_MACHINE_REMOVED,
	EVENT_VIRTUAL_GPU_ASSIGNED,
	EVENT_VIRTUAL_GPU_REMOVED,
	EVENT_QUARANTINED,
	EVENT_QUARANTINE_LIFTED,
	EVENT_GPU_PROCESS_REMOVED,
	EVENT_SHARED,
	EVENT_UPDATED,
	EVENT_UNSHARED,
	EVENT_OPENED,
	EVENT_RELEASED,
	EVENT_ADAPTER_ADDED,
	EVENT_ADAPTER_REMOVED,
	EVENT_PAGE_TABLE_RESIDENT,
	EVENT_CURRENT, /* of a watch: all that exists was told */
	EVENT_MAX,
} EventKind;

const char *event_kind_name(EventKind kind);

typedef struct Agent Agent;

/* In pixels, of a resource. */
typedef struct Rectangle {
	uint64_t x;
	uint64_t y;
	uint64_t width;
	uint64_t height;
} Rectangle;

typedef struct ObjectHolder ObjectHolder;

/* One change, told after it was made. Everything in it is borrowed for the call. */
typedef struct Event {
	EventKind kind;
	const Guid *virtual_machine; /* NULL where no VM is concerned */
	const Handle *handle;        /* of the vGPU, adapter or GPU process, else NULL */
	const Thing *thing;          /* that came, changed or is about to be freed; NULL: none */
	pid_t pid;                   /* of the registered process, VMM or GPU process, else 0 */
	uid_t uid;
	const Agent *former_agent;  /* whom a VM's change has put out of that; else NULL */
	EndReason reason;           /* with the kinds that end something */
	const ObjectHolder *holder; /* that opened or released the object; else NULL */
	const Rectangle *damage;    /* with EVENT_UPDATED; damage_count 0: everywhere */
	size_t damage_count;
	uint64_t virtual_address; /* with EVENT_PAGE_TABLE_RESIDENT: the first that it covers */
} Event;

#endif
