/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_SHARING_PLAY_H
#define SYSTEM_SHARING_PLAY_H

#include "sharing-model.h"

/* Real processes beside the model of them, and what holds the one against the other. Whatever is
 * not as it is to be ends the program, with the seed and the step. */

#define PLAY_PATIENCE 10 /* seconds, for what the daemon hears of by itself */

typedef struct Play {
	const char *socket;
	char daemon_folder[40]; /* of what it has open */
	unsigned long seed, step;
	uint64_t random;
	Model model;
	Actor actors[MODEL_ACTORS];
	size_t descriptors; /* that the daemon has open while nothing is shared */
	struct {
		size_t opened, refused, over, descriptors, ended, raced_opened, raced_over;
	} seen;
} Play;

unsigned int play_roll(Play *play, unsigned int sides); /* 0 to sides - 1 */

_Noreturn void play_fail(const Play *play, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Starts the process and makes its graphics context; registers the VM of that VMM, with its agent,
 * or tells it of a new agent. */
void play_begin_actor(Play *play, unsigned int actor);
void play_begin_machine(Play *play, unsigned int machine);
void play_begin_agent(Play *play, unsigned int machine);
const char *play_guid(unsigned int machine);

/* A request about an object. */
void play_order(const Play *play, Order *order, const char *method, unsigned int object);
const Seen *play_ask(const Play *play, unsigned int actor, const char *method, unsigned int object);

bool seen_is(const Seen *seen, const char *status);
void play_check_status(const Play *play, unsigned int actor, const char *what, const Seen *seen,
		       const char *expected);

/* Of an answer to OpenSharedObject: what arrived is all that belongs to the object, as it was
 * shared, and is the actor's now; or it is nothing. */
void play_check_arrived(Play *play, unsigned int actor, unsigned int object, const Seen *seen);

/* Until the daemon has heard of the end of an actor, which has no successor yet. */
void play_wait_until_gone(const Play *play, unsigned int actor);

/* Nobody has a descriptor, or anything else, that was not to arrive. */
void play_look_at_all(const Play *play);

/* The daemon lists what is shared and who holds it as the model has it, and has no descriptor open
 * that does not belong to that, once its children have closed what they were given. */
void play_audit(const Play *play);

#endif
