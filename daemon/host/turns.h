/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_TURNS_H
#define DAEMON_HOST_TURNS_H

#include <event2/event_struct.h>

#include "daemon/core/host.h"
#include "daemon/core/tree.h"

/*
 * Divides the time of the event loop between owners.
 *
 * An owner is whoever the time is charged to: a user, the operators of a uid, or the daemon itself.
 * It has a queue of tasks, such as connections with requests. The owner that has used the least
 * time goes next, and has one turn: its tasks run one after another until the turn ends. A task is
 * never interrupted, so a turn lasts TURN_MICROSECONDS and the rest of the last task's work.
 *
 * An owner that was idle continues with the time of the owner whose turn it is: it goes next, but
 * has saved up nothing. It therefore waits for one turn of a busy owner, however many owners and
 * tasks are waiting. Time that an owner has used beyond the others stays charged to it until the
 * others have used as much, or until nobody waits.
 *
 * Owners are charged for CPU time. Reading it is a system call, so a short turn is charged with its
 * real time, and only a long one with its CPU time: it may be long because other programs ran.
 */

#define TURN_MICROSECONDS 200

typedef struct Task Task;
typedef struct TurnOwner TurnOwner;

/*
 * Embedded in whatever has work to do. The function run works in small pieces and stops when
 * turns_has_ended(). It returns true to stay in the queue, behind the owner's other tasks.
 */
struct Task {
	bool (*run)(Task *task);
	TurnOwner *owner; /* while queued, else NULL */
	TAILQ_ENTRY(Task) link;
};

#define TASK_INIT(function) ((Task){ .run = (function) })

struct TurnOwner {
	TAILQ_HEAD(, Task) tasks;
	uint64_t used;  /* time, in microseconds, comparable between owners */
	uint64_t order; /* among owners that have used the same; the lowest waits longest */
	RB_ENTRY(TurnOwner) by_used;
};

typedef RB_HEAD(TurnOwnerTree, TurnOwner) TurnOwnerTree;

typedef struct Turns {
	const Host *host;                /* provides the clock that ends turns */
	uint64_t (*read_cpu_time)(void); /* in microseconds; tests replace it */
	TurnOwnerTree waiting;           /* owners with tasks */
	TurnOwner *serving;              /* the owner whose turn it is, or NULL */
	Task *running; /* the task that runs, or NULL if there is none or it has ended */
	uint64_t used; /* an owner that was idle begins with this; never decreases */
	uint64_t most; /* the most that any owner has used */
	uint64_t last_order;
	uint64_t ends;     /* end of the turn, in microseconds on the host's clock */
	uint64_t cpu_time; /* when it was read last, at the end of a long turn */
	uint64_t charged;  /* for the turns since then */
	struct event event;
} Turns;

void turns_init(Turns *turns, struct event_base *base, const Host *host);
void turns_deinit(Turns *turns);

void turn_owner_init(TurnOwner *owner);

/*
 * Tests whether the owner can be forgotten: it has no task, it is not being served, and it has used
 * no more than the others.
 */
bool turn_owner_is_even(const Turns *turns, const TurnOwner *owner);

/* Adds the task to the owner's queue, unless it is queued already. It runs in a later turn. */
void turns_queue(Turns *turns, TurnOwner *owner, Task *task);

/* Takes the task out of its queue. A task may do so while it runs, and is then not queued again. */
void turns_remove(Turns *turns, Task *task);

/* Tests whether the turn has lasted long enough. */
bool turns_has_ended(const Turns *turns);

/* Gives one owner its turn. Returns false if no task is queued. Called by the event, and by tests.
 */
bool turns_serve_one(Turns *turns);

#endif
