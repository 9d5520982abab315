/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_FAIL_CALLS_FAULTY_SCENARIO_H
#define TESTS_SYSTEM_HELPERS_FAIL_CALLS_FAULTY_SCENARIO_H

#include "tests/system/helpers/fail-calls/daemon-snapshot.h"

/* The scenario of each run: real processes create and remove entities of every persistent kind. */

#define HANDLE_SIZE 33

/* A request that every caller may send. */
#define GET_INFO "{\"method\":\"org.varlink.service.GetInfo\"}"

typedef enum Slot {
	SLOT_FIRST, /* the shared object with the name "first" */
	SLOT_SECOND,
	SLOT_PROCESS, /* the client's GPU process */
	SLOT_VIRTUAL_GPU,
	SLOT_CONTEXT,
	SLOT_MAX
} Slot;

typedef enum StepKind {
	STEP_START, /* starts and connects the process */
	STEP_ASK,
	STEP_SHARE,
	STEP_KILL, /* kills the process */
} StepKind;

typedef struct Step {
	StepKind kind;
	Role role;
	const char *method;
	const char *parameters;
	unsigned int planes, memories;
} Step;

extern const Step scenario_steps[];
extern const size_t scenario_step_count;
extern const size_t scenario_steps_before_restart; /* then entities of all kinds exist */

#define SCENARIO_STEPS_MAX 48

typedef struct Scenario {
	TracedDaemon *daemon;
	Actor actors[ROLE_MAX];
	char handles[SLOT_MAX][HANDLE_SIZE];
} Scenario;

typedef enum Outcome {
	OUTCOME_SUCCESS,
	OUTCOME_REFUSED,   /* the reply has an error status */
	OUTCOME_LOST,      /* the connection ended before the reply */
	OUTCOME_NO_HANDLE, /* the step needs a handle from a lost reply */
} Outcome;

/*
 * Executes a step. *ret_answer is the status of the reply, or "closed" or "silent"; it is valid
 * until the next call.
 */
Outcome scenario_execute(Scenario *scenario, const Step *step, const char **ret_answer);

/* Reconnects all running actors and checks that they get replies. */
void scenario_reconnect(Scenario *scenario);

/* Ends all actors and lifts the quarantine. */
void scenario_clear(Scenario *scenario);

#endif
