/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_FLEET_SEARCH_H
#define CLIENT_COMMON_FLEET_SEARCH_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <vail.h>

/*
 * Asks the vaild-fleet of this host, if there is one, for the host of a VM. Operators and observers
 * get an answer, and display clients of a VM that was on this host.
 */

/* Returns the socket in VAILD_FLEET_SOCKET, which set-uid programs ignore, or the usual one. */
const char *fleet_socket_path(void);

/*
 * Returns a sentence without a full stop that says on which other host the VM is, to be freed by
 * the caller. Returns NULL if it is on this host, if nobody can tell, or if out of memory. Waits at
 * most 2 seconds.
 *
 * machine: a name or a whole GUID.
 * program: the program to be run there.
 */
char *fleet_note(const char *machine, const char *program);

typedef enum FleetPlace {
	FLEET_UNKNOWN,
	FLEET_HERE,
	FLEET_ELSEWHERE,
	FLEET_UNREACHABLE, /* on another host, which has gone */
} FleetPlace;

/*
 * The search for a VM that has just ended on this host, perhaps because it has moved. The fleet may
 * notice that a little later, so the search goes on for 3 seconds. It never blocks.
 */
typedef struct FleetMove {
	const char *guid;   /* of the VM; not owned */
	struct vail *fleet; /* that is asked now; NULL between two questions */
	bool is_answered;
	int64_t at; /* end of the wait for an answer or for the next question, on CLOCK_MONOTONIC */
	int64_t end; /* of the search, likewise in milliseconds; 0 if it has ended */
	FleetPlace place;
	char *host; /* if it is another one */
} FleetMove;

/* Begins a search. The caller calls fleet_move_deinit(). One that is all zero has ended. */
void fleet_move_begin(FleetMove *move, const char *guid);
void fleet_move_deinit(FleetMove *move);

/* Continues the search. Returns true if it has ended. */
bool fleet_move_process(FleetMove *move);

/* Fills in what to poll for. Returns until when, in milliseconds; INT64_MAX if it has ended. */
int64_t fleet_move_poll_for(const FleetMove *move, struct pollfd *ret);

/* Waits until the search has ended, at most 3 seconds. */
void fleet_move_finish(FleetMove *move);

/*
 * Returns where the VM is, as fleet_note() does, once the search has ended.
 *
 * machine: the name for it in the sentence.
 */
char *fleet_move_note(const FleetMove *move, const char *machine, const char *program);

#endif
