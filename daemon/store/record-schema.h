/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STORE_RECORD_SCHEMA_H
#define DAEMON_STORE_RECORD_SCHEMA_H

#include "daemon/core/display-channel.h"
#include "daemon/core/object.h"
#include "daemon/core/vm.h"
#include "daemon/store/record-fields.h"
#include "daemon/store/store.h"

/*
 * The contents of the persisted records of each kind of entity. Each record begins with the serial
 * under which it is persisted. Records refer to other entities by serial or handle, and to
 * processes by key.
 */

typedef struct RecordedProcess {
	ProcessKey key;
	uid_t uid;
	Payer payer; /* of the process's entry in the fd store */
} RecordedProcess;

typedef struct RecordedAdapter {
	uint64_t serial;
	Handle handle;
	Handle system_process; /* recreated from the configuration at each start */
	char *name;
} RecordedAdapter;

/* An adapter that a connection registered. Its system process has the previous serial. */
typedef struct RecordedClientAdapter {
	uint64_t serial;
	Handle handle;
	Handle system_process; /* in state CREATING, unless it has its own record */
	char *name;
	uint64_t index_bits[GPU_PAGE_TABLE_LEVEL_MAX];
	size_t level_count;
	uint64_t max_virtual_gpus;
	uid_t driver_uid;
	Payer payer;
} RecordedClientAdapter;

/* The incoming VMM of a VM and its agent. */
typedef struct RecordedIncoming {
	RecordedProcess vmm;
	bool names_agent;
	char *agent_user;
	RecordedProcess agent; /* with key PROCESS_KEY_NONE if the agent is a user or has exited */
	uint64_t guest_state;
} RecordedIncoming;

/*
 * The core does not write the record again when a VMM or an agent exits, so a process may be gone.
 * If the VMM is, the VM was or will be handed over to the incoming one.
 */
typedef struct RecordedVm {
	uint64_t serial;
	Guid guid;
	char *name;
	RecordedProcess vmm;
	uid_t account; /* of operators if by_operator */
	uid_t registered_by;
	bool by_operator;
	DisplayClients display_clients;
	bool has_metadata;
	bool has_agent;
	char *agent_user;
	RecordedProcess agent; /* with key PROCESS_KEY_NONE if the agent is a user */
	bool agent_is_from_drop_in;
	uint64_t since;
	RecordedIncoming incoming;
	bool has_incoming;
	bool is_found; /* by systemd-machined; no request registered it */
	uint64_t guest_state;
} RecordedVm;

/* A function of a GPU that a look has found. */
typedef struct RecordedFunction {
	uint64_t kind; /* a HeldGpuKind */
	uint64_t pci_class;
	char *function;
	char *device; /* NULL if none is known */
} RecordedFunction;

typedef struct RecordedVirtualGpu {
	uint64_t serial;
	Handle handle;
	uint64_t vm;
	uint64_t adapter; /* 0 if it was found */
	char *profile;
	RecordedFunction found;
	bool was_found;
	Payer payer; /* nobody if it was found */
} RecordedVirtualGpu;

/* A driver reservation, in pages. */
typedef struct RecordedReservation {
	uint64_t first;
	uint64_t end;
	bool allow_user_mode_mapping;
} RecordedReservation;

typedef struct RecordedGpuProcess {
	uint64_t serial;
	Handle handle;
	uint64_t adapter;
	bool is_system;
	RecordedProcess process; /* with key PROCESS_KEY_NONE if it belongs to none */
	uint64_t vm;             /* 0 if it belongs to none */
	char *name;
	Payer payer;
	RecordedReservation *reservations; /* the driver's, which never change */
	size_t reservation_count;
	uint64_t *entries; /* the driver's at completion; later ones have their own records */
	size_t entry_count;
} RecordedGpuProcess;

/* A level-1 page table entry owned by the driver. */
typedef struct RecordedEntry {
	uint64_t serial;
	uint64_t gpu_process;
	uint64_t number; /* index in the whole address space */
} RecordedEntry;

/* A user reservation or a mapping. */
typedef struct RecordedRange {
	GpuRange range;
	uint64_t gpu_process;
	Payer payer;
	bool is_inside; /* lies inside a reservation */
} RecordedRange;

typedef struct RecordedContext {
	uint64_t serial;
	Handle handle;
	uint64_t gpu_process;
	Payer payer;
} RecordedContext;

typedef struct RecordedRegistration {
	uint64_t serial;
	uint64_t vm;
	RecordedProcess process;
	Payer payer;
	GraphicsContextKind graphics_context;
	uint64_t since;
	ConnectionCredentials connection_credentials;
	Credentials process_credentials;
} RecordedRegistration;

/* The sharing of an object. The object has a separate record, which may outlive this one. */
typedef struct RecordedSharing {
	uint64_t serial;
	Handle object;
	uint64_t vm;
	RecordedProcess sharer;
	Payer payer;
	uint64_t fds[OBJECT_FDS_MAX]; /* ids in the fd store */
	size_t fd_count;
} RecordedSharing;

typedef struct RecordedHolder {
	uint64_t serial;
	Handle object;
	RecordedProcess process;
	Payer payer;
	uint64_t since;
} RecordedHolder;

typedef struct RecordedDisplay {
	RestoredDisplay display;
	uint64_t registration;
	uint64_t fd; /* id in the fd store */
} RecordedDisplay;

/* The schema of one kind of record. */
typedef struct RecordKind {
	const char *name; /* as in the record */
	JsonTable table;
	size_t size; /* of the decoded structure */
} RecordKind;

extern const RecordKind record_kinds[STORE_KIND_MAX];

#endif
