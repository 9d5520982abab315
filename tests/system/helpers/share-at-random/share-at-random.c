/* SPDX-License-Identifier: MIT */
/*
 * share-at-random SOCKET DAEMON-PID SEED STEPS: compares the daemon with a simple model of sharing.
 * Processes of several users share, open, close and unshare objects, register, exit and are killed,
 * in random order. After each step the program checks the status of the reply, and exactly which
 * fds each process has. If an object ends while it is being opened, the open may succeed or fail,
 * but it must bring the object's fds or none.
 *
 * Must be started by root, while nothing is shared. Prints a line of counts and exits with 0, or
 * prints the first difference and exits with 1. It also exits with 1 if some case was too rare.
 */
#include <signal.h>
#include <time.h>

#include "tests/system/helpers/share-at-random/model-run.h"

#define AUDIT_EVERY 64 /* steps */
#define RACERS_MAX  4

/* --- steps ----------------------------------------------------------------------------------- */

/* Picks an object, preferably one that is shared now. */
static unsigned int some_object(ModelRun *run)
{
	unsigned int object = run_draw(run, MODEL_OBJECTS);

	for (unsigned int i = 0; i < MODEL_OBJECTS && run_draw(run, 8) > 0; i++)
		if (!run->model.objects[object].is_shared)
			object = (object + 1) % MODEL_OBJECTS;
	return object;
}

/* Picks an actor, at least every second time one that may open the object. */
static unsigned int some_opener(ModelRun *run, unsigned int object)
{
	unsigned int machine = run->model.objects[object].machine;
	unsigned int actor = run_draw(run, MODEL_ACTORS);

	if (run_draw(run, 2))
		return actor;
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		if (!run->model.registered[actor][machine])
			actor = (actor + 1) % MODEL_ACTORS;
	return actor;
}

/*
 * Shares an object. Tries again while the daemon has too many children of this user that close
 * discarded fds.
 */
static const ActorReport *share_with_retry(ModelRun *run, unsigned int actor,
					   const ActorCommand *command)
{
	time_t deadline = time(NULL) + HELPER_HANG_SECONDS;
	const ActorReport *report;

	do
		report = actor_execute(&run->actors[actor], command);
	while (report_has_status(report, "STATUS_QUOTA_EXCEEDED") && time(NULL) <= deadline);
	return report;
}

static void remember_object(ModelRun *run, ModelObject *object, const ActorReport *report,
			    bool writes)
{
	static const char key[] = "\"handle\":\"";
	const char *handle = strstr(report->reply, key);

	if (!handle)
		run_fail(run, "the reply has no handle: %s", report->reply);
	snprintf(object->handle, sizeof(object->handle), "%s", handle + strlen(key));
	object->is_shared = true;
	for (unsigned int i = 0; i < object->planes; i++)
		object->memory[i] =
			(Arrived){ report->shared[i].inode, writes ? O_RDWR : O_RDONLY };
}

static void step_share(ModelRun *run, unsigned int object)
{
	ModelObject *it = &run->model.objects[object];
	unsigned int actor = run_draw(run, MODEL_SHARERS);
	unsigned int machine =
		run_draw(run, 8) > 0 ? actor % MODEL_MACHINES : run_draw(run, MODEL_MACHINES);
	bool writes = run_draw(run, 2), may = model_may_share(actor, machine);
	ActorCommand command = { .tag = object };

	command_share(&command, run_guid(machine), 1 + run_draw(run, ACTOR_PLANES_MAX), writes);
	const ActorReport *report = share_with_retry(run, actor, &command);
	run_check_status(run, actor, "share", report,
			 may ? "STATUS_SUCCESS" : "STATUS_ACCESS_DENIED");
	if (!may)
		return;
	*it = (ModelObject){ .machine = machine, .sharer = actor, .planes = command.planes };
	remember_object(run, it, report, writes);
}

static void step_open(ModelRun *run)
{
	unsigned int object = some_object(run), actor = some_opener(run, object);
	const char *expected = model_open_status(&run->model, actor, object);
	const ActorReport *report = run_request(run, actor, "OpenSharedObject", object);

	run_check_status(run, actor, "open", report, expected);
	run_check_arrived(run, actor, object, report);
	run->counts.opened += report_has_status(report, "STATUS_SUCCESS");
	run->counts.refused += report_has_status(report, "STATUS_ACCESS_DENIED");
	run->counts.ended_objects += report_has_status(report, "STATUS_INVALID_HANDLE");
}

