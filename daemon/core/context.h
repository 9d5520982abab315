/* SPDX-License-Identifier: MIT */
#ifndef CORE_CONTEXT_H
#define CORE_CONTEXT_H

#include "gpu-process.h"

/* Graphics contexts. Each belongs to a GPU process, and so to a host process, not to a connection.
 */

typedef struct Context {
	Named named;
	uint64_t serial; /* that it is made lasting under */
	GpuProcess *gpu_process;
	bool made_process; /* which is discarded with it, while it is prepared */
	Charge charge;
	LIST_ENTRY(Context) link;
} Context;

/*
 * Makes a context for the caller on the adapter. Where the caller has no GPU process there, a
 * driver inside the daemon makes it one; on a connection's adapter there has to be one, and it is
 * RUNNING.
 *
 * Returns STATUS_SUCCESS, STATUS_INVALID_DEVICE_STATE (the process, or the adapter's system
 * process, is still CREATING), STATUS_NOT_SUPPORTED (the driver has made no process for the
 * caller), STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS context_prepare(Broker *broker, const Caller *caller, Adapter *adapter,
			 Context **ret_context, Failure *failure);
void context_commit(Broker *broker, Context *context);
void context_discard(Broker *broker, Context *context);

Context *context_find(Broker *broker, const Handle *handle);
void context_end(Broker *broker, Context *context);

/* Whether the process has a context that was made here. */
bool process_has_context(const Process *process);

#endif
