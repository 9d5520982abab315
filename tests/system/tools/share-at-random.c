/* SPDX-License-Identifier: MIT */
/*
 * share-at-random SOCKET DAEMON-PID SEED STEPS: processes of several users share, open, close,
 * unshare, register, exit and are killed, at random, and a naive model says after each step what
 * was to be answered, and which descriptors each of them is to have, no more and no fewer. Where an
 * object ends while it is being opened, either answer is right, but only with what belongs to it.
 * Has to be root, and to find nothing shared. Prints what it saw, or what was wrong.
 */
#include <signal.h>
#include <time.h>

#include "sharing-play.h"

#define AUDIT_EVERY 64 /* steps */
#define RACERS_MAX  4

/* --- steps ----------------------------------------------------------------------------------- */

/* Any object that there is or was, rather one that there is. */
static unsigned int some_object(Play *play)
{
	unsigned int object = play_roll(play, MODEL_OBJECTS);

	for (unsigned int i = 0; i < MODEL_OBJECTS && play_roll(play, 8) > 0; i++)
		if (!play->model.objects[object].is_shared)
			object = (object + 1) % MODEL_OBJECTS;
	return object;
}

/* Any actor, as often as not one that may open the object. */
static unsigned int some_opener(Play *play, unsigned int object)
{
	unsigned int machine = play->model.objects[object].machine;
	unsigned int actor = play_roll(play, MODEL_ACTORS);

	if (play_roll(play, 2))
		return actor;
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		if (!play->model.registered[actor][machine])
			actor = (actor + 1) % MODEL_ACTORS;
	return actor;
}

/* Descriptors that came are closed by children, of which a user has so many at a time. */
static const Seen *share_patiently(Play *play, unsigned int actor, const Order *order)
{
	time_t deadline = time(NULL) + PLAY_PATIENCE;
	const Seen *seen;

	do
		seen = actor_do(&play->actors[actor], order);
	while (seen_is(seen, "STATUS_QUOTA_EXCEEDED") && time(NULL) <= deadline);
	return seen;
}

static void remember_object(Play *play, ModelObject *object, const Seen *seen, bool writes)
{
	static const char key[] = "\"handle\":\"";
	const char *handle = strstr(seen->reply, key);

	if (!handle)
		play_fail(play, "no handle: %s", seen->reply);
	snprintf(object->handle, sizeof(object->handle), "%s", handle + strlen(key));
	object->is_shared = true;
	for (unsigned int i = 0; i < object->planes; i++)
		object->memory[i] = (Arrived){ seen->shared[i].inode, writes ? O_RDWR : O_RDONLY };
}

static void step_share(Play *play, unsigned int object)
{
	ModelObject *it = &play->model.objects[object];
	unsigned int actor = play_roll(play, MODEL_SHARERS);
	unsigned int machine =
		play_roll(play, 8) > 0 ? actor % MODEL_MACHINES : play_roll(play, MODEL_MACHINES);
	bool writes = play_roll(play, 2), may = model_may_share(actor, machine);
	Order order = { .tag = object };

	order_to_share(&order, play_guid(machine), 1 + play_roll(play, ACTOR_PLANES_MAX), writes);
	const Seen *seen = share_patiently(play, actor, &order);
	play_check_status(play, actor, "share", seen,
			  may ? "STATUS_SUCCESS" : "STATUS_ACCESS_DENIED");
	if (!may)
		return;
	*it = (ModelObject){ .machine = machine, .sharer = actor, .planes = order.planes };
	remember_object(play, it, seen, writes);
}

static void step_open(Play *play)
{
	unsigned int object = some_object(play), actor = some_opener(play, object);
	const char *expected = model_open_status(&play->model, actor, object);
	const Seen *seen = play_ask(play, actor, "OpenSharedObject", object);

	play_check_status(play, actor, "open", seen, expected);
	play_check_arrived(play, actor, object, seen);
	play->seen.opened += seen_is(seen, "STATUS_SUCCESS");
	play->seen.refused += seen_is(seen, "STATUS_ACCESS_DENIED");
	play->seen.over += seen_is(seen, "STATUS_INVALID_HANDLE");
}