/* Closes an object, preferably one that is shared, as an actor that preferably holds it. */
static void step_close(ModelRun *run)
{
	unsigned int actor = run_draw(run, MODEL_ACTORS), object = some_object(run);
	ActorCommand close_fds = { .kind = ACTOR_CLOSE, .tag = object };

	for (unsigned int i = 0; i < MODEL_ACTORS && run_draw(run, 8) > 0; i++)
		if (!run->model.objects[object].held_by[actor])
			actor = (actor + 1) % MODEL_ACTORS;
	const char *expected = model_close_status(&run->model, actor, object);
	run_check_status(run, actor, "close", run_request(run, actor, "CloseSharedObject", object),
			 expected);
	if (strcmp(expected, "STATUS_SUCCESS") != 0)
		return;
	actor_execute(&run->actors[actor], &close_fds);
	model_closed(&run->model, actor, object);
}

static void step_unshare(ModelRun *run)
{
	unsigned int object = some_object(run);
	unsigned int actor =
		run_draw(run, 2) ? run->model.objects[object].sharer : run_draw(run, MODEL_ACTORS);
	const char *expected = model_unshare_status(&run->model, actor, object);

	run_check_status(run, actor, "unshare", run_request(run, actor, "UnshareObject", object),
			 expected);
	if (strcmp(expected, "STATUS_SUCCESS") == 0)
		run->model.objects[object].is_shared = false;
}

static void step_register(ModelRun *run)
{
	unsigned int actor = run_draw(run, MODEL_ACTORS), machine = run_draw(run, MODEL_MACHINES);
	bool *registered = &run->model.registered[actor][machine];
	bool ends = run_draw(run, 4) == 0;
	const char *expected = ends ? model_unregister_status(&run->model, actor, machine)
				    : model_register_status(&run->model, actor, machine);

	run_check_status(run, actor, ends ? "unregister" : "register",
			 actor_request(&run->actors[actor],
				       "{\"method\":\"io.vaild.%s\",\"parameters\":{"
				       "\"virtualMachineGuid\":\"%s\"}}",
				       ends ? "UnregisterVailProcess" : "RegisterVailProcess",
				       run_guid(machine)),
			 expected);
	if (strcmp(expected, "STATUS_SUCCESS") == 0)
		*registered = !ends;
}

/* --- ends of actors -------------------------------------------------------------------------- */

/* Requests to open objects that are sent just before the objects end. */
typedef struct Race {
	size_t count;
	unsigned int actors[RACERS_MAX], objects[RACERS_MAX];
} Race;

static bool race_has(const Race *race, unsigned int actor)
{
	for (size_t i = 0; i < race->count; i++)
		if (race->actors[i] == actor)
			return true;
	return false;
}

/* Makes other actors open objects that end with this actor, without waiting for the replies. */
static Race race_begin(ModelRun *run, unsigned int ending)
{
	size_t wanted = run_draw(run, RACERS_MAX + 1);
	Race race = { .count = 0 };

	while (race.count < wanted) {
		unsigned int object = some_object(run);
		ActorCommand command = { .tag = 0 };

		for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
			if (!model_ends_with(&run->model, object, ending))
				object = some_object(run);
		unsigned int actor = some_opener(run, object);
		if (actor == ending || actor == MODEL_OPERATOR || race_has(&race, actor))
			continue;
		run_fill_request(run, &command, "OpenSharedObject", object);
		actor_send(&run->actors[actor], &command);
		race.actors[race.count] = actor;
		race.objects[race.count++] = object;
	}
	/*
	 * Give the daemon some time, so that some requests arrive before the end and some after it.
	 */
	for (unsigned int i = run_draw(run, RACERS_MAX); i > 0; i--)
		actor_request(&run->actors[MODEL_OPERATOR],
			      "{\"method\":\"org.varlink.service.GetInfo\"}");
	return race;
}

