/* SPDX-License-Identifier: MIT */
#ifndef CORE_GPU_H
#define CORE_GPU_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "caller.h"
#include "event.h"
#include "named.h"
#include "process.h"
#include "thing.h"

/*
 * Adapters, the GPU processes on them, and the graphics contexts of those. A GPU process belongs to
 * one host process and one adapter, is made with its first context, and goes when the host process
 * exits: its address space is not to vanish with a context.
 */

#define GPU_PAGE_BITS            12
#define GPU_PAGE_TABLE_LEVEL_MAX 6

typedef enum AdapterSource { ADAPTER_SOFTWARE } AdapterSource;

typedef struct Adapter {
	Named named;
	Thing thing;
	char *name;
	AdapterSource source;
	unsigned int level_count;
	uint8_t index_bits[GPU_PAGE_TABLE_LEVEL_MAX]; /* leaf table first, root last */
	uint64_t max_virtual_gpus;
	uint64_t virtual_gpus;
} Adapter;

typedef struct GpuProcess {
	Named named;
	Adapter *adapter;
	Process *process;
	Charge charge;
	size_t context_count;
	LIST_HEAD(, Context) contexts;
	LIST_ENTRY(GpuProcess) of_process;
} GpuProcess;

typedef struct Context {
	Named named;
	GpuProcess *gpu_process;
	Charge charge;
	LIST_ENTRY(Context) link;
} Context;

/* The software adapter, which is always there. Returns false when there is no memory. */
bool adapter_add_software(Broker *broker);
Adapter *adapter_software(Broker *broker);
void adapter_remove(Broker *broker, Adapter *adapter);

Adapter *adapter_find(Broker *broker, const Handle *handle);

/* The first adapter whose serial is above the cursor. */
Adapter *adapter_after(Broker *broker, uint64_t serial);

unsigned int adapter_address_bits(const Adapter *adapter);
uint64_t adapter_leaf_coverage(const Adapter *adapter);       /* bytes */
uint64_t adapter_root_entry_coverage(const Adapter *adapter); /* bytes */

/*
 * Makes a context for the caller on the adapter, and the caller's GPU process there if it has none.
 * Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY or
 * STATUS_INSUFFICIENT_RESOURCES. The context is committed by context_commit(), which cannot fail.
 */
NTSTATUS context_prepare(Broker *broker, const Caller *caller, Adapter *adapter,
			 Context **ret_context, Failure *failure);
void context_commit(Broker *broker, Context *context);

Context *context_find(Broker *broker, const Handle *handle);
void context_end(Broker *broker, Context *context);

/* Whether the process has a context that was made here. */
bool process_has_context(const Process *process);

/* Ends a GPU process with its contexts. */
void gpu_process_end(Broker *broker, GpuProcess *gpu_process, EndReason reason);

void gpu_check(Broker *broker);

#endif
