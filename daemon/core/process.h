/* SPDX-License-Identifier: MIT */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

#include <sys/types.h>

#include "caller.h"
#include "failure.h"
#include "host.h"
#include "tree.h"

typedef struct Broker Broker;

/*
 * A host process that something hangs on: registrations, contexts, VMs that it runs or shares for.
 * It exists, and is watched, exactly as long as something does; the attached things unlink
 * themselves and then call process_release().
 */
typedef struct Process {
	ProcessKey key;
	pid_t pid; /* in the daemon's pid namespace; for people, never to find it by */
	uid_t uid;
	unsigned int attached;
	Charge entry; /* in the store; of whoever was the first to hang something on it */
	LIST_HEAD(, Registration) registrations;
	LIST_HEAD(, GpuProcess) gpu_processes;
	LIST_HEAD(, SharedObject) objects; /* that it shares */
	LIST_HEAD(, ObjectHolder) holds;
	LIST_HEAD(, VirtualMachine) virtual_machines; /* that it is the VMM of */
	LIST_HEAD(, VirtualMachine) agent_of;
	RB_ENTRY(Process) by_key;
} Process;

typedef RB_HEAD(ProcessTree, Process) ProcessTree;

/* Which process something is to hang on, and who pays if it is the first thing. */
typedef struct ProcessOrigin {
	ProcessKey key;
	pid_t pid;
	uid_t uid;
	Payer payer;
} ProcessOrigin;

/* The caller's own process. */
ProcessOrigin process_origin_of(const Caller *caller);

/* NULL where nothing hangs on the process. */
Process *process_find(Broker *broker, ProcessKey key);

/*
 * The process, with one more thing attached to it, watched from now on. Returns STATUS_SUCCESS,
 * STATUS_QUOTA_EXCEEDED (the payer's store entries), STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS process_attach(Broker *broker, const ProcessOrigin *origin, Process **ret_process,
			Failure *failure);

/* One thing less; with the last one the process is forgotten. NULL is nothing. */
void process_release(Broker *broker, Process *process);

/* The process has exited: ends everything that hangs on it. Unknown keys are nothing. */
void process_exited(Broker *broker, ProcessKey key);

void process_check(Broker *broker, const Process *process);

/* For who walks or empties the tree. */
Process *process_first(Broker *broker);
Process *process_next(Process *process);

#endif