/* Checks the replies. Each must be right for a request before the end or after it. */
static void race_end(ModelRun *run, const Race *race, unsigned int ending)
{
	for (size_t i = 0; i < race->count; i++) {
		unsigned int actor = race->actors[i], object = race->objects[i];
		bool ends = model_ends_with(&run->model, object, ending);
		const ActorReport *report = actor_receive(&run->actors[actor]);

		if (!ends || !report_has_status(report, "STATUS_INVALID_HANDLE"))
			run_check_status(run, actor, "open during an end", report,
					 model_open_status(&run->model, actor, object));
		run->counts.raced_opened += ends && report_has_status(report, "STATUS_SUCCESS");
		run->counts.raced_ended +=
			ends && report_has_status(report, "STATUS_INVALID_HANDLE");
		run_check_arrived(run, actor, object, report);
	}
}

/* Checks that the operator cannot open objects that have ended with the actor. */
static void check_ended(ModelRun *run, const bool *ended)
{
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		if (ended[i])
			run_check_status(run, MODEL_OPERATOR, "open after an end",
					 run_request(run, MODEL_OPERATOR, "OpenSharedObject", i),
					 "STATUS_INVALID_HANDLE");
}

static void step_end(ModelRun *run, unsigned int actor)
{
	bool ended[MODEL_OBJECTS], is_killed = run_draw(run, 2);
	ActorCommand command = { .tag = 0 };

	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		ended[i] = model_ends_with(&run->model, i, actor);
	run_fill_request(run, &command, "OpenSharedObject", some_object(run));
	Race race = race_begin(run, actor);
	if (is_killed && run_draw(run, 2)) /* kill it while it opens an object */
		actor_send(&run->actors[actor], &command);
	actor_end(&run->actors[actor], is_killed ? SIGKILL : 0);
	race_end(run, &race, actor);
	model_actor_ended(&run->model, actor);
	run_wait_until_gone(run, actor);
	check_ended(run, ended);
	run_start_actor(run, actor);
	if (actor < MODEL_MACHINES)
		run_register_machine(run, actor);
	else if (actor < MODEL_SHARERS)
		run_update_agent(run, actor - MODEL_MACHINES);
	run->counts.ended++;
}

/* --- the program ----------------------------------------------------------------------------- */

static void step(ModelRun *run)
{
	unsigned int die = run_draw(run, 100), object = run_draw(run, MODEL_OBJECTS);

	if (die < 25 && model_is_free(&run->model, object))
		step_share(run, object);
	else if (die < 60)
		step_open(run);
	else if (die < 75)
		step_close(run);
	else if (die < 82)
		step_unshare(run);
	else if (die < 96)
		step_register(run);
	else
		step_end(run, run_draw(run, MODEL_OPERATOR));
	run_check_actors(run);
	if (run->step % AUDIT_EVERY == 0)
		run_audit(run);
}

static void begin(ModelRun *run)
{
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		run_start_actor(run, i);
	for (unsigned int i = 0; i < MODEL_MACHINES; i++)
		run_register_machine(run, i);
	run->fds = count_fds(run->daemon_folder);
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		while (run->model.objects[i].handle[0] == '\0')
			step_share(run, i);
}

static void end(ModelRun *run)
{
	run_audit(run);
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		actor_end(&run->actors[i], i % 2 ? SIGKILL : 0);
	printf("seed %lu: %lu steps; opens: %zu succeeded, %zu were denied, %zu found an ended "
	       "object; "
	       "%zu fds received; %zu actors ended; opens meanwhile: %zu succeeded, %zu failed\n",
	       run->seed, run->step, run->counts.opened, run->counts.refused,
	       run->counts.ended_objects, run->counts.fds, run->counts.ended,
	       run->counts.raced_opened, run->counts.raced_ended);
}

int main(int argc, char **argv)
{
	static ModelRun run;

	if (argc != 5)
		errx(2, "usage: share-at-random SOCKET DAEMON-PID SEED STEPS");
	run.socket = argv[1];
	snprintf(run.daemon_folder, sizeof(run.daemon_folder), "/proc/%lu/fd",
		 helper_number(argv[2]));
	run.random = run.seed = helper_number(argv[3]);
	unsigned long steps = helper_number(argv[4]);
	begin(&run);
	while (run.step < steps) {
		run.step++;
		step(&run);
	}
	end(&run);
	/* Fail if the run did not test enough. */
	return run.counts.opened < steps / 20 || run.counts.refused < steps / 20 ||
	       run.counts.ended_objects < steps / 20 || run.counts.ended < steps / 50;
}
