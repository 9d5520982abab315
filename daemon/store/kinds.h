/* SPDX-License-Identifier: MIT */
#ifndef STORE_KINDS_H
#define STORE_KINDS_H

#include "fields.h"
#include "object.h"
#include "store.h"
#include "vm.h"

/*
 * What is written of each kind of thing. Each begins with the serial that it is kept under; others
 * are named by their serials or handles, processes by their keys.
 */

typedef struct RecordedProcess {
	ProcessKey key;
	uid_t uid;
	uid_t account; /* whose entry in the store it is */
} RecordedProcess;

typedef struct RecordedAdapter {
	uint64_t serial;
	Handle handle;
	Handle system_process; /* which is made anew, by the configuration of the day */
	char *name;
} RecordedAdapter;

/* One that a connection has registered. The serial of its system process is the one before. */
typedef struct RecordedClientAdapter {
	uint64_t serial;
	Handle handle;
	Handle system_process; /* CREATING, where that has no record of its own */
	char *name;
	uint64_t index_bits[GPU_PAGE_TABLE_LEVEL_MAX];
	size_t level_count;
	uint64_t max_virtual_gpus;
	uid_t driver_uid;
	uid_t account;
	bool is_operator;
} RecordedClientAdapter;

typedef struct RecordedVm {
	uint64_t serial;
	Guid guid;
	char *name;
	RecordedProcess vmm;
	uid_t account;
	uid_t registered_by;
	bool by_operator;
	DisplayClients display_clients;
	bool has_agent;
	char *agent_user;
	RecordedProcess agent; /* the key is PROCESS_KEY_NONE for a user */
	uint64_t since;
} RecordedVm;

typedef struct RecordedVirtualGpu {
	uint64_t serial;
	Handle handle;
	uint64_t vm;
	uint64_t adapter;
	char *profile;
	uid_t account;
} RecordedVirtualGpu;

/* In pages. */
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
	RecordedProcess process; /* the key is PROCESS_KEY_NONE where it is for none */
	uint64_t vm;             /* 0: for none */
	char *name;
	uid_t account;
	bool is_operator;
	RecordedReservation *reservations; /* its driver's, which are what they are for good */
	size_t reservation_count;
	uint64_t *entries; /* its driver's by then; later ones have records of their own */
	size_t entry_count;
} RecordedGpuProcess;

/* A level-1 entry that is the driver's. */
typedef struct RecordedEntry {
	uint64_t serial;
	uint64_t gpu_process;
	uint64_t number; /* in the whole address space */
} RecordedEntry;

/* A user reservation or a mapping. */
typedef struct RecordedRange {
	GpuRange range;
	uint64_t gpu_process;
	uid_t account;
	bool is_inside; /* in a reservation */
} RecordedRange;

typedef struct RecordedContext {
	uint64_t serial;
	Handle handle;
	uint64_t gpu_process;
	uid_t account;
} RecordedContext;

typedef struct RecordedRegistration {
	uint64_t serial;
	uint64_t vm;
	RecordedProcess process;
	uid_t account;
	GraphicsContextKind graphics_context;
	uint64_t since;
	ConnectionCredentials connection_credentials;
	Credentials process_credentials;
} RecordedRegistration;

/* That an object is shared; the object itself has a record of its own, which may outlive this. */
typedef struct RecordedSharing {
	uint64_t serial;
	Handle object;
	uint64_t vm;
	RecordedProcess sharer;
	uid_t account;
	uint64_t descriptors[OBJECT_DESCRIPTORS_MAX]; /* the ids that they are kept under */
	size_t descriptor_count;
} RecordedSharing;

typedef struct RecordedHolder {
	uint64_t serial;
	Handle object;
	RecordedProcess process;
	uid_t account;
	uint64_t since;
} RecordedHolder;

/* A kind, by its name in records. */
typedef struct RecordKind {
	const char *name;
	JsonTable table;
	size_t size; /* of its structure */
} RecordKind;

extern const RecordKind record_kinds[STORE_KIND_MAX];

#endif
