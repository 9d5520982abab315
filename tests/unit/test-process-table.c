/* SPDX-License-Identifier: MIT */
/* Processes that are known over a restart of the daemon. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "process-stat.h"
#include "process-table.h"

TestSuite(process_table);

static void on_exit_of_child(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

/* What is kept over a restart, as a keeper of the test's own has it. */
#define KEYS 8

typedef struct Kept {
	struct event_base *base;
	ProcessTable table;
	bool is_kept[KEYS];
	bool is_full;
	pid_t child;
	ProcessIdentity identity; /* of the child */
} Kept;

static bool keep(void *self, const HostProcess *process)
{
	Kept *kept = self;

	cr_assert_lt(process->key, KEYS);
	cr_assert_not(kept->is_kept[process->key]);
	kept->is_kept[process->key] = !kept->is_full;
	return kept->is_kept[process->key];
}

static void let_go(void *self, const HostProcess *process)
{
	Kept *kept = self;

	cr_assert(kept->is_kept[process->key]);
	kept->is_kept[process->key] = false;
}

/* A table as that of a daemon that was started anew. */
static void start_anew(Kept *kept)
{
	ProcessKeeper keeper = { .self = kept, .keep = keep, .let_go = let_go };

	if (kept->base) {
		process_table_deinit(&kept->table);
		event_base_free(kept->base);
	}
	kept->base = event_base_new();
	event_base_priority_init(kept->base, 2);
	process_table_init(&kept->table, kept->base, &ROOTS_DEFAULT, on_exit_of_child, NULL);
	process_table_set_keeper(&kept->table, &keeper);
}

static void kept_begin(Kept *kept)
{
	HostProcess *process;

	*kept = (Kept){ .child = start_child() };
	start_anew(kept);
	cr_assert_eq(process_table_open(&kept->table, kept->child, &process), EVIDENCE_FOUND);
	cr_assert_eq(host_process_identify(process, &kept->identity), EVIDENCE_FOUND);
	cr_assert_eq(process->key, 1);
}

static void kept_end(Kept *kept)
{
	process_table_deinit(&kept->table);
	event_base_free(kept->base);
	end_child(kept->child);
}

static Evidence restore(Kept *kept, ProcessKey key, HostProcess **ret)
{
	return process_table_restore(&kept->table, key, &kept->identity, pidfd_open(kept->child, 0),
				     ret);
}

Test(process_table, one_is_kept_while_it_is_watched)
{
	HostProcess *process;
	Kept kept;

	kept_begin(&kept);
	process = process_table_find(&kept.table, 1);
	cr_assert_not(kept.is_kept[1]);
	for (int i = 0; i < 2; i++) {
		cr_assert(host_process_watch(process));
		cr_assert(kept.is_kept[1]);
		host_process_unwatch(process);
		cr_assert_not(kept.is_kept[1]);
	}
	kept.is_full = true;
	cr_assert_not(host_process_watch(process));
	kept.is_full = false;
	cr_assert(host_process_watch(process));
	/* That the daemon ends is no reason to let go. */
	start_anew(&kept);
	cr_assert(kept.is_kept[1]);
	kept_end(&kept);
}

Test(process_table, one_comes_back_under_its_key)
{
	HostProcess *process, *again;
	Kept kept;

	kept_begin(&kept);
	cr_assert(host_process_watch(process_table_find(&kept.table, 1)));
	start_anew(&kept);
	process_table_continue_keys(&kept.table, 5);
	process_table_continue_keys(&kept.table, 3);
	cr_assert_eq(restore(&kept, 1, &process), EVIDENCE_FOUND);
	cr_assert_eq(process, process_table_find(&kept.table, 1));
	cr_assert_eq(process_table_open(&kept.table, kept.child, &again), EVIDENCE_FOUND);
	cr_assert_eq(process, again, "it is known by its number, too");
	cr_assert_eq(process_table_open(&kept.table, getpid(), &again), EVIDENCE_FOUND);
	cr_assert_eq(again->key, 6, "the key of an earlier daemon's is not given again");
	cr_assert(host_process_watch(process), "it is kept already");
	cr_assert_eq(process_table_let_go_unwatched(&kept.table), 0);
	cr_assert(kept.is_kept[1]);
	host_process_unwatch(process);
	cr_assert_not(kept.is_kept[1]);
	kept_end(&kept);
}

Test(process_table, one_that_nobody_asks_for_is_let_go)
{
	HostProcess *process;
	Kept kept;

	for (int by_sweep = 0; by_sweep < 2; by_sweep++) {
		kept_begin(&kept);
		cr_assert(host_process_watch(process_table_find(&kept.table, 1)));
		start_anew(&kept);
		cr_assert_eq(restore(&kept, 1, &process), EVIDENCE_FOUND);
		if (!by_sweep)
			cr_assert_eq(process_table_let_go_unwatched(&kept.table), 1);
		event_base_loop(kept.base, EVLOOP_NONBLOCK);
		cr_assert_not(kept.is_kept[1]);
		cr_assert_null(process_table_find(&kept.table, 1));
		kept_end(&kept);
	}
}

Test(process_table, another_process_does_not_come_back_as_one)
{
	ProcessIdentity right;
	HostProcess *process = NULL;
	Kept kept;

	kept_begin(&kept);
	start_anew(&kept);
	right = kept.identity;
	kept.identity.start_time++;
	cr_assert_eq(restore(&kept, 1, &process), EVIDENCE_ABSENT);
	kept.identity = (ProcessIdentity){ .pid = getpid(), .start_time = right.start_time };
	cr_assert_eq(restore(&kept, 1, &process), EVIDENCE_ABSENT);
	kept.identity = right;
	cr_assert_eq(restore(&kept, PROCESS_KEY_NONE, &process), EVIDENCE_ABSENT);
	cr_assert_eq(process_table_restore(&kept.table, 1, &right, memfd_create("not a process", 0),
					   &process),
		     EVIDENCE_GONE);
	cr_assert_null(process);
	cr_assert_eq(restore(&kept, 1, &process), EVIDENCE_FOUND);
	cr_assert_eq(restore(&kept, 1, &process), EVIDENCE_ABSENT);
	cr_assert_eq(restore(&kept, 2, &process), EVIDENCE_ABSENT);
	kept_end(&kept);
}

Test(process_table, a_dead_one_does_not_come_back)
{
	HostProcess *process;
	Kept kept;

	kept_begin(&kept);
	start_anew(&kept);
	pid_t zombie = start_child();
	int pidfds[] = { pidfd_open(zombie, 0), pidfd_open(zombie, 0) };
	ProcessIdentity identity = { .pid = zombie };
	cr_assert_eq(process_read_start_time("/proc", zombie, &identity.start_time), 0);
	kill(zombie, SIGKILL);
	siginfo_t info;
	cr_assert_eq(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(process_table_restore(&kept.table, 2, &identity, pidfds[0], &process),
		     EVIDENCE_GONE);
	end_child(zombie);
	cr_assert_eq(process_table_restore(&kept.table, 2, &identity, pidfds[1], &process),
		     EVIDENCE_GONE);
	kept_end(&kept);
}
