/* SPDX-License-Identifier: MIT */
/*
 * Tests the follower of systemd-machined against a bus that the test plays: in random orders of
 * calls, answers and signals, the table is in the end what machined has.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/discovery/machine-bus.h"
#include "tests/support/played-bus.h"

#define MACHINES 24

static PlayedBus played;
static struct event_base *base;
static MachineBus bus;
static size_t changes;

static void on_changed(void *context)
{
	(void)context;
	changes++;
}

static void play_bus(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/vail-played-bus.%d", (int)getpid());
	played_bus_init(&played, path);
}

static void set_up(void)
{
	play_bus();
	base = event_base_new();
	event_base_priority_init(base, 2);
	machine_bus_init(&bus, base, played.path, on_changed, NULL);
}

static void tear_down(void)
{
	machine_bus_deinit(&bus);
	event_base_free(base);
	libevent_global_shutdown();
	played_bus_deinit(&played);
}

TestSuite(machine_bus, .init = set_up, .fini = tear_down);

/* A pause ends at the next turn, because the test owns the time. */
static void turn(void)
{
	if (bus.is_paused)
		event_active(&bus.io_event, EV_TIMEOUT, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/*
 * Lets both sides talk until neither has anything to say. Both ends of the socket are here, so what
 * one has written the other can read at once.
 */
static void settle(void)
{
	int idle = 0;

	while (idle < 3) {
		turn();
		bool is_busy = played_bus_pump(&played);
		is_busy |= played_bus_answer(&played) || bus.is_paused;
		idle = is_busy ? 0 : idle + 1;
	}
}

static PlayedMachine machine(uint32_t leader)
{
	PlayedMachine made = { .leader = leader };

	memcpy(made.id, &leader, sizeof(leader));
	made.id[15] = 1;
	return made;
}

static size_t listed(void)
{
	return bus.table.count;
}

/* Returns the leader of the machine with this number, 0 if it is not known as a VM. */
static pid_t leader_of(size_t number)
{
	char name[16];

	snprintf(name, sizeof(name), "m%zu", number);
	for (KnownMachine *known = machine_table_first(&bus.table); known;
	     known = machine_table_next(known))
		if (strcmp(known->name, name) == 0 && known->is_answered &&
		    known->verdict == MACHINE_IS_VM)
			return known->found.leader;
	return 0;
}

Test(machine_bus, without_a_bus_nothing_is_found)
{
	played_bus_deinit(&played);
	machine_bus_refresh(&bus);
	cr_assert_eq(bus.state, MACHINE_BUS_ABSENT);
	cr_assert(event_pending(&bus.retry_event, EV_TIMEOUT, NULL));
	play_bus();
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_IDLE, "a refresh connects at once");
}

Test(machine_bus, a_machined_that_does_not_run_is_not_started)
{
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_IDLE);
	played_machined_runs(&played, true);
	played_machine_new(&played, 3, &(PlayedMachine){ .leader = 300, .id = { 1 } });
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_LISTED);
	cr_assert_eq(leader_of(3), 300);
	cr_assert_eq(played.started_calls, 0u);
}

Test(machine_bus, a_host_without_machined_is_told_apart)
{
	played.is_installed = false;
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_NO_MACHINED);
}

Test(machine_bus, pids_of_another_namespace_mean_nothing)
{
	PlayedMachine any = machine(300);

	played.peer_pid++;
	played.runs = true;
	played_machine_new(&played, 0, &any);
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_FOREIGN);
	played_machined_runs(&played, false);
	played_machined_runs(&played, true);
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_FOREIGN);
	cr_assert_eq(listed(), 0u);
}

/* Lets both sides talk until the oldest call is this one. */
static void settle_until(const char *member)
{
	while (played.call_count == 0 ||
	       strcmp(sd_bus_message_get_member(played.calls[0]), member) != 0) {
		turn();
		played_bus_pump(&played);
		if (played.call_count > 0 &&
		    strcmp(sd_bus_message_get_member(played.calls[0]), member) != 0)
			played_bus_answer(&played);
	}
}

/* The signal that machined has started may come before the pid is known. */
Test(machine_bus, a_list_that_began_before_the_pid_was_known_counts_for_nothing)
{
	PlayedMachine any = machine(300);

	played.peer_pid++;
	machine_bus_refresh(&bus);
	settle_until("GetConnectionUnixProcessID");
	played_machined_runs(&played, true);
	played_machine_new(&played, 0, &any);
	turn();
	cr_assert_eq(bus.state, MACHINE_BUS_LISTING);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_FOREIGN);
	cr_assert_eq(listed(), 0u);
}

