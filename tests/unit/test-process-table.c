/* SPDX-License-Identifier: MIT */
/* Proves that a process is the same one as long as it lives, whatever the daemon hears meanwhile.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process-table.h"

TestSuite(process_table);

#define LOOKS 100000

static volatile sig_atomic_t signals;

static void on_signal(int signal_number)
{
	(void)signal_number;
	signals++;
}

static void on_exit_of_child(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

/* A child that sends us signals until it is killed. */
static pid_t start_to_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pid_t parent = getpid(), child;

	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	cr_assert_geq(child, 0);
	if (child > 0)
		return child;
	while (kill(parent, SIGUSR1) == 0)
		;
	_exit(0);
}

/* The daemon hears of each child that has closed what strangers sent by a signal. */
Test(process_table, a_signal_is_no_exit)
{
	struct event_base *base = event_base_new();
	HostProcess *process, *again;
	ProcessTable table;

	process_table_init(&table, base, &ROOTS_DEFAULT, on_exit_of_child, NULL);
	pid_t child = start_to_signal();
	cr_assert_eq(process_table_add(&table, child, pidfd_open(child, 0), &process),
		     EVIDENCE_FOUND);
	for (size_t i = 0; i < LOOKS; i++)
		cr_assert(host_process_is_alive(process), "look %zu, %d signals", i, (int)signals);
	cr_assert_eq(process_table_open(&table, child, &again), EVIDENCE_FOUND);
	cr_assert_eq(again, process);
	cr_assert_gt(signals, 0);
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_not(host_process_is_alive(process));
	process_table_deinit(&table);
	event_base_free(base);
}
