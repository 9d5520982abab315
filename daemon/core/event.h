/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_EVENT_H
#define DAEMON_CORE_EVENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/core/entity.h"
#include "proto/guid.h"
#include "proto/vail-status.h"

/* The reason why an entity ended. Its name appears in events and in the journal. */
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
	END_DRIVER_GONE, /* the connection that had registered the adapter closed */
	END_SHARER_EXITED,
	END_AGENT_GONE,       /* the agent no longer serves the VM's displays */
	END_RIGHTS_WITHDRAWN, /* the display client has lost a right of the channel */
	END_OVER_BUDGET,      /* the object's memory grew beyond a limit */
	END_FUNCTION_CLOSED,  /* the VM's processes no longer have the function of a GPU open */
	END_DAEMON_STOPPED,
	END_MAX,
} EndReason;

/*
 * Returns the status that explains the reason to the affected process, or STATUS_SUCCESS if the
 * reason needs none.
 */
NTSTATUS end_reason_status(EndReason reason);

/*
 * Tests whether the entity ended together with its process or its VM. The next start then drops its
 * persisted record anyway.
 */
bool end_reason_is_inherited(EndReason reason);

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
	EVENT_DISPLAY_OPENED,
	EVENT_DISPLAY_CLOSED,
	EVENT_CURRENT, /* a watch has listed the present state; changes follow */
	EVENT_MAX,
} EventKind;

/* The parts of a VM that can change while it runs, except for those with events of their own. */
typedef enum VmPart {
	VM_PART_NAME,
	VM_PART_DISPLAY_CLIENTS,
	VM_PART_AGENT,
	VM_PART_VMM,
	VM_PART_INCOMING_VMM,
	VM_PART_INCOMING_AGENT,
	VM_PART_SOURCE,
	VM_PART_DISPLAY_SERVER,
	VM_PART_INCOMING_DISPLAY_SERVER,
	VM_PART_GUEST_STATE,
	VM_PART_MAX,
} VmPart;

#define VM_PART_BIT(part) (1u << (part))

typedef struct Agent Agent;
typedef struct Process Process;

/* A step in the hand-over of a VM to another VMM. */
typedef enum HandOver {
	HAND_OVER_NONE,
	HAND_OVER_BEGAN,     /* the VM has a new incoming VMM */
	HAND_OVER_COMPLETED, /* the incoming VMM has become the VMM */
	HAND_OVER_ABANDONED, /* the incoming VMM has exited */
	HAND_OVER_MAX,
} HandOver;

/* An area of a resource, in pixels. */
typedef struct Rectangle {
	uint64_t x;
	uint64_t y;
	uint64_t width;
	uint64_t height;
} Rectangle;

typedef struct ObjectHolder ObjectHolder;

/* A change that was made. Pointers are valid only during the call. */
typedef struct Event {
	EventKind kind;
	const Guid *virtual_machine; /* NULL if the event concerns no VM */
	const Handle *handle;        /* the vGPU, adapter, GPU process, object or channel */
	const Entity *entity;        /* the entity added, changed or about to be freed, or NULL */
	pid_t pid;                   /* the process, VMM, sharer or holder concerned, else 0 */
	uid_t uid;                   /* the user of that process, else 0 */
	const Agent *former_agent;   /* the agent that the VM has lost, else NULL */
	const Process *former_vmm;   /* the VMM or incoming VMM that the VM has lost, else NULL */
	HandOver hand_over;          /* for EVENT_VIRTUAL_MACHINE_CHANGED */
	bool changes_sharers;        /* the VM got or lost a VMM or an agent */
	unsigned int changed_parts;  /* of the VM, as VM_PART_BIT(), for ..._MACHINE_CHANGED */
	EndReason reason;            /* for events that end an entity */
	const ObjectHolder *holder;  /* the holder that opened or released the object, else NULL */
	const Rectangle *damage;     /* for EVENT_UPDATED: the areas that changed */
	size_t damage_count;         /* 0 if the whole object may have changed */
	uint64_t virtual_address;    /* for EVENT_PAGE_TABLE_RESIDENT: first address of the table */
} Event;

#endif
