/* SPDX-License-Identifier: MIT */
/*
 * The cost of the fair queue: tasks that do nothing are run in turns of their owners, and the same
 * number of plain libevent callbacks is run in the same rounds. A turn pays for the choice of the
 * owner, two clocks and its event.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <time.h>

#include "daemon/host/turns.h"
#include "proto/macros.h"
#include "tests/support/measure.h"

enum { ROUNDS = 15, OWNERS_MAX = 1000, TASKS_MAX = 64, REPEATS = 2000 };

typedef struct Bench {
	struct event_base *base;
	Host host;
	Turns turns;
	TurnOwner owners[OWNERS_MAX];
	Task tasks[OWNERS_MAX][TASKS_MAX];
	struct event events[OWNERS_MAX];
} Bench;

static Bench bench;
static size_t runs;

static uint64_t now(void *self)
{
	struct timespec time;

	(void)self;
	clock_gettime(CLOCK_BOOTTIME, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static bool run(Task *task)
{
	(void)task;
	runs++;
	return false;
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	runs++;
}

static void set_up(void)
{
	bench.base = event_base_new();
	if (!bench.base || event_base_priority_init(bench.base, 2) < 0)
		bench_fail("cannot create an event loop");
	bench.host.now = now;
	turns_init(&bench.turns, bench.base, &bench.host);
	for (size_t i = 0; i < OWNERS_MAX; i++) {
		turn_owner_init(&bench.owners[i]);
		event_assign(&bench.events[i], bench.base, -1, 0, on_event, NULL);
		for (size_t j = 0; j < TASKS_MAX; j++)
			bench.tasks[i][j] = TASK_INIT(run);
	}
}

/* Runs the queued work. Returns nanoseconds per run. */
static double run_all(uint64_t begin)
{
	runs = 0;
	event_base_loop(bench.base, EVLOOP_NONBLOCK);
	return (double)(bench_now() - begin) / (double)runs;
}

static double run_tasks(size_t owners, size_t tasks)
{
	uint64_t begin = bench_now();

	for (size_t i = 0; i < owners; i++)
		for (size_t j = 0; j < tasks; j++)
			turns_queue(&bench.turns, &bench.owners[i], &bench.tasks[i][j]);
	return run_all(begin);
}

static double run_events(size_t count)
{
	uint64_t begin = bench_now();

	for (size_t i = 0; i < count; i++)
		event_active(&bench.events[i % OWNERS_MAX], EV_TIMEOUT, 0);
	return run_all(begin);
}

static void compare(size_t owners, size_t tasks)
{
	size_t repeats = REPEATS / (owners * tasks) + 1;
	double turns[ROUNDS], events[ROUNDS], ratios[ROUNDS];

	for (size_t round = 0; round < ROUNDS; round++) {
		turns[round] = events[round] = 0;
		for (size_t i = 0; i < repeats; i++) {
			events[round] += run_events(owners) / (double)repeats;
			turns[round] += run_tasks(owners, tasks) / (double)repeats;
		}
		ratios[round] = events[round] / turns[round];
	}
	printf("%6zu  %6zu  %9.0f  %9.0f  %6.3f\n", owners, tasks, bench_median(events, ROUNDS),
	       bench_median(turns, ROUNDS), bench_median(ratios, ROUNDS));
}

int main(void)
{
	bench_pin_to_one_cpu();
	set_up();
	puts("The fair queue: nanoseconds per task, and per plain callback of libevent.\n");
	puts("owners   tasks   callback       task   ratio");
	compare(1, 1);
	compare(1, TASKS_MAX);
	compare(10, 10);
	compare(OWNERS_MAX, 1);
	turns_deinit(&bench.turns);
	event_base_free(bench.base);
	return 0;
}
