/* SPDX-License-Identifier: MIT */
/* The order of turns, on a clock that the test owns. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/host/turns.h"
#include "proto/macros.h"

enum { OWNERS = 3, TASKS = 4 };

/* A task that takes a certain time each time it runs, for a number of runs. */
typedef struct TestTask {
	Task task;
	char name;
	unsigned int runs;
	uint64_t cost; /* microseconds of each run */
} TestTask;

static struct {
	struct event_base *base;
	Host host;
	uint64_t now;
	uint64_t of_others; /* time in which other programs ran */
	Turns turns;
	TurnOwner owners[OWNERS];
	char order[64]; /* names of the tasks in the order of their runs, and a space for each turn
			 */
} fixture;

static uint64_t test_now(void *self)
{
	(void)self;
	return fixture.now;
}

static uint64_t read_cpu_time(void)
{
	return fixture.now - fixture.of_others;
}

static void set_up(void)
{
	memset(&fixture, 0, sizeof(fixture));
	fixture.base = event_base_new();
	event_base_priority_init(fixture.base, 2);
	fixture.host.now = test_now;
	turns_init(&fixture.turns, fixture.base, &fixture.host);
	fixture.turns.read_cpu_time = read_cpu_time;
	for (size_t i = 0; i < OWNERS; i++)
		turn_owner_init(&fixture.owners[i]);
}

static void tear_down(void)
{
	turns_deinit(&fixture.turns);
	event_base_free(fixture.base);
}

TestSuite(turns, .init = set_up, .fini = tear_down);

static bool run(Task *base)
{
	TestTask *task = container_of(base, TestTask, task);

	strncat(fixture.order, &task->name, 1);
	fixture.now += task->cost;
	return --task->runs > 0;
}

static TestTask test_task(char name, unsigned int runs, uint64_t cost)
{
	return (TestTask){ .task = TASK_INIT(run), .name = name, .runs = runs, .cost = cost };
}

static void queue(size_t owner, TestTask *task)
{
	turns_queue(&fixture.turns, &fixture.owners[owner], &task->task);
}

/* Serves all turns. Returns the order of the runs. */
static const char *serve_all(void)
{
	while (turns_serve_one(&fixture.turns))
		strcat(fixture.order, " ");
	return fixture.order;
}

Test(turns, tasks_of_an_owner_alternate)
{
	TestTask a = test_task('a', 2, 10), b = test_task('b', 2, 10);

	queue(0, &a);
	queue(0, &b);
	cr_assert_str_eq(serve_all(), "abab ");
}

Test(turns, a_turn_ends_with_the_task_that_passes_its_end)
{
	TestTask a = test_task('a', 4, 150);

	queue(0, &a);
	cr_assert_str_eq(serve_all(), "aa aa ");
}

Test(turns, many_tasks_get_no_more_time_than_one)
{
	TestTask a[] = { test_task('a', 2, 200), test_task('b', 2, 200), test_task('c', 2, 200) };
	TestTask other = test_task('x', 3, 200);

	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		queue(0, &a[i]);
	queue(1, &other);
	cr_assert_str_eq(serve_all(), "a x b x c x a b c ");
}

Test(turns, time_counts_and_not_the_number_of_tasks)
{
	TestTask slow = test_task('s', 3, 1000), quick = test_task('q', 9, 200);

	queue(0, &slow);
	queue(1, &quick);
	cr_assert_str_eq(serve_all(), "s q q q q q s q q q q s ");
}

static TestTask light;

static bool queue_light(Task *base)
{
	bool goes_on = run(base);

	if (goes_on && !light.task.owner && light.runs > 0)
		queue(2, &light);
	return goes_on;
}

Test(turns, an_owner_that_was_idle_waits_for_one_turn)
{
	TestTask a = test_task('a', 3, 200), b = test_task('b', 3, 200);

	light = test_task('l', 1, 10);
	a.task.run = queue_light;
	queue(0, &a);
	queue(1, &b);
	cr_assert_str_eq(serve_all(), "a b l a b a b ", "and has not saved up a turn either");
}

Test(turns, time_in_excess_is_remembered_while_others_wait)
{
	TestTask costly = test_task('c', 1, 1000), other = test_task('o', 7, 200);

	queue(0, &costly);
	queue(1, &other);
	turns_serve_one(&fixture.turns);
	cr_assert_not(turn_owner_is_even(&fixture.turns, &fixture.owners[0]));
	costly.runs = 1;
	queue(0, &costly);
	cr_assert_str_eq(serve_all(), "co o o o o c o o ");
	cr_assert(turn_owner_is_even(&fixture.turns, &fixture.owners[0]), "nobody waits any more");
}

static bool run_beside_others(Task *base)
{
	fixture.now += 5000;
	fixture.of_others += 5000;
	return run(base);
}

Test(turns, time_of_other_programs_is_not_charged)
{
	TestTask disturbed = test_task('d', 3, 200), other = test_task('o', 3, 200);

	disturbed.task.run = run_beside_others;
	queue(0, &disturbed);
	queue(1, &other);
	cr_assert_str_eq(serve_all(), "d o d o d o ");
}

Test(turns, a_removed_task_does_not_run)
{
	TestTask a = test_task('a', 1, 10), b = test_task('b', 1, 10);

	queue(0, &a);
	queue(1, &b);
	turns_remove(&fixture.turns, &a.task);
	turns_remove(&fixture.turns, &a.task);
	cr_assert_str_eq(serve_all(), "b ");
	cr_assert(turn_owner_is_even(&fixture.turns, &fixture.owners[0]));
}

static bool remove_itself(Task *base)
{
	run(base);
	turns_remove(&fixture.turns, base);
	return true;
}

Test(turns, a_task_that_removes_itself_is_not_queued_again)
{
	TestTask a = test_task('a', 2, 10);

	a.task.run = remove_itself;
	queue(0, &a);
	cr_assert_str_eq(serve_all(), "a ");
}

static int wake_up;

static bool run_and_wake(Task *base)
{
	eventfd_write(wake_up, 1);
	return run(base);
}

static void on_wake_up(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	strcat(fixture.order, "!");
}

Test(turns, the_event_serves_all_and_looks_for_events_in_between)
{
	TestTask a = test_task('a', 3, 200), b = test_task('b', 3, 200);
	struct event event;

	wake_up = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	event_assign(&event, fixture.base, wake_up, EV_READ, on_wake_up, NULL);
	event_add(&event, NULL);
	a.task.run = run_and_wake;
	queue(0, &a);
	queue(1, &b);
	event_base_dispatch(fixture.base);
	cr_assert_str_eq(fixture.order, "a!babab");
	close(wake_up);
	fixture.order[0] = '\0';
	a.runs = 1;
	queue(0, &a);
	event_base_dispatch(fixture.base);
	cr_assert_str_eq(fixture.order, "a");
}
