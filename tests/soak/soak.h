/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include <stdatomic.h>

#include "tests/support/random-objects.h"

/*
 * soak runs many client processes of several users that send random requests of all kinds. Clients
 * start, exit, crash and hang, and the daemon is killed and restarted meanwhile. At the end of each
 * round all clients have ended, and the daemon's state must equal the one before the first round.
 */
#define CLIENTS_MAX 1000
#define GUIDS       64
#define GUID_SIZE   37
#define ON_BOARD    8 /* handles of a VM's objects on the board */
#define WORDS       24

/* The end of a client process, which is also its exit status. */
typedef enum Fate {
	FATE_LEFT,   /* received all replies and closed its connection */
	FATE_EXITED, /* exited between any two requests */
	FATE_KILLED, /* killed by itself or by soak */
	FATE_FAILED, /* got no reply or a wrong one */
	FATE_MAX,
} Fate;

/* The memory that all processes share. */
typedef struct Board {
	_Atomic uint64_t operations, goal;
	_Atomic uint64_t connections, lost, fds, events;
	_Atomic pid_t daemon;   /* 0 if it does not run */
	_Atomic size_t stored;  /* entries in the fd store */
	_Atomic size_t dropped; /* entries for which the store had no room */
	_Atomic size_t heap;    /* bytes in use by the daemon */
	_Atomic pid_t pids[CLIENTS_MAX];
	_Atomic unsigned int lives; /* number of clients that were started */
	char handles[GUIDS][ON_BOARD][HANDLE_SIZE];
	_Atomic uint64_t words[WORDS]; /* number of replies with each of answer_words */
} Board;

typedef struct Soak {
	Board *board;
	const char *socket, *runtime_directory, *configuration;
	char **command; /* the command line of the daemon */
	size_t seed, operations, client_count, rounds, restarts, bound;
	uint64_t random;
	RandomObjects pool; /* the fds that all clients send */
} Soak;

/* --- client.c: runs a client in this process ------------------------------------------------- */

_Noreturn void client_live(const Soak *soak, size_t number);

/* --- service.c: runs the daemon under a fake service manager, in another process ------------- */

typedef enum ServiceCommand {
	SERVICE_KILL = 'k',    /* SIGKILL, then a new daemon */
	SERVICE_RESTART = 'r', /* SIGTERM, then a new daemon */
	SERVICE_RELOAD = 'h',  /* SIGHUP */
	SERVICE_MEASURE = 'm', /* stores the heap size in board->heap, by heap-in-use.c */
	SERVICE_STOP = 's',    /* SIGTERM */
} ServiceCommand;

void service_start(const Soak *soak);

/* Executes the command and returns when it is done. */
void service_command(ServiceCommand command);

/* --- audit.c: the daemon's state ------------------------------------------------------------- */

typedef struct Memory {
	size_t resident, anonymous; /* kB */
	size_t heap;                /* bytes, or 0 if it was not measured */
} Memory;

typedef struct Audit {
	char *answers;  /* replies of all list methods, without handles and pids */
	char *fds;      /* sorted targets of the daemon's fds */
	size_t stored;  /* entries in the fd store */
	size_t remarks; /* unexpected remarks about the daemon's start */
	Memory memory;
	off_t records; /* size of the record file, in bytes */
} Audit;

/* Reads the state, while no client is connected. */
Audit audit_take(const Soak *soak);

/*
 * Waits until the state equals the earlier one, except for memory, remarks and the record file.
 * Prints both states and returns false if it does not. The caller frees *ret in both cases.
 */
bool audit_returns(const Soak *soak, const Audit *before, Audit *ret);
void audit_free(Audit *audit);

/* Unregisters the adapters that wait for their drivers, and lifts all quarantines. */
void audit_clear(const Soak *soak);

#endif
