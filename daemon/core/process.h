/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_PROCESS_H
#define DAEMON_CORE_PROCESS_H

#include <sys/types.h>

#include "daemon/core/caller.h"
#include "daemon/core/ending.h"
#include "daemon/core/failure.h"
#include "daemon/core/host.h"
#include "daemon/core/tree.h"

typedef struct Broker Broker;

/* The uid of the VMM of a found VM, until an entity with a known uid is attached to the process. */
#define UID_UNKNOWN ((uid_t)-1)

/*
 * A host process that entities depend on, such as its registrations, its GPU processes, and the VMs
 * that it runs. A Process exists, and the host process is watched, exactly as long as an entity is
 * attached to it. An entity that ends unlinks itself and then calls process_release().
 */
typedef struct Process {
	ProcessKey key;
	pid_t pid; /* in the daemon's pid namespace; for display only, because pids are reused */
	InnerPids *inner_pids; /* its pids in the namespaces below, or NULL */
	uid_t uid;             /* UID_UNKNOWN if nothing but a found VM is attached */
	unsigned int attached; /* number of attached entities */
	Charge entry;          /* the fdstore entry; charged to the payer of the first entity */
	LIST_HEAD(, Registration) registrations;
	LIST_HEAD(, GpuProcess) gpu_processes;
	LIST_HEAD(, SharedObject) objects; /* shared by the process */
	LIST_HEAD(, ObjectHolder) holds;   /* one for each object that the process has opened */
	LIST_HEAD(, VirtualMachine) virtual_machines; /* whose VMM is this process */
	LIST_HEAD(, IncomingVmm) incoming_for; /* VMs that will be handed over to this process */
	LIST_HEAD(, Agent) agent_of;
	LIST_HEAD(, DisplayServer) display_servers; /* VMs whose displays the process serves */
	Ending ending; /* begun if the process has exited; keeps it allocated */
	RB_ENTRY(Process) by_key;
} Process;

typedef RB_HEAD(ProcessTree, Process) ProcessTree;

/* The process to attach an entity to, and the payer if it is the first one. */
typedef struct ProcessOrigin {
	ProcessKey key;
	pid_t pid;
	uid_t uid;
	Payer payer;
} ProcessOrigin;

/* Returns the origin for an entity of the caller's own process. */
ProcessOrigin process_origin_of(const Caller *caller);

/* Returns the pid of the process in the namespace, or 0 if it is not visible there. */
pid_t process_pid_in(const Process *process, PidNamespace namespace);

/* Returns NULL if no entity is attached to the process. */
Process *process_find(Broker *broker, ProcessKey key);

/*
 * Attaches an entity to a process, and starts watching the process if it is the first one. Balance
 * with process_release(). Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED (the payer's fdstore
 * entries), STATUS_NO_MEMORY, or STATUS_INSUFFICIENT_RESOURCES if the fdstore is full or the
 * process cannot be watched.
 */
NTSTATUS process_attach(Broker *broker, const ProcessOrigin *origin, Process **ret_process,
			Failure *failure);

/*
 * Charges the process to another payer, without checking limits, and sets its uid. Returns
 * STATUS_SUCCESS, or STATUS_NO_MEMORY with nothing changed.
 */
NTSTATUS process_recharge(Broker *broker, Process *process, const ProcessOrigin *origin,
			  Failure *failure);

/* Detaches an entity. The last one unwatches and frees the process. Ignores NULL. */
void process_release(Broker *broker, Process *process);

/*
 * Begins to end the entities attached to a process that has exited, and to remove it as the agent
 * and incoming VMM of VMs. VMs that it ran are handed over to their incoming VMMs, or end. Ignores
 * unknown keys, and processes whose end has begun. Ends the display channels at once;
 * broker_end_some() does the rest.
 */
void process_exited(Broker *broker, ProcessKey key);

/* Tests whether the process is the VMM, the incoming VMM or an agent of a listed VM. */
bool process_may_share(Broker *broker, ProcessKey key);

/* Asserts the invariants of the process. */
void process_check(Broker *broker, const Process *process);

/* Iterate over all processes. Return NULL at the end. */
Process *process_first(Broker *broker);
Process *process_next(Process *process);

#endif
