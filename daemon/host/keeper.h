/* SPDX-License-Identifier: MIT */
#ifndef HOST_KEEPER_H
#define HOST_KEEPER_H

#include "descriptor-facts.h"
#include "descriptor-store.h"
#include "passed-descriptors.h"
#include "process-table.h"
#include "record-file.h"

/*
 * What outlives this daemon and is there for the next one, if that starts before a reboot: records
 * in the runtime directory, and with the service manager the descriptors that they need. Each
 * descriptor has a record of the keeper's own, of what it is, which it has to be again when it
 * comes back. Records and descriptors without each other are dropped, with a remark.
 *
 * Without a service manager nothing comes back, so nothing is written, and what is there of a
 * daemon that has one stays as it is.
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
	int lock; /* of the directory: no other daemon keeps its records there */
	RecordFile records;
	DescriptorStore store;
	uint64_t last_id;
} Keeper;

/*
 * Takes back what was passed and brings processes back into the table, which keeps through it from
 * now on. Returns 0 or a negative errno after logging.
 */
int keeper_open(Keeper *keeper, const KeeperOptions *options, PassedDescriptors *passed);

/* From now on everything stays as it is kept: before the broker goes, which ends all. */
void keeper_close(Keeper *keeper);

/* The core's records, by serial. Returns 0 or a negative errno; the caller deinits *ret. */
int keeper_load(const Keeper *keeper, PersistedRecords *ret);

/* What Host.find_kept_process and Host.find_kept_descriptor ask; as long as it is restored. */
Evidence keeper_find_process(const Keeper *keeper, ProcessKey key, pid_t *ret_pid);
Evidence keeper_find_descriptor(Keeper *keeper, uint64_t id, int *ret_descriptor);

/* All is restored: lets go of what nobody has asked for. */
void keeper_end_restore(Keeper *keeper);

/* One line of JSON, in place of what was kept of that serial. False: there is no room for it. */
bool keeper_keep(Keeper *keeper, uint64_t serial, const char *text, size_t size);
void keeper_drop(Keeper *keeper, const uint64_t *serials, size_t count);

/* Returns an id, the same one for descriptors of one open file description, or 0: no room. */
uint64_t keeper_keep_descriptor(Keeper *keeper, int descriptor);

/* Before the descriptor is closed; any descriptor that is closed may be told. */
void keeper_release_descriptor(Keeper *keeper, int descriptor);

#endif