/* One that is held, by a holder of it, if there is one near. */
static void step_close(Play *play)
{
	unsigned int actor = play_roll(play, MODEL_ACTORS), object = some_object(play);
	Order drop = { .kind = ORDER_DROP, .tag = object };

	for (unsigned int i = 0; i < MODEL_ACTORS && play_roll(play, 8) > 0; i++)
		if (!play->model.objects[object].held_by[actor])
			actor = (actor + 1) % MODEL_ACTORS;
	const char *expected = model_close_status(&play->model, actor, object);
	play_check_status(play, actor, "close", play_ask(play, actor, "CloseSharedObject", object),
			  expected);
	if (strcmp(expected, "STATUS_SUCCESS") != 0)
		return;
	actor_do(&play->actors[actor], &drop);
	model_closed(&play->model, actor, object);
}

static void step_unshare(Play *play)
{
	unsigned int object = some_object(play);
	unsigned int actor = play_roll(play, 2) ? play->model.objects[object].sharer
						: play_roll(play, MODEL_ACTORS);
	const char *expected = model_unshare_status(&play->model, actor, object);

	play_check_status(play, actor, "unshare", play_ask(play, actor, "UnshareObject", object),
			  expected);
	if (strcmp(expected, "STATUS_SUCCESS") == 0)
		play->model.objects[object].is_shared = false;
}

static void step_register(Play *play)
{
	unsigned int actor = play_roll(play, MODEL_ACTORS),
		     machine = play_roll(play, MODEL_MACHINES);
	bool *registered = &play->model.registered[actor][machine];
	bool ends = play_roll(play, 4) == 0;
	const char *expected = ends ? model_unregister_status(&play->model, actor, machine)
				    : model_register_status(&play->model, actor, machine);

	play_check_status(play, actor, ends ? "unregister" : "register",
			  actor_ask(&play->actors[actor],
				    "{\"method\":\"io.vaild.%s\",\"parameters\":{"
				    "\"virtualMachineGuid\":\"%s\"}}",
				    ends ? "UnregisterVailProcess" : "RegisterVailProcess",
				    play_guid(machine)),
			  expected);
	if (strcmp(expected, "STATUS_SUCCESS") == 0)
		*registered = !ends;
}

/* --- ends, and what runs against them -------------------------------------------------------- */

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

/* Has others open what will end with this one, and does not wait for their answers. */
static Race race_begin(Play *play, unsigned int ending)
{
	size_t wanted = play_roll(play, RACERS_MAX + 1);
	Race race = { .count = 0 };

	while (race.count < wanted) {
		unsigned int object = some_object(play);
		Order order = { .tag = 0 };

		for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
			if (!model_ends_with(&play->model, object, ending))
				object = some_object(play);
		unsigned int actor = some_opener(play, object);
		if (actor == ending || actor == MODEL_OPERATOR || race_has(&race, actor))
			continue;
		play_order(play, &order, "OpenSharedObject", object);
		actor_tell(&play->actors[actor], &order);
		race.actors[race.count] = actor;
		race.objects[race.count++] = object;
	}
	/* The daemon has the longer or shorter to come to them. */
	for (unsigned int i = play_roll(play, RACERS_MAX); i > 0; i--)
		actor_ask(&play->actors[MODEL_OPERATOR],
			  "{\"method\":\"org.varlink.service.GetInfo\"}");
	return race;
}

/* As if it had come before the end, or after it. */
static void race_end(Play *play, const Race *race, unsigned int ending)
{
	for (size_t i = 0; i < race->count; i++) {
		unsigned int actor = race->actors[i], object = race->objects[i];
		bool ends = model_ends_with(&play->model, object, ending);
		const Seen *seen = actor_hear(&play->actors[actor]);

		if (!ends || !seen_is(seen, "STATUS_INVALID_HANDLE"))
			play_check_status(play, actor, "open against an end", seen,
					  model_open_status(&play->model, actor, object));
		play->seen.raced_opened += ends && seen_is(seen, "STATUS_SUCCESS");
		play->seen.raced_over += ends && seen_is(seen, "STATUS_INVALID_HANDLE");
		play_check_arrived(play, actor, object, seen);
	}
}

