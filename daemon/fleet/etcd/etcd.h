/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_ETCD_H
#define DAEMON_FLEET_ETCD_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A client of etcd's JSON gateway (v3) on libevent. It shows the keys below one prefix, keeps one
 * lease alive, and changes keys.
 *
 * All keys here are relative to the prefix. The client talks to one endpoint at a time. If that
 * does not answer, or has no leader, the client breaks off and tries the next one. It tries again
 * for ever, with growing and random pauses.
 *
 * The order of handlers at first is on_snapshot, on_reach(true), and then on_lease(true). Until the
 * next break, on_put and on_delete follow each change once, in the order of revisions. After a
 * break, the changes that were missed follow in the same way before on_reach(true); those of the
 * last revision may be shown twice. on_snapshot replaces them, or comes behind some of them, if
 * etcd does not have them all any more, has another history than before or has changed very much,
 * if the outcome of a change is unknown, and if may_resume wants so.
 */

struct event_base;

typedef struct Etcd Etcd;

/* A key with its value. Entries and their texts belong to the client. */
typedef struct EtcdEntry {
	const char *key;
	const char *value; /* UTF-8; "" also for a value that is not UTF-8 or contains a NUL */
	int64_t mod_revision;
	int64_t lease; /* 0 for none */
} EtcdEntry;

typedef enum EtcdOutcome {
	ETCD_DONE,
	ETCD_LOST,    /* a key has another revision or lease than expected; nothing has changed */
	ETCD_UNKNOWN, /* it may have happened; the next snapshot shows that */
	ETCD_FAILED,  /* nothing has changed */
	ETCD_OUTCOME_MAX,
} EtcdOutcome;

/* The time and chance of the client. Tests replace them. */
typedef struct EtcdClock {
	int64_t (*now)(void *context);     /* milliseconds on CLOCK_BOOTTIME; never decreases */
	uint32_t (*random)(void *context); /* any number, each as likely */
	void *context;
} EtcdClock;

/* The client copies all texts. */
typedef struct EtcdSettings {
	const char *const *endpoints; /* URLs such as "https://etcd1:2379", without a path */
	size_t endpoint_count;        /* at least 1 */
	const char *prefix;           /* of all keys, not empty, such as "/vaild/" */
	const char *ca;               /* path of a PEM file; NULL for the system's certificates */
	const char *certificate;      /* path of a PEM file; NULL for none */
	const char *private_key;      /* path of a PEM file; NULL for none */
	unsigned int ttl;             /* of the lease, in seconds; at least 3 */
	const EtcdClock *clock;       /* NULL for the system's; has to outlive the client */
} EtcdSettings;

/*
 * Handlers may change keys, but must not call etcd_free(). A handler must not keep an entry or a
 * text.
 */
typedef struct EtcdHandlers {
	/* Shows all keys of the revision. Earlier keys that are missing here are gone. */
	void (*on_snapshot)(void *context, const EtcdEntry *entries, size_t count,
			    int64_t revision);
	void (*on_put)(void *context, const EtcdEntry *entry);
	void (*on_delete)(void *context, const char *key, int64_t revision);

	/*
	 * true: there is a new lease, so put all leased keys again; why is NULL. false:
	 * there is no lease. Keys of the one before are gone, or will expire. why is a sentence
	 * without a full stop. Called again with false only if the sentence is another one.
	 */
	void (*on_lease)(void *context, bool is_held, const char *why);

	/*
	 * true: what the handlers above have shown is current, why is NULL, and since is now.
	 * false: it is as of the time since, in milliseconds of the clock, and why is a sentence
	 * that begins with the endpoint, without a full stop. Called again with false only if the
	 * endpoint has another sentence than before.
	 */
	void (*on_reach)(void *context, bool is_reached, const char *why, int64_t since);

	/*
	 * NULL, or called before each on_snapshot with the ID of the snapshot's cluster, which is 0
	 * if the server does not tell it. Revisions of different clusters cannot be compared.
	 */
	void (*on_cluster)(void *context, uint64_t cluster);

	/*
	 * NULL, or called when etcd gets an alarm, for example "NOSPACE", again after
	 * on_reach(true) while it has one, and with NULL when it has none any more. With an alarm,
	 * etcd puts no key, although it is reached. What the handlers above have shown is then as
	 * of the time since, in milliseconds of the clock; 0 if that is not known.
	 */
	void (*on_alarm)(void *context, const char *alarm, int64_t since);

	/*
	 * NULL, or asked after a break whether what was shown before is still known. false: all
	 * keys are to be shown again.
	 */
	bool (*may_resume)(void *context);
} EtcdHandlers;

