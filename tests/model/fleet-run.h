/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_FLEET_RUN_H
#define TESTS_MODEL_FLEET_RUN_H

#include "daemon/fleet/model/quarantine.h"
#include "daemon/fleet/model/wanted.h"
#include "tests/model/played-etcd.h"
#include "tests/model/random.h"

/*
 * Runs the model of vaild-fleet on several hosts around one played etcd. Messages are late or
 * lost, hosts are cut off, paused and restarted, and leases expire. The test gives each host its
 * own copy of what it has been shown, as plain texts, and judges by that.
 */

#define FLEET_HOSTS 4
#define FLEET_VMS   3
#define FLEET_TTL   15000 /* milliseconds */
#define FLEET_CALLS 64

typedef enum CallKind { CALL_PUT, CALL_REMOVE, CALL_SWAP } CallKind;

/* A change on its way to etcd, or its answer on its way back. */
typedef struct FleetCall {
	CallKind kind;
	char key[FLEET_KEY_SIZE];
	char *value; /* or NULL */
	int64_t revision;
	int64_t lease;
	bool is_guarded;
	char own[FLEET_KEY_SIZE], other[FLEET_KEY_SIZE]; /* as in WantedGuard; "" for none */
	int64_t other_revision;
	bool is_orphan;   /* its sender has been restarted, or has given it up */
	bool is_answered; /* etcd has made it, and outcome is on its way */
	WantedOutcome outcome;
	int64_t done_revision;
} FleetCall;

typedef struct FleetRun FleetRun;

typedef enum LocalQuarantine {
	QUARANTINE_NONE,
	QUARANTINE_OF_HOST,
	QUARANTINE_OF_FLEET
} LocalQuarantine;

typedef struct PlayedHost {
	FleetRun *run;
	HostId id;
	char name[8];

	/* vaild-fleet */
	FleetIndex index;
	Wanted wanted;
	Quarantines quarantines;
	FleetFacts facts;
	bool is_reached;
	bool has_listed; /* the keys since its start */
	size_t cursor;   /* events that it has been shown */
	int64_t lease;   /* 0 for none */
	uint64_t lease_until;
	FleetCall calls[FLEET_CALLS];
	size_t call_count;
	bool is_disturbed; /* etcd has made a call that was given up, which may have undone others
			    */
	int64_t where_seen[FLEET_VMS]; /* the highest revision of where/GUID that was shown */

	/* the host */
	bool is_cut_off;
	bool is_paused;
	bool is_vaild_away;
	bool runs[FLEET_VMS];
	FleetGuest guests[FLEET_VMS]; /* of VMs that run */
	LocalQuarantine quarantined[FLEET_VMS];
	LocalQuarantine told[FLEET_VMS]; /* as vaild-fleet has read them last */
	bool is_setting[FLEET_VMS];      /* a quarantine, in progress */
	bool sets_to[FLEET_VMS];
	bool has_seen_deletion[FLEET_VMS]; /* of the quarantine's key, and no later key */
} PlayedHost;

struct FleetRun {
	PlayedEtcd etcd;
	PlayedHost hosts[FLEET_HOSTS];
	Guid guids[FLEET_VMS];
	Dice dice;
	uint64_t seed, step, now;
	/* Counts of what the run must reach. */
	size_t moves, conflicts, lost, late, expired, imposed, lifted, resumed;
};

void fleet_run_init(FleetRun *run, uint64_t seed);
void fleet_run_deinit(FleetRun *run);

/* One random step, and the checks after it. */
void fleet_run_step(FleetRun *run);

/* Repairs everything, lets all messages arrive, and checks that all hosts agree. */
void fleet_run_settle(FleetRun *run);

void fleet_expect(const FleetRun *run, const PlayedHost *host, bool holds, const char *what);

/* Returns the VM with this GUID, as an index. */
size_t fleet_vm_of(const FleetRun *run, const Guid *guid);

#endif
