/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAULTS_SCENARIO_H
#define TESTS_FAULTS_SCENARIO_H

#include "tests/support/fake-host.h"

/*
 * A sequence of requests in which every method of the daemon succeeds at least once. An operator's
 * watch is open meanwhile.
 */

typedef enum Who { ADMIN, MACHINE, CLIENT, STRANGER, WHO_MAX } Who;

typedef struct Step {
	Who who;
	const char *method;
	const char *parameters; /* $name stands for the last handle with that name in a reply */
	bool more;
	bool shares; /* sends the fd of a memfd */
} Step;

extern const Step steps[];
extern const size_t step_count;

/*
 * Numbers of steps after which persistent entities exist: first without, then with an adapter that
 * a connection has registered.
 */
#define RESTARTS 2
extern const size_t steps_before_restart[RESTARTS];

#define SLOTS_MAX 7

typedef struct Scenario {
	HostFixture fixture;
	FakeHost *fake_host;
	Caller *callers[WHO_MAX];
	char handles[SLOTS_MAX][64];
	Session watch;
	Session server; /* of ServeDisplays, if serves */
	bool serves;
} Scenario;

Scenario *scenario_new(void);

/*
 * Ends all processes and connections. Checks that nothing is charged, persisted or open then, and
 * frees the scenario.
 */
void scenario_free(Scenario *scenario);

/*
 * Sends the step's request and returns the status of the reply, or NULL if the connection was
 * closed without a reply.
 */
const char *scenario_send(Scenario *scenario, const Step *step);

/* Reads the watch. Opens it again if the daemon closed it. */
void scenario_listen(Scenario *scenario);

#endif
