/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STORE_STORE_H
#define DAEMON_STORE_STORE_H

#include "daemon/core/broker.h"
#include "daemon/store/persisted-record.h"
#include "proto/buffer.h"
#include "proto/json.h"

/*
 * Persists entities across restarts of the daemon, as one persisted record per entity, in JSON. The
 * caller prepares an operation, saves its records here, and then commits it. The core removes the
 * records of entities that end. A GPU process has a record once it is complete.
 */

/* Kinds of records, in restore order: an entity comes after the entities that it depends on. */
typedef enum StoreKind {
	STORE_ADAPTER,        /* the software adapter */
	STORE_CLIENT_ADAPTER, /* an adapter registered by a connection */
	STORE_VIRTUAL_MACHINE,
	STORE_VIRTUAL_GPU,
	STORE_GPU_PROCESS,
	STORE_PAGE_TABLE_ENTRY, /* a level-1 entry reserved for the driver */
	STORE_RESERVATION,      /* a user reservation */
	STORE_MAPPING,
	STORE_CONTEXT,
	STORE_REGISTRATION,
	STORE_OBJECT,   /* an object that is shared or held */
	STORE_SHARING,  /* the sharing of an object */
	STORE_HOLDER,   /* a process that holds an object */
	STORE_DISPLAY,  /* a display channel */
	STORE_KIND_MAX, /* also stands for an unknown kind */
} StoreKind;

/* Returns the name used in records, such as "virtualMachine"; "unknown" for STORE_KIND_MAX. */
const char *store_kind_name(StoreKind kind);

typedef struct Store {
	Broker *broker;
	JsonParser *parser;
	Buffer text; /* the record being encoded */
} Store;

/* The broker and the parser must outlive the store. */
void store_init(Store *store, Broker *broker, JsonParser *parser);
void store_deinit(Store *store);

/* --- saving ---------------------------------------------------------------------------------- */

/*
 * Each function persists a prepared operation. It saves all records of the operation or none.
 * Returns STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES if a record or an fd cannot be persisted,
 * or STATUS_NO_MEMORY.
 */

/* Saves the software adapter. */
NTSTATUS store_save_adapter(Store *store, const Adapter *adapter, Failure *failure);

/* Saves an adapter registered by a connection; max_virtual_gpus may be about to change. */
NTSTATUS store_save_client_adapter(Store *store, const Adapter *adapter, uint64_t max_virtual_gpus,
				   Failure *failure);

/* Saves a VM with the update applied. The update may be NULL. */
NTSTATUS store_save_vm(Store *store, const VirtualMachine *vm, const VmUpdate *update,
		       Failure *failure);
NTSTATUS store_save_virtual_gpu(Store *store, const VirtualGpu *virtual_gpu, Failure *failure);
NTSTATUS store_save_registration(Store *store, const Registration *registration, Failure *failure);

/* Saves a GPU process in the state that it will have once complete. */
NTSTATUS store_save_gpu_process(Store *store, const GpuProcess *gpu_process, Failure *failure);

/* Saves that the driver has taken a page table entry. */
NTSTATUS store_save_page_table_entry(Store *store, const GpuProcess *gpu_process,
				     const PageTableEntry *entry, Failure *failure);

/* Saves a context, and its GPU process too if that was created for this context. */
NTSTATUS store_save_context(Store *store, const Context *context, Failure *failure);

/* Saves the new ranges of a change to the address space. */
NTSTATUS store_save_space_change(Store *store, const GpuProcess *gpu_process,
				 const SpaceChange *change, Failure *failure);

/* Saves an object, its sharing, and its fds. Sets the ids of the fds. */
NTSTATUS store_save_object(Store *store, SharedObject *object, Failure *failure);

/* Saves an object with the sizes in these descriptors, which it is about to get. */
NTSTATUS store_save_object_sizes(Store *store, const SharedObject *object, const ObjectFd *fds,
				 Failure *failure);

NTSTATUS store_save_holder(Store *store, const ObjectHolder *holder, Failure *failure);