/* Only an absent UID means root. */
Test(machine_bus, a_uid_that_cannot_be_read_is_not_roots)
{
	PlayedMachine any = machine(300);

	any.has_odd_owner = true;
	played.runs = true;
	played_machine_new(&played, 0, &any);
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(listed(), 1u);
	cr_assert_eq(leader_of(0), 0);
	cr_assert_eq(machine_table_first(&bus.table)->verdict, MACHINE_IS_USERS);
}

Test(machine_bus, a_new_machine_of_the_same_name_is_asked_again)
{
	PlayedMachine first = machine(300), second = machine(301);

	played.runs = true;
	played_machine_new(&played, 0, &first);
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(leader_of(0), 300);
	played_machine_removed(&played, 0);
	played_machine_new(&played, 0, &second);
	settle();
	cr_assert_eq(leader_of(0), 301);
}

/* Lets the time for the next attempt come. */
static void retry(void)
{
	cr_assert(event_pending(&bus.retry_event, EV_TIMEOUT, NULL));
	event_del(&bus.retry_event);
	event_active(&bus.retry_event, EV_TIMEOUT, 0);
	settle();
}

Test(machine_bus, a_list_that_does_not_come_in_time_is_asked_for_again)
{
	PlayedMachine any = machine(300);

	played.runs = true;
	played.silent = "ListMachines";
	played_machine_new(&played, 0, &any);
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_REFUSED, "machined runs, so it is not idle");
	cr_assert_eq(bus.error, -ETIMEDOUT);
	retry();
	cr_assert_eq(bus.state, MACHINE_BUS_REFUSED);
	cr_assert_eq(bus.retry_seconds, 4u, "each attempt waits longer");
	played.silent = NULL;
	retry();
	cr_assert_eq(bus.state, MACHINE_BUS_LISTED);
	cr_assert_eq(leader_of(0), 300);
	cr_assert_eq(bus.retry_seconds, 0u);
	cr_assert_not(event_pending(&bus.retry_event, EV_TIMEOUT, NULL));
}

Test(machine_bus, properties_that_do_not_come_in_time_are_asked_for_again)
{
	PlayedMachine any = machine(300);

	played.runs = true;
	played.silent = "GetAll";
	played_machine_new(&played, 0, &any);
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_LISTED);
	cr_assert_eq(machine_table_failed(&bus.table), 1u);
	cr_assert_not(machine_table_is_certain(&bus.table));
	retry();
	cr_assert_eq(machine_table_failed(&bus.table), 1u);
	played.silent = NULL;
	retry();
	cr_assert_eq(leader_of(0), 300);
	cr_assert(machine_table_is_certain(&bus.table));
	cr_assert_not(event_pending(&bus.retry_event, EV_TIMEOUT, NULL));
}

Test(machine_bus, forged_signals_cost_no_question)
{
	PlayedMachine any = machine(300);

	played.runs = true;
	played_machine_new(&played, 0, &any);
	machine_bus_refresh(&bus);
	settle();
	size_t before = changes;
	played.machines[0].leader = 666; /* so that a question would show */
	for (int i = 0; i < 100; i++)
		played_bus_forge(&played, "m0");
	settle();
	cr_assert_eq(leader_of(0), 300);
	cr_assert_eq(changes, before);
}

/* Any user can send such messages, so they must not keep the daemon busy. */
Test(machine_bus, a_flood_of_foreign_messages_is_read_with_pauses)
{
	PlayedMachine any = machine(300);

	played.runs = true;
	machine_bus_refresh(&bus);
	settle();
	cr_assert_not(bus.is_paused);
	for (int i = 0; i < 100; i++)
		played_bus_forge(&played, "m0");
	turn();
	cr_assert(bus.is_paused);
	cr_assert_gt(bus.foreign, 0u);
	cr_assert_leq(bus.foreign, 32u);
	cr_assert_not(event_pending(&bus.io_event, EV_READ | EV_WRITE, NULL));
	cr_assert(event_pending(&bus.io_event, EV_TIMEOUT, NULL));
	played_machine_new(&played, 0, &any);
	settle();
	cr_assert_not(bus.is_paused);
	cr_assert(event_pending(&bus.io_event, EV_READ, NULL));
	cr_assert_eq(leader_of(0), 300, "machined's signal comes late, but it comes");
}

