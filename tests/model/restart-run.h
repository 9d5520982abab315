/* SPDX-License-Identifier: MIT */
#ifndef TESTS_RESTART_RUN_H
#define TESTS_RESTART_RUN_H

#include "fake-share.h"
#include "random.h"

/* What the random requests of test-restart.c know of their world. */

#define PLAYERS 6
#define DRIVERS 2
#define HANDLES 24

typedef struct Player {
	FakeProcess *process;
	Caller *caller;
	char gpu_process[40];
} Player;

/* Handles that were given out, some of which are good still. */
typedef struct Handles {
	char items[HANDLES][40];
} Handles;

typedef struct Run {
	World *world;
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

/* The handle at the path of a reply, if that was a success, for later. */
void run_remember(Run *run, Handles *handles, const char *path);

/* What must be so again: frees both. */
void run_must_be_same(const Run *run, char *before, char *after, const char *what);

/* --- adapters of connections ----------------------------------------------------------------- */

/* Each is one request, of a driver or of a player on an adapter, and returns its status. */
const char *run_driver_request(Run *run);

void run_drivers_enter(Run *run);

/* A driver's connection closes, and there is another. */
void run_driver_replace(Run *run);

/* Completes or undoes what is being created, which a restart would undo. */
void run_settle_creations(Run *run);

/* After a restart, some adapters are taken over, unseen, or are other cards by now; or time goes by
 * until those that wait end. */
void run_drivers_come_back(Run *run);

#endif
