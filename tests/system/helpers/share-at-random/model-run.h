/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYSTEM_HELPERS_SHARE_AT_RANDOM_MODEL_RUN_H
#define TESTS_SYSTEM_HELPERS_SHARE_AT_RANDOM_MODEL_RUN_H

#include "tests/system/helpers/share-at-random/sharing-model.h"

/*
 * A run of share-at-random: the real processes, the model of them, and functions that compare both.
 * They print the first difference with the seed and the step, and exit.
 */

typedef struct ModelRun {
	const char *socket;
	char daemon_folder[40]; /* the daemon's /proc/PID/fd */
	unsigned long seed, step;
	uint64_t random;
	Model model;
	Actor actors[MODEL_ACTORS];
	size_t fds; /* fds that the daemon has open while nothing is shared */
	struct {
		size_t opened, refused, ended_objects, fds, ended, raced_opened, raced_ended;
	} counts;
} ModelRun;

/* Draws a random number below the limit. */
unsigned int run_draw(ModelRun *run, unsigned int limit);

_Noreturn void run_fail(const ModelRun *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Starts the actor's process and creates a context for it. */
void run_start_actor(ModelRun *run, unsigned int actor);

/* Registers the VM with its VMM and agent, and assigns it a vGPU. */
void run_register_machine(ModelRun *run, unsigned int machine);

/* Registers a new process as the agent of the VM. */
void run_update_agent(ModelRun *run, unsigned int machine);

const char *run_guid(unsigned int machine);

/* Fill in, or send, a request with the object's handle. */
void run_fill_request(const ModelRun *run, ActorCommand *command, const char *method,
		      unsigned int object);
const ActorReport *run_request(const ModelRun *run, unsigned int actor, const char *method,
			       unsigned int object);

/* Compare the status of a reply; run_check_status() fails if it differs. */
bool report_has_status(const ActorReport *report, const char *status);
void run_check_status(const ModelRun *run, unsigned int actor, const char *what,
		      const ActorReport *report, const char *expected);

/*
 * Checks the fds that came with a reply to OpenSharedObject: all those of the object with the right
 * access if it succeeded, none if it failed. Updates the model.
 */
void run_check_arrived(ModelRun *run, unsigned int actor, unsigned int object,
		       const ActorReport *report);

/* Waits until the daemon has noticed the end of an actor. Call it before starting a new one. */
void run_wait_until_gone(const ModelRun *run, unsigned int actor);

/* Checks that no actor has an unexpected fd or unexpected data on its connection. */
void run_check_actors(const ModelRun *run);

/*
 * Checks that the daemon lists the same objects and holders as the model, and has exactly the fds
 * of these objects open. Waits until its children have closed discarded fds.
 */
void run_audit(const ModelRun *run);

#endif
