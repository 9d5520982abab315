/* SPDX-License-Identifier: MIT */
/* Checks that processes are persisted and restored across a restart of the daemon. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/core/process.h"
#include "daemon/host/process/process-stat.h"
#include "daemon/host/process/process-table.h"
#include "tests/support/child.h"

static void on_exit_of_child(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

/* State that survives the simulated restarts, and the persistence functions that use it. */
#define KEYS 8

typedef struct Fixture {
	struct event_base *base;
	ProcessTable table;
	bool is_persisted[KEYS];
	bool is_full;
	pid_t child;
	ProcessIdentity identity; /* of the child */
} Fixture;

static Fixture fixture;

static bool persist(void *self, const HostProcess *process)
{
	(void)self;
	cr_assert_lt(process->key, KEYS);
	cr_assert_not(fixture.is_persisted[process->key]);
	fixture.is_persisted[process->key] = !fixture.is_full;
	return fixture.is_persisted[process->key];
}

static void release(void *self, const HostProcess *process)
{
	(void)self;
	cr_assert(fixture.is_persisted[process->key]);
	fixture.is_persisted[process->key] = false;
}

/* Replaces the table with that of a restarted daemon. */
static void restart(void)
{
	ProcessPersistence persistence = { .self = &fixture,
					   .persist = persist,
					   .release = release };

	if (fixture.base) {
		process_table_deinit(&fixture.table);
		event_base_free(fixture.base);
	}
	fixture.base = event_base_new();
	event_base_priority_init(fixture.base, 2);
	process_table_init(&fixture.table, fixture.base, &FS_ROOTS_DEFAULT, on_exit_of_child, NULL);
	process_table_set_persistence(&fixture.table, &persistence);
}

static void set_up(void)
{
	HostProcess *process;

	fixture = (Fixture){ .child = start_child() };
	restart();
	cr_assert_eq(process_table_open(&fixture.table, fixture.child, &process), LOOKUP_FOUND);
	cr_assert_eq(host_process_identify(process, &fixture.identity), LOOKUP_FOUND);
	cr_assert_eq(process->key, 1);
}

static void tear_down(void)
{
	process_table_deinit(&fixture.table);
	event_base_free(fixture.base);
	end_child(fixture.child);
}

/* The test of process_table_repeated sets up the table several times. */
TestSuite(process_table, .init = set_up, .fini = tear_down);

static Lookup restore(ProcessKey key, HostProcess **ret)
{
	return process_table_restore(&fixture.table, key, &fixture.identity,
				     pidfd_open(fixture.child, 0), ret);
}

Test(process_table, a_process_is_persisted_while_watched)
{
	HostProcess *process;

	process = process_table_find(&fixture.table, 1);
	cr_assert_not(fixture.is_persisted[1]);
	for (int i = 0; i < 2; i++) {
		cr_assert(host_process_watch(process));
		cr_assert(fixture.is_persisted[1]);
		host_process_unwatch(process);
		cr_assert_not(fixture.is_persisted[1]);
	}
	fixture.is_full = true;
	cr_assert_not(host_process_watch(process));
	fixture.is_full = false;
	cr_assert(host_process_watch(process));
	/* Stopping the daemon does not release the process. */
	restart();
	cr_assert(fixture.is_persisted[1]);
}

Test(process_table, a_process_is_restored_with_its_key)
{
	HostProcess *process, *again;

	cr_assert(host_process_watch(process_table_find(&fixture.table, 1)));
	restart();
	process_table_continue_keys(&fixture.table, 5);
	process_table_continue_keys(&fixture.table, 3);
	cr_assert_eq(restore(1, &process), LOOKUP_FOUND);
	cr_assert_eq(process, process_table_find(&fixture.table, 1));
	cr_assert_eq(process_table_open(&fixture.table, fixture.child, &again), LOOKUP_FOUND);
	cr_assert_eq(process, again, "found by its pid as well");
	cr_assert_eq(process_table_open(&fixture.table, getpid(), &again), LOOKUP_FOUND);
	cr_assert_eq(again->key, 6, "keys of an earlier daemon are not reused");
	cr_assert(host_process_watch(process), "already persisted");
	cr_assert_eq(process_table_release_unwatched(&fixture.table), 0);
	cr_assert(fixture.is_persisted[1]);
	host_process_unwatch(process);
	cr_assert_not(fixture.is_persisted[1]);
}

