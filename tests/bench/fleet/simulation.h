/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_FLEET_SIMULATION_H
#define TESTS_BENCH_FLEET_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/fleet/fleet.h"
#include "tests/bench/fleet/played-local.h"

/*
 * Many vaild-fleets in one process and one event loop, each with the client of etcd, the model and
 * the wiring of the program. Each has its own lease, keepalives, connections and watch, so etcd
 * cannot tell them from as many processes. To have them all in one memory, each keeps only its own
 * keys in its index. It still receives and parses everything.
 */

#define SIMULATION_PREFIX "/vaild/"

struct event_base;

typedef struct Simulation Simulation;

typedef struct SimulatedHost {
	Simulation *simulation;
	unsigned int number;
	char id[33];  /* the machine ID */
	char vms[31]; /* the part of its VMs' GUIDs that they have in common */
	struct event *start;
	Fleet *fleet;
	Etcd *etcd;
	bool is_reached;
	int64_t revision; /* of the last change that it knows */

	/* Keys of this host that etcd has shown. */
	bool has_host;
	bool has_gpu;
	uint32_t has_vms; /* a bit for each */
	uint32_t has_wheres;
} SimulatedHost;

/* A change that all hosts are to see. */
typedef struct Change {
	char key[FLEET_KEY_SIZE];
	char mark[48];     /* a part of its value */
	uint64_t began_at; /* nanoseconds */
	double *latencies; /* milliseconds, of the hosts that have seen it */
	size_t seen;
} Change;

struct Simulation {
	struct event_base *base;
	const char *url;    /* of etcd */
	const char *folder; /* for sockets */
	SimulatedHost *hosts;
	size_t count;    /* of hosts */
	size_t expected; /* hosts that have been started, or will be soon */
	Change change;
	uint64_t events; /* changes that were seen, by all hosts together */
	uint64_t listed; /* keys that were listed, by all hosts together */
	uint64_t lists;
	uint64_t breaks; /* how often a host could not reach etcd any more */
	uint64_t lost;   /* leases */
	struct event *tick;
};

void simulation_init(Simulation *simulation, const char *url, const char *folder, size_t count);

/* Starts a host after the milliseconds. */
void simulation_start(Simulation *simulation, unsigned int number, unsigned int milliseconds);

/*
 * Runs the loop until the condition holds, but at most the seconds. Returns the seconds that it has
 * taken, or a negative number if the condition does not hold.
 */
double simulation_run(Simulation *simulation, bool (*condition)(const Simulation *),
		      double seconds);

/* Ends all hosts. */
void simulation_end(Simulation *simulation);

/* Conditions */

/* All started hosts reach etcd, and have there what they want to have. */
bool simulation_is_complete(const Simulation *simulation);

/* The same, and each knows all of it. */
bool simulation_is_current(const Simulation *simulation);

/* All hosts have seen the change. */
bool simulation_has_seen(const Simulation *simulation);
bool simulation_never(const Simulation *simulation);

/* Begins a change on a host. latencies: room for as many as there are hosts. */
void simulation_change(Simulation *simulation, unsigned int host, unsigned int vm, uint64_t mark,
		       double *latencies);

#endif
