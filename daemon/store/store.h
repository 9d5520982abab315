/* SPDX-License-Identifier: MIT */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "broker.h"
#include "buffer.h"
#include "json.h"

/*
 * What outlives a restart of the daemon, as records: one JSON object a thing. An operation that has
 * been prepared is made lasting here, and then committed; things that end are dropped by the core.
 * A GPU process has one from its completion on.
 */

/* In the order in which they come back: what others hang on comes first. */
typedef enum StoreKind {
	STORE_ADAPTER,        /* the software adapter */
	STORE_CLIENT_ADAPTER, /* that a connection has registered */
	STORE_VIRTUAL_MACHINE,
	STORE_VIRTUAL_GPU,
	STORE_GPU_PROCESS,
	STORE_PAGE_TABLE_ENTRY, /* that it is the driver's */
	STORE_RESERVATION,      /* of a process's own */
	STORE_MAPPING,
	STORE_CONTEXT,
	STORE_REGISTRATION,
	STORE_OBJECT,  /* whatever somebody knows, shared or only held */
	STORE_SHARING, /* that it is shared */
	STORE_HOLDER,
	STORE_KIND_MAX, /* none of them */
} StoreKind;

/* "virtualMachine" and so on; "unknown" for STORE_KIND_MAX. */
const char *store_kind_name(StoreKind kind);

typedef struct Store {
	Broker *broker;
	JsonParser *parser;
	Buffer text; /* of the record that is being written */
} Store;

/* Both must outlive it. */
void store_init(Store *store, Broker *broker, JsonParser *parser);
void store_deinit(Store *store);

/* --- keeping --------------------------------------------------------------------------------- */

/*
 * Each makes lasting what was prepared, whole or not at all: STATUS_SUCCESS,
 * STATUS_INSUFFICIENT_RESOURCES or STATUS_NO_MEMORY.
 */

/* The software adapter. */
NTSTATUS store_keep_adapter(Store *store, const Adapter *adapter, Failure *failure);

/* As it is, or is going to be, with so many vGPUs to offer. */
NTSTATUS store_keep_client_adapter(Store *store, const Adapter *adapter, uint64_t max_virtual_gpus,
				   Failure *failure);

/* update: as it is going to be with that, or NULL. */
NTSTATUS store_keep_vm(Store *store, const VirtualMachine *vm, const VmUpdate *update,
		       Failure *failure);
NTSTATUS store_keep_virtual_gpu(Store *store, const VirtualGpu *virtual_gpu, Failure *failure);
NTSTATUS store_keep_registration(Store *store, const Registration *registration, Failure *failure);

/* As it is going to be when it is completed. */
NTSTATUS store_keep_gpu_process(Store *store, const GpuProcess *gpu_process, Failure *failure);

/* That it is its driver's. */
NTSTATUS store_keep_page_table_entry(Store *store, const GpuProcess *gpu_process,
				     const PageTableEntry *entry, Failure *failure);

/* With the GPU process, where it was made for this one. */
NTSTATUS store_keep_context(Store *store, const Context *context, Failure *failure);

NTSTATUS store_keep_space_change(Store *store, const GpuProcess *gpu_process,
				 const SpaceChange *change, Failure *failure);

/* Its descriptors as well. */
NTSTATUS store_keep_object(Store *store, SharedObject *object, Failure *failure);

/* That it is about to have other sizes. */
NTSTATUS store_keep_object_sizes(Store *store, const SharedObject *object,
				 const ObjectDescriptor *descriptors, Failure *failure);

NTSTATUS store_keep_holder(Store *store, const ObjectHolder *holder, Failure *failure);

/* --- coming back ----------------------------------------------------------------------------- */

/* What the host has kept under a serial. */
typedef struct StoredRecord {
	uint64_t serial;
	const char *text; /* NUL-terminated at size */
	size_t size;
} StoredRecord;

/* No two have the same serial. */
typedef struct StoredRecords {
	const StoredRecord *items;
	size_t count;
	uint64_t last_serial; /* the highest under which anything was ever kept: they go on there */
} StoredRecords;

#define STORE_DROPS_MAX 64

/* A record that is no more, and why. Those that ended with a process are told together. */
typedef struct StoreDrop {
	StoreKind kind;
	uint64_t serial; /* of the first */
	size_t count;
	char reason[96]; /* a clause: "its VM is gone" */
} StoreDrop;

typedef struct StoreReport {
	size_t restored[STORE_KIND_MAX];
	size_t dropped[STORE_KIND_MAX + 1];
	StoreDrop drops[STORE_DROPS_MAX];
	size_t told_count; /* of the drops that are told one by one: the first so many */
	size_t drop_count; /* of all records that are no more */
	StoreDrop refusal; /* where nothing was restored: what there was no room for */
} StoreReport;

/*
 * Brings back what the records say, into a broker that is new; quarantines come after it, and end
 * what their VMs have. What does not fit is dropped with a reason, and the rest stays. Before that,
 * the privileges of each registration are looked at again: nobody is to be served before.
 *
 * False: there is no memory, or something else is exhausted, to look at all of it. Then no record
 * was dropped and the host keeps no more; the broker is to be freed, and another try restores all.
 *
 * The records are the caller's, and stay as they are meanwhile.
 */
bool store_restore(Store *store, const StoredRecords *records, StoreReport *ret);

#endif