Test(process_table_repeated, an_unused_restored_process_is_released)
{
	HostProcess *process;

	for (int by_sweep = 0; by_sweep < 2; by_sweep++) {
		set_up();
		cr_assert(host_process_watch(process_table_find(&fixture.table, 1)));
		restart();
		cr_assert_eq(restore(1, &process), LOOKUP_FOUND);
		if (!by_sweep)
			cr_assert_eq(process_table_release_unwatched(&fixture.table), 1);
		event_base_loop(fixture.base, EVLOOP_NONBLOCK);
		cr_assert_not(fixture.is_persisted[1]);
		cr_assert_null(process_table_find(&fixture.table, 1));
		tear_down();
	}
}

Test(process_table, a_different_process_is_not_restored)
{
	ProcessIdentity right;
	HostProcess *process = NULL;

	restart();
	right = fixture.identity;
	fixture.identity.start_time++;
	cr_assert_eq(restore(1, &process), LOOKUP_ABSENT);
	fixture.identity = (ProcessIdentity){ .pid = getpid(), .start_time = right.start_time };
	cr_assert_eq(restore(1, &process), LOOKUP_ABSENT);
	fixture.identity = right;
	cr_assert_eq(restore(PROCESS_KEY_NONE, &process), LOOKUP_ABSENT);
	cr_assert_eq(process_table_restore(&fixture.table, 1, &right,
					   memfd_create("not a process", 0), &process),
		     LOOKUP_GONE);
	cr_assert_null(process);
	cr_assert_eq(restore(1, &process), LOOKUP_FOUND);
	cr_assert_eq(restore(1, &process), LOOKUP_ABSENT);
	cr_assert_eq(restore(2, &process), LOOKUP_ABSENT);
}

Test(process_table, a_dead_process_is_not_restored)
{
	HostProcess *process;

	restart();
	pid_t zombie = start_child();
	int pidfds[] = { pidfd_open(zombie, 0), pidfd_open(zombie, 0) };
	ProcessIdentity identity = { .pid = zombie };
	cr_assert_eq(process_read_start_time("/proc", zombie, &identity.start_time), 0);
	kill(zombie, SIGKILL);
	siginfo_t info;
	cr_assert_eq(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(process_table_restore(&fixture.table, 2, &identity, pidfds[0], &process),
		     LOOKUP_GONE);
	end_child(zombie);
	cr_assert_eq(process_table_restore(&fixture.table, 2, &identity, pidfds[1], &process),
		     LOOKUP_GONE);
}

/* The examiner is asked only for what is not known, because it is slow. */
Test(process_table, the_executable_is_the_one_that_was_examined)
{
	char own[EXECUTABLE_SIZE] = "";
	HostProcess *process;
	Credentials credentials;

	restart();
	cr_assert(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	cr_assert_eq(process_table_open(&fixture.table, getpid(), &process), LOOKUP_FOUND);
	cr_assert_str_eq(host_process_executable(process, false), "");
	cr_assert_eq(host_process_read_credentials(process, &credentials), LOOKUP_FOUND);
	credentials_deinit(&credentials);
	cr_assert_str_eq(host_process_executable(process, false), own);
}

/* A VMM that was found has no uid that somebody has told. */
Test(process_table, an_unknown_uid_is_read_and_a_known_one_stays)
{
	HostProcess *process;
	siginfo_t exited;
	uid_t uid = UID_UNKNOWN, known = 4711, gone = UID_UNKNOWN;

	restart();
	cr_assert_eq(process_table_open(&fixture.table, fixture.child, &process), LOOKUP_FOUND);
	cr_assert_eq(host_process_complete_uid(process, &uid), LOOKUP_FOUND);
	cr_assert_eq(uid, geteuid());
	cr_assert_eq(host_process_complete_uid(process, &known), LOOKUP_FOUND);
	cr_assert_eq(known, 4711u);
	kill(fixture.child, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)fixture.child, &exited, WEXITED | WNOWAIT), 0);
	cr_assert_eq(host_process_complete_uid(process, &gone), LOOKUP_GONE);
	cr_assert_eq(gone, UID_UNKNOWN);
}
