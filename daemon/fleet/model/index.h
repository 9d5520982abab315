/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_INDEX_H
#define DAEMON_FLEET_MODEL_INDEX_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdint.h>

#include "daemon/fleet/model/value.h"

/*
 * A copy of the keys in etcd, with lookups. Times are arguments, in milliseconds on CLOCK_BOOTTIME.
 *
 * The index is current while etcd is reached. Otherwise it is as of an earlier time, and everybody
 * who reads it has to show its age, see freshness.h.
 */

/* Entries of each kind. Further keys are ignored. */
#define FLEET_ENTRIES_MAX ((size_t)65536)

/*
 * VMs and adapters of one other host together. Further keys are ignored, so that one host leaves
 * room for the others.
 */
#define FLEET_ENTRIES_PER_HOST_MAX ((size_t)8192)

/* The number of VMs and adapters of one host. */
typedef struct FleetHostCount {
	HostId host;
	size_t count; /* at least 1 */
	size_t swept; /* of them: not seen in the snapshot that is being read */
	RB_ENTRY(FleetHostCount) link;
} FleetHostCount;

typedef RB_HEAD(FleetHostCountTree, FleetHostCount) FleetHostCountTree;

typedef struct FleetEntry {
	FleetKey key;
	FleetValue value;
	char *text; /* the value as it is in etcd, of a key of this host; otherwise NULL */
	int64_t mod_revision;

	/*
	 * For where/GUID, the time when its host was first seen without a key of the VM; 0 if the
	 * host has one.
	 */
	uint64_t unreachable_since;

	bool is_swept; /* not seen in the snapshot that is being read */
	TAILQ_ENTRY(FleetEntry) own;
	RB_ENTRY(FleetEntry) link;
} FleetEntry;

typedef RB_HEAD(FleetEntryTree, FleetEntry) FleetEntryTree;

typedef struct FleetIndex {
	HostId self;
	FleetEntryTree tree;
	/* Leased keys of this host, and where/GUID of the VMs that it has according to them. */
	TAILQ_HEAD(FleetOwnEntries, FleetEntry) own;
	size_t counts[FLEET_KEY_KIND_MAX];
	size_t swept[FLEET_KEY_KIND_MAX]; /* of them: not seen in the snapshot */
	FleetHostCountTree host_counts;
	JsonParser *parser;
	uint64_t ignored;   /* foreign or malformed keys and values, since the start */
	bool has_overflown; /* keys were ignored since the start because there are too many */
	bool has_crowded;   /* the same of one host, which is crowded_host */
	HostId crowded_host;
	bool is_incomplete;   /* memory ran out; until the next snapshot */
	bool is_reached;      /* the watch is alive */
	uint64_t since;       /* if it is not: as of when the index is; 0 for never */
	char *why;            /* then a sentence without a full stop, or NULL */
	bool has_alarm;       /* etcd puts no key */
	uint64_t alarm_since; /* if it has one: as of when the index is; 0 if that is not known */
	char *alarm;          /* then its name, or NULL if out of memory */
	int64_t revision;     /* of the last snapshot or change */
	int64_t snapshot_revision;
} FleetIndex;

/* Returns false if out of memory. */
bool fleet_index_init(FleetIndex *index, const HostId *self);
void fleet_index_deinit(FleetIndex *index);

/* Sets whether etcd is reached, and if not, why and as of when the index is. */
void fleet_index_reach(FleetIndex *index, bool is_reached, const char *why, uint64_t since);

/* Sets the name of etcd's alarm, and as of when the index is. alarm: NULL for none. */
void fleet_index_alarm(FleetIndex *index, const char *alarm, uint64_t since);

/*
 * Tests whether the index is complete and current, so that something may be decided from it. An
 * alarm does not count, because it keeps no host from deleting its keys.
 */
bool fleet_index_is_current(const FleetIndex *index);

/* Tests whether no key was left out since the start, for lack of room or, by now, of memory. */
bool fleet_index_is_whole(const FleetIndex *index);

/*
 * Read a snapshot: begin, put each key, end. The end removes all keys that were not put again.
 */
void fleet_index_begin_snapshot(FleetIndex *index);
void fleet_index_end_snapshot(FleetIndex *index, int64_t revision, uint64_t now);

/*
 * Notes that a key has been put. Ignores and counts keys of another form, and hosts, VMs and
 * adapters with malformed values. A malformed quarantine counts as one without a reason, and a
 * malformed where/GUID names no host. Older changes than the known one are ignored.
 */
void fleet_index_put(FleetIndex *index, const char *key, const char *value, int64_t mod_revision,
		     uint64_t now);

/* Notes that a key has been deleted. */
void fleet_index_delete(FleetIndex *index, const char *key, int64_t revision, uint64_t now);

/* Return an entry, owned by the index until the next change, or NULL. */
const FleetEntry *fleet_index_find(const FleetIndex *index, const FleetKey *key);
const FleetEntry *fleet_index_where(const FleetIndex *index, const Guid *vm);

/*
 * Iterate over the entries of a kind, in the order of fleet_key_compare(). An iteration may begin
 * at a key: with its entry, or the next one of the kind if that has gone.
 */
const FleetEntry *fleet_index_first(const FleetIndex *index, FleetKeyKind kind);
const FleetEntry *fleet_index_from(const FleetIndex *index, const FleetKey *key);
const FleetEntry *fleet_index_next(const FleetEntry *entry);

/* Returns the VM's first entry with kind FLEET_KEY_VM; the next ones follow it. */
const FleetEntry *fleet_index_first_of_vm(const FleetIndex *index, const Guid *vm);

/* Returns the host's first adapter; the next ones follow it. */
const FleetEntry *fleet_index_first_gpu(const FleetIndex *index, const HostId *host);

/* Returns the next entry if it has the same kind and VM, or the same kind and host; or NULL. */
const FleetEntry *fleet_index_next_of_vm(const FleetEntry *entry);
const FleetEntry *fleet_index_next_gpu(const FleetEntry *entry);

/* Returns the first quarantine whose GUID is not below this one, or NULL. */
const FleetEntry *fleet_index_quarantine_from(const FleetIndex *index, const Guid *vm);

/* Returns the entry of a host, or NULL if it is not there now. */
const FleetEntry *fleet_index_host(const FleetIndex *index, const HostId *host);

/*
 * Finds the VM with a name, among running ones and those that where/GUID names. Returns how many
 * VMs have it; *ret_vm is the first of them.
 */
size_t fleet_index_find_name(const FleetIndex *index, const char *name, Guid *ret_vm);

/* Tests whether the VM is one that fleet_index_find_name() finds. Does not look at other VMs. */
bool fleet_index_has_name(const FleetIndex *index, const Guid *vm, const char *name);

#endif
