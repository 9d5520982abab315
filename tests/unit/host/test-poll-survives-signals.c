/* SPDX-License-Identifier: MIT */
/*
 * Proves that signals do not make a live process look dead while it is polled. The daemon receives
 * SIGCHLD for every child that has closed fds of clients.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/host/process/process-table.h"

TestSuite(poll_survives_signals);

#define SIGNALS        40000
#define LOOKS_A_SIGNAL 5
#define LONGEST        40 /* microseconds until a signal comes */

static void ignore_signal(int number)
{
	(void)number;
}

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

/*
 * One signal at a time: a slow machine would do nothing but handle those of a timer that repeats.
 */
static void send_signal_in(int microseconds)
{
	struct itimerval timer = { .it_value.tv_usec = microseconds };

	cr_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

Test(poll_survives_signals, while_it_is_polled)
{
	ProcessTable table;
	HostProcess *process;
	FsRoots roots = { .proc = "/proc", .sys = "/sys" };
	struct event_base *base = event_base_new();
	size_t taken_for_dead = 0;

	event_base_priority_init(base, 2);
	process_table_init(&table, base, &roots, ignore_exit, NULL);
	cr_assert_eq(process_table_open(&table, getpid(), &process), LOOKUP_FOUND);
	host_process_ref(process);
	signal(SIGALRM, ignore_signal);
	for (size_t i = 0; i < SIGNALS; i++) {
		send_signal_in(1 + (int)(i % LONGEST));
		for (size_t j = 0; j < LOOKS_A_SIGNAL; j++)
			taken_for_dead += !host_process_is_alive(process);
	}
	send_signal_in(0);
	signal(SIGALRM, SIG_DFL);
	cr_assert_eq(taken_for_dead, 0u, "%zu times", taken_for_dead);
	host_process_unref(process);
	process_table_deinit(&table);
	event_base_free(base);
}
