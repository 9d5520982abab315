/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_FAULTY_SCENARIO_H
#define SYSTEM_FAULTY_SCENARIO_H

#include "daemon-picture.h"

/* What happens in each run: real processes that make everything that lasts, and take it away. */

#define HANDLE_SIZE 33

/* What everybody is answered. */
#define GET_INFO "{\"method\":\"org.varlink.service.GetInfo\"}"

typedef enum Slot {
	SLOT_FIRST, /* an object by its name */
	SLOT_SECOND,
	SLOT_PROCESS, /* the client's GPU process */
	SLOT_VIRTUAL_GPU,
	SLOT_CONTEXT,
	SLOT_MAX
} Slot;

typedef enum StepKind {
	STEP_BEGIN, /* the process is started, and connects */
	STEP_ASK,
	STEP_SHARE,
	STEP_KILL, /* the process ends */
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
extern const size_t scenario_steps_before_restart; /* then there is something of everything */

#define SCENARIO_STEPS_MAX 48

typedef struct Scenario {
	TracedDaemon *daemon;
	Cast cast;
	char handles[SLOT_MAX][HANDLE_SIZE];
} Scenario;

typedef enum Outcome {
	OUTCOME_SUCCESS,
	OUTCOME_REFUSED,   /* with a status */
	OUTCOME_LOST,      /* the connection ended without an answer, or took no request */
	OUTCOME_NO_HANDLE, /* an answer that was lost had a handle that cannot be found out */
} Outcome;

/* *ret_answer: the status, or what came instead; good until the next. */
Outcome scenario_play(Scenario *scenario, const Step *step, const char **ret_answer);

/* Everybody who is there connects anew, and is answered. */
void scenario_reconnect(Scenario *scenario);

/* All processes end, and no quarantine is left. */
void scenario_clear(Scenario *scenario);

#endif
