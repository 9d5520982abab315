/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_WANTED_H
#define DAEMON_FLEET_MODEL_WANTED_H

#include "daemon/fleet/model/claim.h"
#include "daemon/fleet/model/facts.h"

/*
 * The keys that this host maintains in etcd: its own leased keys, and where/GUID of its VMs.
 * wanted_plan() compares the keys that should exist with those that were put and with the index,
 * and begins the missing changes. It may be called at any time and any number of times.
 *
 * - Each key has one change in progress at a time.
 * - A leased key is put again with each new lease. Without a lease nothing is put or claimed.
 * - A change whose outcome is unknown is begun again only after a pause, if the index does not show
 *   it. A lost claim waits for news of what it rests on. Every claim is fenced by the revision of
 *   the key and by what it rests on, see WantedGuard, so a late one changes nothing.
 * - A host claims a VM only once its own key says "running" with the present lease, because another
 *   host would take the VM from one that has no such key.
 * - A leased key is put at most once in WANTED_INTERVAL with the same lease, so that a user who
 *   changes a VM all the time wears nobody out. Yet all hosts show a change within a second. Only
 *   another state of a VM, or of vaild, never waits.
 * - If somebody else changes a key of this host, it is put again, at most once in WANTED_PAUSE.
 */

#define WANTED_PAUSE    5000 /* milliseconds */
#define WANTED_INTERVAL 800  /* milliseconds */

typedef enum WantedOutcome {
	WANTED_DONE,
	WANTED_LOST,    /* the key has another revision, or the guard does not hold */
	WANTED_UNKNOWN, /* it may have happened */
	WANTED_FAILED,
} WantedOutcome;

/*
 * Conditions of a claim, which etcd compares in the same transaction: the host's own key of the VM
 * has its present lease, and the key of the host that where/GUID names is as the index shows it.
 */
typedef struct WantedGuard {
	const char *own;
	const char *other;      /* NULL if there is no where/GUID */
	int64_t other_revision; /* 0 if there is no such key */
} WantedGuard;

/*
 * The changes. Each is answered with wanted_answered(), exactly once; from within these functions
 * only if it has failed.
 */
typedef struct WantedActions {
	void *context;
	void (*put)(void *context, const char *key, const char *value); /* with the lease */
	void (*remove)(void *context, const char *key);
	/* value and guard: NULL to delete the key */
	void (*swap)(void *context, const char *key, int64_t mod_revision, const char *value,
		     const WantedGuard *guard);
} WantedActions;

typedef struct WantedKey {
	FleetKey key;
	char *text;           /* put last, of a leased key; NULL if it has been removed */
	uint64_t lease;       /* number of the lease with which that is done; 0 for none */
	uint64_t sent_lease;  /* number of the lease with which it was sent */
	uint64_t sent_at;     /* time of the last put */
	unsigned int state;   /* sent last: what no put may delay */
	int64_t revision;     /* of the last change by this host that is done */
	uint64_t quiet_until; /* no change before */
	uint64_t mended;      /* time of the last change by somebody else; 0 for none */
	bool is_wanted;
	bool is_in_progress;
	bool is_lost;       /* the last swap was lost, and no other one has begun */
	bool is_overtaken;  /* a key on which the last swap rests has changed since it was sent */
	bool may_exist;     /* a put has been sent since the last removal */
	ClaimMemory memory; /* of vms/GUID/HOST */
	RB_ENTRY(WantedKey) link;
} WantedKey;

typedef RB_HEAD(WantedKeyTree, WantedKey) WantedKeyTree;

typedef struct Wanted {
	WantedKeyTree tree;
	bool is_leased;
	bool has_planned; /* with the facts of vaild */
	uint64_t lease;   /* counts the leases */
	uint64_t due;     /* when to plan again at the latest; 0 for no time */

	/* Milliseconds for which a host may be away before its VMs are claimed; set once. */
	uint64_t patience;

	/* Since the start. */
	uint64_t claims; /* swaps that were sent */
	uint64_t lost;   /* swaps that were lost */
	/* Puts of own keys by others, such as a host with the same machine ID. */
	uint64_t mended;

	WantedActions actions;
} Wanted;

void wanted_init(Wanted *wanted, const WantedActions *actions);
void wanted_deinit(Wanted *wanted);

/* Notes a new lease, or the loss of the lease. */
void wanted_lease(Wanted *wanted, bool is_held);

/*
 * Begins the changes that are missing now. date: the present date for people, for new where/GUID.
 * Sets wanted->due. Returns false if out of memory; the rest is then begun by a later call.
 */
bool wanted_plan(Wanted *wanted, const FleetIndex *index, const FleetFacts *facts, const char *date,
		 uint64_t now);

/* Notes the outcome of a change. revision: of the change if it is done. */
void wanted_answered(Wanted *wanted, const char *key, WantedOutcome outcome, int64_t revision,
		     uint64_t now);

/*
 * Notes a change of a key in the index. Call after fleet_index_put() and fleet_index_delete(), and
 * for NULL after a snapshot, which may have changed all keys.
 */
void wanted_noticed(Wanted *wanted, const FleetIndex *index, const char *key, uint64_t now);

#endif