/* Saves a display channel and the daemon's end of it. Sets the id of that. */
NTSTATUS store_save_display(Store *store, DisplayChannel *channel, Failure *failure);

/* --- the end of a connection ------------------------------------------------------------------ */

/*
 * Forgets the states of guests that the closed connection has told, and saves their VMs. A state
 * that another connection has told since stays.
 */
void store_forget_guests(Store *store, const Caller *teller);

/* --- restoring ------------------------------------------------------------------------------- */

#define STORE_DROPS_MAX 64

/* Why a record was not restored. restore-report.c has the text of each. */
typedef enum RestoreReason {
	RESTORE_OK,

	/* The entity had ended, and the reaper would have removed its record. Not reported. */
	RESTORE_HAS_ENDED,

	/* A resource is exhausted: the whole restore fails, and a later one may succeed. */
	RESTORE_NO_MEMORY,
	RESTORE_NO_WATCH,
	RESTORE_NO_RESOURCES,

	/*
	 * The entity ended with another one. Many records share such a reason, and are reported
	 * together, up to RESTORE_IS_UNUSED.
	 */
	RESTORE_PROCESS_IS_GONE,
	RESTORE_VM_IS_GONE,
	RESTORE_GPU_PROCESS_IS_GONE,
	RESTORE_OBJECT_IS_GONE,
	RESTORE_REGISTRATION_IS_GONE,
	RESTORE_IS_UNUSED,

	/*
	 * The record is damaged or contradicts another one, or the entity has lost what it depends
	 * on. Each record is reported by itself.
	 */
	RESTORE_ADAPTER_IS_GONE,
	RESTORE_UNKNOWN_KIND,
	RESTORE_WRONG_SERIAL,
	RESTORE_INVALID_FIELD,
	RESTORE_SERIAL_IS_TAKEN,
	RESTORE_HANDLE_IS_TAKEN,
	RESTORE_NAME_IS_TAKEN,
	RESTORE_GUID_IS_TAKEN,
	RESTORE_REFUSED,
	RESTORE_NOT_SOFTWARE_ADAPTER,
	RESTORE_ADAPTER_NOT_SAVED,
	RESTORE_NOT_SYSTEM_PROCESS,
	RESTORE_SECOND_GPU_PROCESS,
	RESTORE_NO_OWNER_PROCESS,
	RESTORE_INVALID_RANGE,
	RESTORE_OTHER_SURROUNDINGS,
	RESTORE_NO_DISPLAY_CLIENT,
	RESTORE_NO_VIRTUAL_GPU,
	RESTORE_REGISTERED_ALREADY,
	RESTORE_LOST_PRIVILEGES,
	RESTORE_FDS_DO_NOT_MATCH,
	RESTORE_FD_NOT_STORED,
	RESTORE_FD_HAS_CHANGED,
	RESTORE_HELD_ALREADY,
	RESTORE_REASON_MAX,
} RestoreReason;

/* One or more records of a kind that were not restored for the same reason. */
typedef struct StoreDrop {
	StoreKind kind;
	uint64_t serial; /* of the first record */
	size_t count;
	RestoreReason code;
	char reason[96]; /* a clause such as "its VM is gone" */
} StoreDrop;

typedef struct StoreReport {
	size_t restored[STORE_KIND_MAX];
	size_t dropped[STORE_KIND_MAX + 1];
	StoreDrop drops[STORE_DROPS_MAX];
	size_t told_count; /* number of valid items in drops */
	size_t drop_count; /* number of records not restored, including those not in drops */
	StoreDrop refusal; /* the record whose restore failed for lack of resources */
} StoreReport;

/*
 * Restores the records into a new broker. Restore quarantines afterwards: they end entities of
 * their VMs. A record that does not fit is removed and reported; the others stay. Checks the
 * privileges of every restored registration again, so do not serve requests earlier.
 *
 * Returns false if a resource is exhausted. No record has been removed then, and the host has
 * stopped persisting. Free the broker; a later attempt can restore everything.
 *
 * The caller owns the records, which must not change during the call.
 */
bool store_restore(Store *store, const PersistedRecords *records, StoreReport *ret);

#endif
