/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTILE_HOSTILE_H
#define TESTS_HOSTILE_HOSTILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/hostile/histogram.h"

/*
 * hostile-neighbours attacks a daemon as ordinary users can, and measures whether the other users
 * notice it. It knows the daemon only by its socket and /proc. One run has these processes:
 *
 *   director      starts all others, sets the phase, and judges (hostile-neighbours.c, stage.c)
 *   manager       plays the service manager, and times the watchdog messages (manager.c)
 *   loads         two honest users with 50 connections each, an operator with one connection, and
 *                 an operator who connects again and again (load.c)
 *   attackers     one process for each hostile user (attacker.c, traffic.c, attack-*.c)
 *
 * The daemon, the manager and the loads run on the first CPU, the attackers on the last one. The
 * loads have real-time priority, so that neither attackers nor other programs delay their clocks.
 */
#define OWNERS_MAX 2  /* hostile users */
#define NAME_SIZE  16 /* of a user or a pattern */
#define GUID_SIZE  37
#define TEXT_SIZE  256

typedef enum Phase {
	PHASE_IDLE,     /* nothing is measured */
	PHASE_BASELINE, /* the loads are alone */
	PHASE_ONSET,    /* the attackers prepare their attack */
	PHASE_ATTACK,
	PHASE_MAX,
} Phase;

typedef enum LoadKind {
	LOAD_ALICE,
	LOAD_BOB,
	LOAD_OPERATOR, /* calls GetStatus on one connection */
	LOAD_NEWCOMER, /* an operator with a new connection for each request */
	LOAD_MAX,
} LoadKind;

/* The measurements of one load. */
typedef struct Meter {
	_Atomic Phase phase; /* that the load has noticed */
	_Atomic uint64_t failures;
	char failure[TEXT_SIZE]; /* the first one */
	Histogram waits[PHASE_MAX];
	Histogram cpu[PHASE_MAX]; /* CPU time of daemon and examiner during each wait */
} Meter;

/* The memory that all processes share. */
typedef struct Board {
	_Atomic Phase phase;
	pid_t daemon, examiner;
	_Atomic unsigned int loads_ready, attackers_ready;
	Meter meters[LOAD_MAX];
	_Atomic bool daemon_is_ready;
	_Atomic uint64_t watchdog_last; /* bench_now() */
	_Atomic uint64_t watchdog_gap;  /* the longest during onset and attack */
	_Atomic uint64_t work;          /* messages or connections that the attackers have sent */
	_Atomic uint64_t breaches;      /* answers that an attacker must never get */
	_Atomic uint64_t
		held[OWNERS_MAX]; /* connections that the daemon has admitted, if counted */
} Board;

/* The arguments of an attacker process. */
typedef struct Attacker {
	Board *board;
	const char *socket;
	const char *user;
	const char *guid; /* of a VM that has the user as display client and agent */
	unsigned int number;
	unsigned int owners;
	unsigned int connections;
	unsigned int ranges; /* of its GPU process */
} Attacker;

struct Stage;

/* A pattern of attack. */
typedef struct Attack {
	const char *name;
	const char *promise; /* that it attacks */
	bool stays_root;     /* run() starts as root and takes the user's ids itself */
	bool is_short;       /* part of the short form */
	void (*prepare)(struct Stage *stage);  /* what operators have set up before; may be NULL */
	void (*run)(const Attacker *attacker); /* attacks until it is killed */
} Attack;

/* Ends with an entry without name. */
extern const Attack attacks[];

#define WATCHDOG_SECONDS 1

/* Runs the calling process on the first or the last CPU. */
void run_on_first_cpu(void);
void run_on_last_cpu(void);

/* Lets the calling process have this many fds, or as many as the machine permits. */
void raise_fd_limit(unsigned int count);

#endif
