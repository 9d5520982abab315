/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_STAGE_H
#define TESTS_HOSTILE_STAGE_H

#include "tests/hostile/hostile.h"
#include "tests/hostile/talk.h"
#include "tests/support/actor.h"

/* The paths and the command of the daemons that are attacked, one after the other. */
typedef struct StageOptions {
	const char *socket, *runtime_directory, *configuration;
	char **command;
} StageOptions;

/* A running daemon, the VMs of the honest and the hostile users, and the operator's connection. */
typedef struct Stage {
	const StageOptions *options;
	Board *board;
	pid_t daemon, manager;
	int operator_connection;
	Actor vmm;                /* of all VMs of this stage */
	char handle[HANDLE_SIZE]; /* of the object that the honest users open */
	pid_t bystanders[8];      /* other processes with idle connections, 0 for none */
} Stage;

extern const char honest_guid[];
extern const char *const hostile_guids[OWNERS_MAX];
extern const char *const hostile_users[OWNERS_MAX];

/* Starts a daemon without state, and registers the VMs. Clears the board. */
void stage_open(Stage *stage, const StageOptions *options, Board *board);

/* Kills the daemon. Returns false if it had ended before. */
bool stage_close(Stage *stage);

/* Registers this many more VMs of the stage's VMM. */
void stage_add_machines(Stage *stage, unsigned int count);

/* Starts processes of other users, each of which holds count idle connections. */
void stage_add_bystanders(Stage *stage, unsigned int processes, unsigned int count);

/*
 * Resets, and returns, the sum of the highest resident memory of the daemon and of the examiner, in
 * KiB. The pages that they share count twice.
 */
void stage_reset_peak(const Stage *stage);
size_t stage_peak(const Stage *stage);

/* Starts the process that reads the messages of the daemon to its service manager. */
struct FakeServiceManager;
pid_t manager_start(struct FakeServiceManager *manager, Board *board);

#endif