Test(machine_bus, what_is_known_stays_while_machined_or_the_bus_is_away)
{
	PlayedMachine any = machine(300);

	played.runs = true;
	played_machine_new(&played, 0, &any);
	machine_bus_refresh(&bus);
	settle();
	played_machined_runs(&played, false);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_IDLE);
	cr_assert_eq(leader_of(0), 300);
	played_bus_drop(&played);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_FAILED);
	cr_assert_eq(leader_of(0), 300);
	played.runs = true;
	played.machines[0].leader = 301;
	event_active(&bus.retry_event, EV_TIMEOUT, 0);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_LISTED);
	cr_assert_eq(leader_of(0), 301);
}

/* An fd that a stranger sends could block whoever closes it, so the bus passes none. */
Test(machine_bus, no_fd_can_be_sent_to_the_daemon)
{
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_IDLE);
	cr_assert_eq(sd_bus_can_send(played.peer, SD_BUS_TYPE_UNIX_FD), 0);
}

Test(machine_bus, only_some_questions_wait_at_a_time)
{
	for (size_t i = 0; i < MACHINES; i++) {
		PlayedMachine any = machine(300 + (uint32_t)i);

		played_machine_new(&played, i, &any);
	}
	played.runs = true;
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(listed(), (size_t)MACHINES);
	cr_assert_eq(leader_of(MACHINES - 1), 299 + MACHINES);
	cr_assert_leq(played.most_calls, (size_t)MACHINE_BUS_CALLS_MAX);
}

/* --- random orders --------------------------------------------------------------------------- */

static uint64_t random_state;

static size_t random_below(size_t bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % bound;
}

static void change_something(uint32_t *next_leader)
{
	size_t number = random_below(MACHINES);
	PlayedMachine made = machine((*next_leader)++);

	made.is_container = random_below(4) == 0;
	if (played.machines[number].exists && random_below(3) > 0)
		played_machine_removed(&played, number);
	else if (played.runs)
		played_machine_new(&played, number, &made);
}

static void step(uint32_t *next_leader)
{
	switch (random_below(16)) {
	case 0:
		if (random_below(8) == 0)
			played_machined_runs(&played, !played.runs);
		break;
	case 1:
		if (random_below(16) == 0)
			played_bus_drop(&played);
		break;
	case 2:
		if (random_below(16) == 0)
			machine_bus_refresh(&bus);
		break;
	case 3:
		played_bus_forge(&played, "m1");
		break;
	case 4:
	case 5:
	case 6:
		change_something(next_leader);
		break;
	case 7:
	case 8:
	case 9:
		turn();
		break;
	case 10:
	case 11:
	case 12:
		played_bus_answer(&played);
		break;
	default:
		played_bus_pump(&played);
	}
	cr_assert_leq(played.most_calls, (size_t)MACHINE_BUS_CALLS_MAX + 1);
}

static void check_against_machined(uint64_t seed)
{
	size_t count = 0;

	played_machined_runs(&played, true);
	machine_bus_refresh(&bus);
	settle();
	cr_assert_eq(bus.state, MACHINE_BUS_LISTED, "seed %lu", seed);
	for (size_t i = 0; i < MACHINES; i++) {
		const PlayedMachine *real = &played.machines[i];

		count += real->exists;
		cr_assert_eq(leader_of(i),
			     real->exists && !real->is_container ? (pid_t)real->leader : 0,
			     "seed %lu, machine %zu", seed, i);
	}
	cr_assert_eq(listed(), count, "seed %lu", seed);
}

/* Without a refresh at the end, so that only signals bring the changes. */
static void check_by_signals(uint64_t seed)
{
	settle();
	for (size_t i = 0; i < MACHINES && played.runs && played.peer; i++)
		cr_assert_eq(leader_of(i),
			     played.machines[i].exists && !played.machines[i].is_container
				     ? (pid_t)played.machines[i].leader
				     : 0,
			     "seed %lu, machine %zu, by signals", seed, i);
}

Test(machine_bus, in_any_order_the_table_becomes_what_machined_has)
{
	const char *given = getenv("VAILD_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : 1, last = given ? first : 40;

	for (uint64_t seed = first; seed <= last; seed++) {
		uint32_t next_leader = 1000;

		random_state = seed * 7919;
		for (int i = 0; i < 600; i++)
			step(&next_leader);
		check_by_signals(seed);
		check_against_machined(seed);
	}
	cr_assert_eq(played.started_calls, 0u);
}
