/* SPDX-License-Identifier: MIT */
/*
 * Proves that signals do not make a live process look dead while it is polled. The daemon receives
 * SIGCHLD for every child that has closed fds of clients.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "process-table.h"

TestSuite(a_signal_ends_nobody);

#define LOOKS 200000

static void ignore_signal(int number)
{
	(void)number;
}

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void send_signals_every(int microseconds)
{
	struct itimerval timer = { .it_interval.tv_usec = microseconds,
				   .it_value.tv_usec = microseconds };

	signal(SIGALRM, microseconds > 0 ? ignore_signal : SIG_IGN);
	cr_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

Test(a_signal_ends_nobody, while_it_is_polled)
{
	ProcessTable table;
	HostProcess *process;
	Roots roots = { .proc = "/proc", .sys = "/sys" };
	struct event_base *base = event_base_new();
	size_t taken_for_dead = 0;

	event_base_priority_init(base, 2);
	process_table_init(&table, base, &roots, ignore_exit, NULL);
	cr_assert_eq(process_table_open(&table, getpid(), &process), EVIDENCE_FOUND);
	host_process_ref(process);
	send_signals_every(20);
	for (size_t i = 0; i < LOOKS; i++)
		taken_for_dead += !host_process_is_alive(process);
	send_signals_every(0);
	cr_assert_eq(taken_for_dead, 0u, "%zu times of %d", taken_for_dead, LOOKS);
	host_process_unref(process);
	process_table_deinit(&table);
	event_base_free(base);
}
