/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SCENARIO_H
#define TESTS_SCENARIO_H

#include "fake-host.h"

/*
 * One request after the other, so that each method of the table succeeds at least once. While they
 * are sent, an operator watches.
 */

typedef enum Who { ADMIN, MACHINE, CLIENT, STRANGER, WHO_MAX } Who;

typedef struct Step {
	Who who;
	const char *method;
	const char
		*parameters; /* $name is the handle that a reply has last given under that name */
	bool more;
	bool shares; /* comes with memory */
} Step;

extern const Step steps[];
extern const size_t step_count;

/* From the first step on, with what outlives a restart in it: without an adapter that a connection
 * has registered, and with one. */
#define RESTARTS 2
extern const size_t steps_before_restart[RESTARTS];

#define SLOTS_MAX 6

typedef struct Scenario {
	Cast cast;
	World *world;
	Caller *callers[WHO_MAX];
	char handles[SLOTS_MAX][64];
	Session watch;
} Scenario;

Scenario *scenario_new(void);

/* Everybody goes, and with them all that they had: nothing is charged then, kept, watched or open.
 */
void scenario_free(Scenario *scenario);

/* Sends the step's request, and returns the status of the reply; NULL: the connection was ended
 * without one. The watch hears of what happened. */
const char *scenario_send(Scenario *scenario, const Step *step);

/* The watch reads. Where it was dropped, it begins anew. */
void scenario_listen(Scenario *scenario);

#endif
