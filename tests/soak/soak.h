/* SPDX-License-Identifier: MIT */
#ifndef SOAK_SOAK_H
#define SOAK_SOAK_H

#include <stdatomic.h>

#include "../system/tools/random-objects.h"

/*
 * soak: many client processes of several users ask the daemon for everything, in random order, and
 * come, crash and hang meanwhile, and so does the daemon. Now and then all of them go, and what the
 * daemon has then is held against what it had at first.
 */
#define CLIENTS_MAX 1000
#define GUIDS       64
#define GUID_SIZE   37
#define ON_BOARD    8 /* objects of one VM that all clients know */
#define WORDS       24
#define SILENCE_MS  60000 /* a daemon that answers nothing for so long hangs */

typedef enum Fate {
	FATE_LEFT,   /* read all answers, and closed */
	FATE_EXITED, /* in the middle of anything */
	FATE_KILLED, /* likewise, by its own hand */
	FATE_FAILED, /* the daemon did not answer, or broke its word */
	FATE_MAX,
} Fate;

/* What all processes share. */
typedef struct Board {
	_Atomic uint64_t operations, goal;
	_Atomic uint64_t connections, lost, descriptors, events;
	_Atomic pid_t daemon; /* 0: there is none */
	_Atomic size_t stored, dropped;
	_Atomic size_t heap; /* bytes in use */
	_Atomic pid_t pids[CLIENTS_MAX];
	_Atomic unsigned int lives; /* each has a number */
	char handles[GUIDS][ON_BOARD][HANDLE_SIZE];
	_Atomic uint64_t words[WORDS]; /* answers, by what they say */
} Board;

typedef struct Soak {
	Board *board;
	const char *socket, *runtime_directory, *configuration;
	char **command; /* of the daemon */
	size_t seed, operations, client_count, rounds, restarts, bound;
	uint64_t random;
	RandomObjects pool; /* its descriptors, for all clients */
} Soak;

/* --- client.c: one client from its first request to its end; never returns ------------------- */

_Noreturn void client_live(const Soak *soak, size_t number);

/* --- service.c: the daemon, and the service manager above it, in a process of its own -------- */

typedef enum Order {
	ORDER_KILL = 'k',    /* SIGKILL, and a new one */
	ORDER_RESTART = 'r', /* SIGTERM, and a new one */
	ORDER_RELOAD = 'h',  /* SIGHUP */
	ORDER_MEASURE = 'm', /* of the heap, by heap-in-use.c, to board->heap */
	ORDER_STOP = 's',    /* SIGTERM, and none */
} Order;

void service_start(const Soak *soak);
void service_order(Order order); /* returns when it is done */

/* --- audit.c: what the daemon has ------------------------------------------------------------ */

typedef struct Memory {
	size_t resident, anonymous; /* kB */
	size_t heap;                /* bytes; 0: nobody knows */
} Memory;

typedef struct Audit {
	char *answers, *descriptors;
	size_t stored;
	size_t remarks; /* on the daemon's start, which nothing explains */
	Memory memory;
	off_t records;
} Audit;

/* All that is there to see, while nobody else is connected. */
Audit audit_take(const Soak *soak);

/* Waits until all is as it was, but for the memory; otherwise says what is not. The caller frees
 * *ret in each case. */
bool audit_returns(const Soak *soak, const Audit *before, Audit *ret);
void audit_free(Audit *audit);

/* Lifts all quarantines. */
void audit_clear(const Soak *soak);

#endif
