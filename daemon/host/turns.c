/* SPDX-License-Identifier: MIT */
#include "daemon/host/turns.h"

#include <assert.h>
#include <event2/event.h>
#include <time.h>

static int compare_owners(const TurnOwner *a, const TurnOwner *b)
{
	int order = compare_numbers(a->used, b->used);

	return order != 0 ? order : compare_numbers(a->order, b->order);
}

TREE_GENERATE(TurnOwnerTree, TurnOwner, by_used, compare_owners)

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	/* The loop handles timeouts behind the events that it has just found. */
	static const struct timeval after_events = { 0 };
	Turns *turns = context;

	(void)fd;
	(void)what;
	turns_serve_one(turns);
	if (RB_EMPTY(&turns->waiting))
		return;
	if (event_add(&turns->event, &after_events) < 0) /* out of memory */
		event_active(&turns->event, EV_TIMEOUT, 0);
}

static uint64_t read_cpu_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

void turns_init(Turns *turns, struct event_base *base, const Host *host)
{
	*turns = (Turns){
		.host = host,
		.read_cpu_time = read_cpu_time,
		.waiting = RB_INITIALIZER(&turns->waiting),
	};
	event_assign(&turns->event, base, -1, 0, on_turn, turns);
	event_priority_set(&turns->event, 1);
}

void turns_deinit(Turns *turns)
{
	assert(RB_EMPTY(&turns->waiting));
	event_del(&turns->event);
}

void turn_owner_init(TurnOwner *owner)
{
	*owner = (TurnOwner){ 0 };
	TAILQ_INIT(&owner->tasks);
}

bool turn_owner_is_even(const Turns *turns, const TurnOwner *owner)
{
	return TAILQ_EMPTY(&owner->tasks) && turns->serving != owner && owner->used <= turns->used;
}

/* Lets the owner wait for its turn, behind those that have used as much. */
static void wait_for_turn(Turns *turns, TurnOwner *owner)
{
	if (owner->used < turns->used)
		owner->used = turns->used;
	owner->order = ++turns->last_order;
	RB_INSERT(TurnOwnerTree, &turns->waiting, owner);
}

void turns_queue(Turns *turns, TurnOwner *owner, Task *task)
{
	bool was_idle = TAILQ_EMPTY(&owner->tasks);

	if (task->owner)
		return;
	task->owner = owner;
	TAILQ_INSERT_TAIL(&owner->tasks, task, link);
	if (!was_idle || turns->serving == owner)
		return;
	if (RB_EMPTY(&turns->waiting) && !turns->serving)
		event_active(&turns->event, EV_TIMEOUT, 0);
	wait_for_turn(turns, owner);
}

void turns_remove(Turns *turns, Task *task)
{
	TurnOwner *owner = task->owner;

	if (turns->running == task)
		turns->running = NULL;
	if (!owner)
		return;
	TAILQ_REMOVE(&owner->tasks, task, link);
	task->owner = NULL;
	if (TAILQ_EMPTY(&owner->tasks) && turns->serving != owner)
		RB_REMOVE(TurnOwnerTree, &turns->waiting, owner);
}

static uint64_t now(const Turns *turns)
{
	return turns->host->now(turns->host->self);
}

bool turns_has_ended(const Turns *turns)
{
	return now(turns) >= turns->ends;
}

/* Runs the owner's first task, which may end or queue any task, itself included. */
static void run_first(Turns *turns, TurnOwner *owner)
{
	Task *task = TAILQ_FIRST(&owner->tasks);

	turns_remove(turns, task);
	turns->running = task;
	bool goes_on = task->run(task);
	if (goes_on && turns->running == task)
		turns_queue(turns, owner, task);
	turns->running = NULL;
}

/*
 * Returns the CPU time of a turn that has taken longer than a turn should. That is the loop's CPU
 * time since it was read last, without what was charged for the turns since then.
 */
static uint64_t read_time_of_turn(Turns *turns, uint64_t real_time)
{
	uint64_t cpu_time = turns->read_cpu_time();
	uint64_t used = cpu_time - turns->cpu_time, charged = turns->charged;

	turns->cpu_time = cpu_time;
	turns->charged = 0;
	used = used > charged ? used - charged : 1;
	return used < real_time ? used : real_time;
}

/* Ends the turn and charges its time. If nobody waits, all owners are even from now on. */
static void end_turn(Turns *turns, TurnOwner *owner, uint64_t begin)
{
	uint64_t time = now(turns) - begin;

	turns->serving = NULL;
	if (time > TURN_MICROSECONDS)
		time = read_time_of_turn(turns, time);
	else
		turns->charged += time;
	owner->used += time;
	if (owner->used > turns->most)
		turns->most = owner->used;
	if (!TAILQ_EMPTY(&owner->tasks))
		wait_for_turn(turns, owner);
	else if (RB_EMPTY(&turns->waiting))
		turns->used = turns->most;
}

bool turns_serve_one(Turns *turns)
{
	TurnOwner *owner = RB_MIN(TurnOwnerTree, &turns->waiting);

	if (!owner)
		return false;
	RB_REMOVE(TurnOwnerTree, &turns->waiting, owner);
	turns->serving = owner;
	turns->used = owner->used;
	uint64_t begin = now(turns);
	turns->ends = begin + TURN_MICROSECONDS;
	do
		run_first(turns, owner);
	while (!TAILQ_EMPTY(&owner->tasks) && !turns_has_ended(turns));
	end_turn(turns, owner, begin);
	return true;
}
