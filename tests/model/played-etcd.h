/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_PLAYED_ETCD_H
#define TESTS_MODEL_PLAYED_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A naive etcd in memory, with one linear history: keys, revisions, leases and compare-and-swap.
 * Every change is an event, kept for ever. Times are milliseconds.
 */

#define PLAYED_KEYS   256
#define PLAYED_LEASES 64

typedef struct PlayedKey {
	char *key;
	char *value;
	int64_t mod_revision;
	int64_t lease; /* 0 for none */
} PlayedKey;

typedef struct PlayedEvent {
	char *key;
	char *value; /* NULL for a delete */
	int64_t revision;
} PlayedEvent;

typedef struct PlayedEtcd {
	PlayedKey keys[PLAYED_KEYS];
	size_t key_count;
	struct {
		int64_t id;
		uint64_t expires;
	} leases[PLAYED_LEASES];
	size_t lease_count;
	int64_t last_lease;
	int64_t revision;
	PlayedEvent *events;
	size_t event_count;
	size_t event_room;
} PlayedEtcd;

void played_etcd_init(PlayedEtcd *etcd);
void played_etcd_deinit(PlayedEtcd *etcd);

const PlayedKey *played_find(const PlayedEtcd *etcd, const char *key);

int64_t played_grant(PlayedEtcd *etcd, uint64_t expires);

/* Returns false if the lease has expired. */
bool played_keep_alive(PlayedEtcd *etcd, int64_t lease, uint64_t expires);

/* Ends a lease with its keys. */
void played_revoke(PlayedEtcd *etcd, int64_t lease);

/* Ends the leases that have expired. */
void played_expire(PlayedEtcd *etcd, uint64_t now);

/* Returns false if there is no such lease. */
bool played_put(PlayedEtcd *etcd, const char *key, const char *value, int64_t lease);
void played_delete(PlayedEtcd *etcd, const char *key);

/* Returns false if the key has another revision, 0 for none. value: NULL to delete the key. */
bool played_swap(PlayedEtcd *etcd, const char *key, int64_t mod_revision, const char *value);

#endif
