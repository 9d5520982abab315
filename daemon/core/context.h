/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_CONTEXT_H
#define DAEMON_CORE_CONTEXT_H

#include "daemon/core/gpu-process.h"

/*
 * Graphics contexts. A context belongs to a GPU process and thus to a host process, not to a
 * connection.
 */

typedef struct Context {
	HandleEntry handle_entry;
	uint64_t serial; /* of its persisted record */
	GpuProcess *gpu_process;
	bool created_process; /* true if discarding it also discards the GPU process */
	Charge charge;
	LIST_ENTRY(Context) link;
} Context;

/*
 * Prepares a context for the caller on the adapter, for context_commit() or context_discard(). If
 * the caller has no GPU process there, a driver inside the daemon creates one. On an adapter of a
 * connection one must exist, and it must be RUNNING.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_DEVICE_STATE (the process, or the adapter's system
 * process, is still CREATING), STATUS_NOT_SUPPORTED (the driver has created no process for the
 * caller), STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES, or the driver's
 * status.
 */
NTSTATUS context_prepare(Broker *broker, const Caller *caller, Adapter *adapter,
			 Context **ret_context, Failure *failure);
void context_commit(Broker *broker, Context *context);
void context_discard(Broker *broker, Context *context);

Context *context_find(Broker *broker, const Handle *handle);
void context_end(Broker *broker, Context *context);

/* Tests whether the process has a context that was created here. */
bool process_has_context(const Process *process);

#endif
