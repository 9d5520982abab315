/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_ENDING_H
#define DAEMON_CORE_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/core/tree.h"

/*
 * The daemon ends a VM, and all that depends on an exited process, in slices. One part takes some
 * microseconds, because watches and the log are notified, and there can be thousands of parts.
 *
 * No request sees half of an end. As soon as a VM begins to end, no request finds it or
 * anything that belongs to it, and no list has them. The GUID stays taken until the end is
 * complete. The parts then end one after another, and the VM last. Watches hear of each in that
 * order, at the time when it ends. A watch that begins later hears of none. A process exits without
 * asking, so nobody can tell whether the daemon has noticed the exit: what depended on the process
 * ends one by one.
 *
 * The registrations of a running VM can end in the same way (daemon/core/vm-prune.c). Lists leave
 * out those that are going to end, but the VM's number of registrations falls one by one, because
 * nobody knows how many match until all were compared.
 *
 * Display channels are shut down at once, because nobody may go on to send input, and no request
 * finds them any more. The rest of their ends is made before everything else.
 *
 * What is ending is charged until it has ended. A request that a limit refuses meanwhile therefore
 * waits for the ends that had begun before it (request_await_ends() in daemon/api). It
 * compares their numbers, because an end can overtake others.
 *
 * Ends are made in the order in which they began, but a VM that ends because its VMM has exited
 * ends before the rest of that process. After a crash or a restart, a restore drops what is left:
 * the record of the VM was removed first, and the process is dead.
 */
typedef struct Broker Broker;
typedef struct Ending Ending;

/*
 * Ends one part and returns true. If no part is left, calls ending_leave(), frees the whole and
 * returns false.
 */
typedef bool EndingStep(Broker *broker, Ending *ending);

/* Embedded in everything that ends in slices. Zero unless its end is under way. */
struct Ending {
	EndingStep *step;
	uint64_t number; /* rises with each end that begins */
	TAILQ_ENTRY(Ending) link;
	TAILQ_ENTRY(Ending) by_age;
};

/* Everything that is ending, in the order in which it ends. */
typedef struct Endings {
	TAILQ_HEAD(EndingQueue, Ending) queue;
	TAILQ_HEAD(, Ending) by_age; /* the same, in the order in which they began */
	uint64_t begun;              /* number of the newest end; 0 before the first one */
} Endings;

/* Time that a request or a turn may spend on ends, in microseconds. The last step may exceed it. */
#define ENDING_MICROSECONDS 100

void endings_init(Endings *endings);

static inline bool ending_has_begun(const Ending *ending)
{
	return ending->step;
}

/* Begins an end, unless it has begun already. It is made by the functions below. */
void ending_begin(Broker *broker, Ending *ending, EndingStep *step);

/* Lets an end that has begun go before all others. */
void ending_hasten(Broker *broker, Ending *ending);

/* Takes an end out of the queue. Only its last step calls this. */
void ending_leave(Broker *broker, Ending *ending);

/* Completes an end that has begun, however long that takes. */
void ending_complete(Broker *broker, Ending *ending);

/*
 * Makes ends that have begun, until they are complete or the time has passed. Returns whether any
 * are left. Any VM, process, registration or object can be gone afterwards, so the calling code
 * finds those that it needs again. Handlers of requests leave this call to dispatch().
 */
bool broker_end_some(Broker *broker, uint64_t microseconds);
bool broker_has_endings(const Broker *broker);

/* Tests whether ends are left whose number is at most this one. */
bool broker_has_endings_until(const Broker *broker, uint64_t number);

#endif
