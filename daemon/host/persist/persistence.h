/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_PERSISTENCE_H
#define DAEMON_HOST_PERSIST_PERSISTENCE_H

#include "daemon/host/fd-info.h"
#include "daemon/host/persist/fd-store.h"
#include "daemon/host/persist/listen-fds.h"
#include "daemon/host/persist/record-file.h"
#include "daemon/host/process/process-table.h"

/*
 * Persists state for the next daemon, until the next reboot: persisted records in the runtime
 * directory, and the fds that they refer to in the service manager's fd store. Each stored fd has a
 * record that identifies it, and that it must match when it is restored. An fd without a record,
 * and a record without its fd, are dropped with a remark.
 *
 * Records and fds that have ended are removed in slices: records in the order in which they have
 * ended, and then fds. So an fd whose record was removed has ended, and is dropped without a
 * remark.
 *
 * Without a service manager no fd can be restored, so nothing is written. Records that another
 * vaild has left in the directory stay unchanged.
 */
typedef struct PersistenceOptions {
	const char *runtime_directory;
	FsRoots roots;
	MemfdIdentity memfds;
	ProcessTable *processes;
	JsonParser *parser;
	Statistics *statistics;
	/*
	 * Called when there is work for persistence_remove_ended() or persistence_compact(),
	 * perhaps again while there is. Does not call back. May be NULL.
	 */
	void (*work_due)(void *context);
	void *work_context;
} PersistenceOptions;

typedef struct Persistence {
	PersistenceOptions options;
	bool is_open;
	bool keeps_fds; /* after persistence_close(): the service manager has the stored fds */
	int lock;       /* keeps other daemons out of the runtime directory */
	RecordFile records;
	FdStore store;
	uint64_t last_id; /* of a stored fd */
} Persistence;

/*
 * Opens the records, restores the passed fds, and restores the processes of the passed pidfds into
 * the process table. The table persists watched processes from now on. Returns 0, or a negative
 * errno after logging.
 */
int persistence_open(Persistence *persistence, const PersistenceOptions *options,
		     ListenFds *passed);

/*
 * Stops persisting: later calls change nothing. Call before freeing the broker, which ends every
 * entity.
 */
void persistence_close(Persistence *persistence);

/* Loads the records of entities. Returns 0 or a negative errno; the caller deinitialises *ret. */
int persistence_load(const Persistence *persistence, PersistedRecords *ret);

/* Implement Host.find_persisted_process and Host.fdstore_find during a restore. */
Lookup persistence_find_process(const Persistence *persistence, ProcessKey key, pid_t *ret_pid);
Lookup persistence_fdstore_find(Persistence *persistence, uint64_t id, int *ret_fd);

/* Ends the restore: removes stored fds and processes that nothing has asked for. */
void persistence_end_restore(Persistence *persistence);

/*
 * Persists the record of an entity, replacing an earlier one. The text is one line of JSON. Returns
 * false if it cannot be written.
 */
bool persistence_save(Persistence *persistence, uint64_t serial, const char *text, size_t size);

/*
 * Each function does one slice of work that can wait, at most about 200 us: the removal of records
 * and fds that have ended, and the compaction of the record file. Call them between turns until
 * they return false, because nothing is left.
 */
bool persistence_remove_ended(Persistence *persistence);
bool persistence_compact(Persistence *persistence);

/* Removes the records of entities, in order. Removing never fails. */
void persistence_remove(Persistence *persistence, const uint64_t *serials, size_t count);

/* Like persistence_remove(), but the removals are written in slices. */
void persistence_remove_later(Persistence *persistence, const uint64_t *serials, size_t count);

/*
 * Stores an fd. Returns its id, or 0 if the fd store is full. Fds of one open file description
 * share an id.
 */
uint64_t persistence_fdstore_add(Persistence *persistence, int fd);

/*
 * Tests whether persisting has stopped, and the service manager keeps the stored fds for the next
 * daemon.
 */
bool persistence_keeps(const Persistence *persistence);

/*
 * Call before closing any fd. Returns true if the fd is the last one of its id. The store then owns
 * it, and closes it when it removes the id in a slice.
 */
bool persistence_fdstore_release(Persistence *persistence, int fd);

#endif