/* What ended with the actor is over for everyone, the operator among them. */
static void check_over(Play *play, const bool *ended)
{
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		if (ended[i])
			play_check_status(play, MODEL_OPERATOR, "open after an end",
					  play_ask(play, MODEL_OPERATOR, "OpenSharedObject", i),
					  "STATUS_INVALID_HANDLE");
}

static void step_end(Play *play, unsigned int actor)
{
	bool ended[MODEL_OBJECTS], is_killed = play_roll(play, 2);
	Order order = { .tag = 0 };

	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		ended[i] = model_ends_with(&play->model, i, actor);
	play_order(play, &order, "OpenSharedObject", some_object(play));
	Race race = race_begin(play, actor);
	if (is_killed && play_roll(play, 2)) /* it dies while it opens something itself */
		actor_tell(&play->actors[actor], &order);
	actor_end(&play->actors[actor], is_killed ? SIGKILL : 0);
	race_end(play, &race, actor);
	model_actor_ended(&play->model, actor);
	play_wait_until_gone(play, actor);
	check_over(play, ended);
	play_begin_actor(play, actor);
	if (actor < MODEL_MACHINES)
		play_begin_machine(play, actor);
	else if (actor < MODEL_SHARERS)
		play_begin_agent(play, actor - MODEL_MACHINES);
	play->seen.ended++;
}

/* --- all of it ------------------------------------------------------------------------------- */

static void step(Play *play)
{
	unsigned int die = play_roll(play, 100), object = play_roll(play, MODEL_OBJECTS);

	if (die < 25 && model_is_free(&play->model, object))
		step_share(play, object);
	else if (die < 60)
		step_open(play);
	else if (die < 75)
		step_close(play);
	else if (die < 82)
		step_unshare(play);
	else if (die < 96)
		step_register(play);
	else
		step_end(play, play_roll(play, MODEL_OPERATOR));
	play_look_at_all(play);
	if (play->step % AUDIT_EVERY == 0)
		play_audit(play);
}

static void begin(Play *play)
{
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		play_begin_actor(play, i);
	for (unsigned int i = 0; i < MODEL_MACHINES; i++)
		play_begin_machine(play, i);
	play->descriptors = count_descriptors(play->daemon_folder);
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		while (play->model.objects[i].handle[0] == '\0')
			step_share(play, i);
}

static void end(Play *play)
{
	play_audit(play);
	for (unsigned int i = 0; i < MODEL_ACTORS; i++)
		actor_end(&play->actors[i], i % 2 ? SIGKILL : 0);
	printf("seed %lu: %lu steps, %zu opened, %zu refused, %zu over; %zu descriptors arrived; "
	       "%zu ended, of opens against that %zu came first, %zu after\n",
	       play->seed, play->step, play->seen.opened, play->seen.refused, play->seen.over,
	       play->seen.descriptors, play->seen.ended, play->seen.raced_opened,
	       play->seen.raced_over);
}

int main(int argc, char **argv)
{
	static Play play;

	if (argc != 5)
		errx(2, "usage: share-at-random SOCKET DAEMON-PID SEED STEPS");
	play.socket = argv[1];
	snprintf(play.daemon_folder, sizeof(play.daemon_folder), "/proc/%lu/fd",
		 tool_number(argv[2]));
	play.random = play.seed = tool_number(argv[3]);
	unsigned long steps = tool_number(argv[4]);
	begin(&play);
	while (play.step < steps) {
		play.step++;
		step(&play);
	}
	end(&play);
	/* It is nothing to have seen nothing. */
	return play.seen.opened < steps / 20 || play.seen.refused < steps / 20 ||
	       play.seen.over < steps / 20 || play.seen.ended < steps / 50;
}
