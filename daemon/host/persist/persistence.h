/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_PERSISTENCE_H
#define DAEMON_HOST_PERSIST_PERSISTENCE_H

#include "daemon/host/fd-info.h"
#include "daemon/host/persist/fd-store.h"
#include "daemon/host/persist/listen-fds.h"
#include "daemon/host/persist/record-file.h"
#include "daemon/host/process/process-table.h"

/*
 * Persists state for the next daemon, until the next reboot: records in the runtime directory, and
 * the fds that they refer to in the service manager's fd store. Each stored fd has a record that
 * identifies it, and that it must match when it is restored. An fd without a record, and a record
 * without its fd, are dropped with a remark.
 *
 * Without a service manager no fd can be restored, so nothing is written. Records that another
 * vaild has left in the directory stay unchanged.
 */
typedef struct KeeperOptions {
	const char *runtime_directory;
	Roots roots;
	MemfdIdentity memfds;
	ProcessTable *processes;
	JsonParser *parser;
	Statistics *statistics;
} KeeperOptions;

typedef struct Keeper {
	KeeperOptions options;
	bool is_open;
	int lock; /* keeps other daemons out of the runtime directory */
	RecordFile records;
	DescriptorStore store;
	uint64_t last_id; /* of a stored fd */
} Keeper;

/*
 * Opens the records, restores the passed fds, and restores the processes of the passed pidfds into
 * the process table. The table persists watched processes from now on. Returns 0, or a negative
 * errno after logging.
 */
int keeper_open(Keeper *keeper, const KeeperOptions *options, PassedDescriptors *passed);

/*
 * Stops persisting: later calls change nothing. Call before freeing the broker, which ends every
 * entity.
 */
void keeper_close(Keeper *keeper);

/* Loads the records of entities. Returns 0 or a negative errno; the caller deinitialises *ret. */
int keeper_load(const Keeper *keeper, PersistedRecords *ret);

/* Implement Host.find_persisted_process and Host.fdstore_find during a restore. */
Evidence keeper_find_process(const Keeper *keeper, ProcessKey key, pid_t *ret_pid);
Evidence keeper_find_descriptor(Keeper *keeper, uint64_t id, int *ret_descriptor);

/* Ends the restore: removes stored fds and processes that nothing has asked for. */
void keeper_end_restore(Keeper *keeper);

/*
 * Persists the record of an entity, replacing an earlier one. The text is one line of JSON. Returns
 * false if it cannot be written.
 */
bool keeper_keep(Keeper *keeper, uint64_t serial, const char *text, size_t size);

/* Removes the records of entities, in order. Removing never fails. */
void keeper_drop(Keeper *keeper, const uint64_t *serials, size_t count);

/*
 * Stores an fd. Returns its id, or 0 if the fd store is full. Fds of one open file description
 * share an id.
 */
uint64_t keeper_keep_descriptor(Keeper *keeper, int descriptor);

/* Call before closing any fd. Removes the fd from the store if it is the last one of its id. */
void keeper_release_descriptor(Keeper *keeper, int descriptor);

#endif
