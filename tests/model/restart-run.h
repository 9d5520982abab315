/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_RESTART_RUN_H
#define TESTS_MODEL_RESTART_RUN_H

#include "tests/model/random.h"
#include "tests/support/fake-share.h"

/* The state of a run of random requests of test-restart.c. */

#define PLAYERS 6
#define DRIVERS 2
#define HANDLES 24

typedef struct Player {
	FakeProcess *process;
	Caller *caller;
	char gpu_process[40];
} Player;

/* Handles from replies. Some are still valid. */
typedef struct Handles {
	char items[HANDLES][40];
} Handles;

typedef struct Run {
	FakeHost *fake_host;
	Dice dice;
	uint64_t seed, step;
	Caller *admin;
	Player players[PLAYERS];
	pid_t last_pid;
	Caller *drivers[DRIVERS];
	Handles virtual_gpus, contexts, objects, adapters, processes;
	size_t restored_adapters, ended_adapters;
	size_t restarts, refusals, successes, drops;
} Run;

const char *run_any_guid(Run *run);
Player *run_any_player(Run *run);
const char *run_any_handle(Run *run, Handles *handles);

/* Remembers the handle at the path of a successful reply, for later requests. */
void run_remember(Run *run, Handles *handles, const char *path);

/* Asserts that both snapshots are equal, and frees them. */
void run_must_be_same(const Run *run, char *before, char *after, const char *what);

/* --- adapters of connections ----------------------------------------------------------------- */

/* Sends a random request of a driver, or of a player to an adapter. Returns its status. */
const char *run_driver_request(Run *run);

void run_drivers_enter(Run *run);

/* Replaces the connection of a random driver by a new one. */
void run_driver_replace(Run *run);

/* Completes or destroys all incomplete GPU processes, which would end in a restart. */
void run_settle_creations(Run *run);

/*
 * Call after a restart. Some drivers take their adapters over, some return with different adapters.
 * Sometimes lets time pass until the waiting adapters end.
 */
void run_drivers_come_back(Run *run);

#endif