/*
 * Called once for each change, and never before the function that began it has returned. revision:
 * of the change if it is done, else 0. why: a sentence without a full stop, or NULL if it is done.
 */
typedef void EtcdDone(void *context, EtcdOutcome outcome, int64_t revision, const char *why);

/*
 * Begins to connect. Returns NULL if out of memory, or if libcurl cannot start. The base and the
 * context have to outlive the client. The program has to ignore SIGPIPE.
 */
Etcd *etcd_new(struct event_base *base, const EtcdSettings *settings, const EtcdHandlers *handlers,
	       void *context);

/*
 * Drops all changes in progress without calling their EtcdDone. Leaves the lease to run out, so
 * that the keys stay if the program starts again soon. Accepts NULL.
 */
void etcd_free(Etcd *etcd);

typedef enum EtcdChangeKind {
	ETCD_PUT,
	ETCD_DELETE,
	ETCD_SWAP,
	ETCD_CHANGE_KIND_MAX,
} EtcdChangeKind;

/* Counts since the start of the client. */
typedef struct EtcdStatistics {
	uint64_t reached;    /* times that etcd was reached */
	uint64_t breaks;     /* times that it was reached no more */
	uint64_t lists;      /* of all keys, that were shown */
	uint64_t events;     /* changes that the watch has shown */
	uint64_t leases;     /* that were granted */
	uint64_t lost;       /* leases that have ended */
	uint64_t keepalives; /* that were answered and have prolonged the lease */
	uint64_t changes[ETCD_CHANGE_KIND_MAX][ETCD_OUTCOME_MAX];
} EtcdStatistics;

/* The statistics belong to the client, and change with it. */
const EtcdStatistics *etcd_statistics(const Etcd *etcd);

bool etcd_is_reached(const Etcd *etcd);

/*
 * Breaks off if etcd has answered nothing for the TTL of the lease. Call before passing on what the
 * handlers have shown: timers of a host that was suspended, or that is busy, may not have run yet.
 */
void etcd_check(Etcd *etcd);

/* Tests whether the lease is held now, by the clock. */
bool etcd_has_lease(const Etcd *etcd);

/*
 * Changes a key. Changes happen one after another in the order of the calls, but leased puts of
 * different keys that wait together happen at once, with the same outcome. A change fails at once
 * if the client does not reach etcd, if it is leased or a swap and no lease is held, or if
 * ETCD_CHANGES_MAX are in progress. A break ends all that are in progress: those that were
 * sent may have happened, the others have failed. The texts are copied. done may be NULL. Returns
 * false if out of memory; done is then not called.
 *
 * etcd_delete() is done also if there is no such key. etcd_swap() puts the value, without a lease,
 * or deletes the key if value is NULL, if the key's revision is still mod_revision, and if the
 * guard holds, which may be NULL. A revision of 0 means that there must be no such key. The guard
 * and its texts are copied.
 */
#define ETCD_CHANGES_MAX 40960

/* Conditions of a swap besides its own key. etcd compares all of them in one transaction. */
typedef struct EtcdGuard {
	const char *leased; /* a key that must have the present lease; NULL for none */
	const char *other;  /* a key that must have other_revision; NULL for none */
	int64_t other_revision;
} EtcdGuard;

bool etcd_put(Etcd *etcd, const char *key, const char *value, bool is_leased, EtcdDone *done,
	      void *context);
bool etcd_delete(Etcd *etcd, const char *key, EtcdDone *done, void *context);
bool etcd_swap(Etcd *etcd, const char *key, int64_t mod_revision, const char *value,
	       const EtcdGuard *guard, EtcdDone *done, void *context);

#endif
