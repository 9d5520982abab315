/* SPDX-License-Identifier: MIT */
/*
 * Proves that persisted records and stored fds are restored together, and that one without the
 * other is dropped.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/persist/persistence.h"
#include "proto/fd-util.h"
#include "tests/support/child.h"
#include "tests/support/fake-host.h"
#include "tests/support/fake-service-manager.h"

#define ROOM 30

typedef struct Daemon {
	FakeServiceManager manager;
	char path[64];
	struct event_base *base;
	ProcessTable processes;
	Statistics statistics;
	PersistenceOptions options;
	Persistence persistence;
	pid_t child; /* a process to watch */
} Daemon;

static Daemon vaild;

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void daemon_start(void)
{
	ListenFds passed = { 0 };

	vaild.base = event_base_new();
	event_base_priority_init(vaild.base, 2);
	process_table_init(&vaild.processes, vaild.base, &FS_ROOTS_DEFAULT, ignore_exit, NULL);
	vaild.statistics = (Statistics){ 0 };
	fake_service_manager_pass(&vaild.manager, &passed);
	cr_assert_eq(persistence_open(&vaild.persistence, &vaild.options, &passed), 0);
	listen_fds_deinit(&passed);
	fake_service_manager_read(&vaild.manager);
}

static void daemon_stop(void)
{
	persistence_close(&vaild.persistence);
	process_table_deinit(&vaild.processes);
	event_base_free(vaild.base);
}

static void daemon_restart(void)
{
	daemon_stop();
	daemon_start();
}

/* Starts the child first, so that it does not inherit the lock of the daemon. */
static void set_up(void)
{
	vaild = (Daemon){ .child = start_child(), .path = "/tmp/vaild-persistence-XXXXXX" };
	fake_service_manager_init(&vaild.manager, ROOM);
	cr_assert_not_null(mkdtemp(vaild.path));
	vaild.options = (PersistenceOptions){
		.runtime_directory = vaild.path,
		.roots = FS_ROOTS_DEFAULT,
		.processes = &vaild.processes,
		.parser = json_parser_new(),
		.statistics = &vaild.statistics,
	};
	cr_assert_eq(fd_info_init(&vaild.options.memfds), 0);
	daemon_start();
}

static void tear_down(void)
{
	char command[128];

	daemon_stop();
	cr_assert_eq(vaild.manager.dropped, 0);
	fake_service_manager_deinit(&vaild.manager);
	json_parser_free(vaild.options.parser);
	snprintf(command, sizeof(command), "rm -rf '%s'", vaild.path);
	cr_assert_eq(system(command), 0);
	end_child(vaild.child);
}

TestSuite(persistence, .init = set_up, .fini = tear_down);

/* Does all the work that can wait, and returns the names of the stored fds. */
static const char *stored(void)
{
	while (persistence_remove_ended(&vaild.persistence))
		fake_service_manager_read(&vaild.manager);
	return fake_service_manager_names(&vaild.manager);
}

static size_t recorded(PersistedKind kind)
{
	PersistedRecords records;

	cr_assert_eq(record_file_load(&vaild.persistence.records, kind, &records), 0);
	size_t count = records.count;
	persisted_records_deinit(&records);
	return count;
}

static void assert_remarked(const char *subject, const char *message)
{
	for (size_t i = 0; i < vaild.statistics.remark_count; i++)
		if (strcmp(vaild.statistics.remarks[i].subject, subject) == 0 &&
		    strstr(vaild.statistics.remarks[i].message, message))
			return;
	cr_assert_fail("there is no remark about %s with the text: %s", subject, message);
}

static void assert_nothing_remarked(void)
{
	cr_assert_eq(vaild.statistics.remark_count, 0, "%s: %s",
		     vaild.statistics.remarks[0].subject, vaild.statistics.remarks[0].message);
}

static int open_memory(void)
{
	int memory = memfd_create("memory", MFD_CLOEXEC);

	cr_assert_geq(memory, 0);
	return memory;
}

static void release_and_close(int fd)
{
	if (!persistence_fdstore_release(&vaild.persistence, fd))
		close(fd);
}

static HostProcess *watch(pid_t pid)
{
	HostProcess *process;

	cr_assert_eq(process_table_open(&vaild.processes, pid, &process), LOOKUP_FOUND);
	cr_assert(host_process_watch(process));
	return process;
}

Test(persistence, records_survive_a_restart)
{
	PersistedRecords records;

	cr_assert(persistence_save(&vaild.persistence, 5, "{\"kind\":\"a\"}", 12));
	cr_assert(persistence_save(&vaild.persistence, 6, "{}", 2));
	persistence_remove(&vaild.persistence, &(uint64_t){ 6 }, 1);
	daemon_restart();
	persistence_end_restore(&vaild.persistence);
	cr_assert_eq(persistence_load(&vaild.persistence, &records), 0);
	cr_assert_eq(records.count, 1);
	cr_assert_eq(records.items[0].number, 5);
	cr_assert_str_eq(records.items[0].text, "{\"kind\":\"a\"}");
	persisted_records_deinit(&records);
	persistence_close(&vaild.persistence);
	cr_assert_not(persistence_save(&vaild.persistence, 7, "{}", 2));
	persistence_remove(&vaild.persistence, &(uint64_t){ 5 }, 1);
}

Test(persistence, fd_survives_a_restart)
{
	struct stat before, after;
	int planes[2], claimed[2];

	planes[0] = open_memory();
	planes[1] = dup(planes[0]);
	cr_assert_eq(fstat(planes[0], &before), 0);
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, planes[0]), 1);
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, planes[1]), 1);
	cr_assert_str_eq(stored(), "m1");
	for (int restart = 0; restart < 2; restart++) {
		daemon_restart();
		close(planes[0]);
		close(planes[1]);
		for (int i = 0; i < 2; i++) {
			cr_assert_eq(persistence_fdstore_find(&vaild.persistence, 1, &claimed[i]),
				     LOOKUP_FOUND);
			cr_assert_eq(fstat(claimed[i], &after), 0);
			cr_assert_eq(before.st_ino, after.st_ino);
			cr_assert_eq(fcntl(claimed[i], F_GETFD), FD_CLOEXEC);
			planes[i] = claimed[i];
		}
		persistence_end_restore(&vaild.persistence);
		cr_assert_str_eq(stored(), "m1");
		assert_nothing_remarked();
	}
	release_and_close(claimed[0]);
	cr_assert_str_eq(stored(), "m1");
	release_and_close(claimed[1]);
	cr_assert_str_eq(stored(), "");
	cr_assert_eq(recorded(PERSISTED_FD), 0);
	cr_assert_eq(persistence_fdstore_find(&vaild.persistence, 1, &claimed[0]), LOOKUP_ABSENT);
}

Test(persistence, ids_are_not_reused)
{
	int memory = open_memory();

	for (uint64_t id = 1; id <= 6; id++) {
		cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), id);
		release_and_close(dup(memory));
		cr_assert(persistence_fdstore_release(&vaild.persistence, memory));
		memory = dup(memory);
		cr_assert_str_eq(stored(), "");
		if (id % 2 == 0)
			daemon_restart();
	}
	close(memory);
}

Test(persistence, process_keeps_its_key)
{
	pid_t pid = 0;

	HostProcess *process = watch(vaild.child);
	ProcessKey key = process->key;
	cr_assert_str_eq(stored(), "p1");
	for (int restart = 0; restart < 2; restart++) {
		daemon_restart();
		cr_assert_eq(persistence_find_process(&vaild.persistence, key, &pid), LOOKUP_FOUND);
		cr_assert_eq(pid, vaild.child);
		process = process_table_find(&vaild.processes, key);
		cr_assert(host_process_watch(process));
		persistence_end_restore(&vaild.persistence);
		cr_assert_str_eq(stored(), "p1");
		assert_nothing_remarked();
	}
	cr_assert_eq(persistence_find_process(&vaild.persistence, key + 1, &pid), LOOKUP_GONE);
	host_process_unwatch(process);
	cr_assert_str_eq(stored(), "");
	cr_assert_eq(recorded(PERSISTED_PROCESS), 0);
}

Test(persistence, process_that_exits_before_the_restart_is_removed)
{
	pid_t pid;

	watch(vaild.child);
	fake_service_manager_read(&vaild.manager);
	end_child(vaild.child);
	daemon_restart();
	cr_assert_eq(persistence_find_process(&vaild.persistence, 1, &pid), LOOKUP_GONE);
	cr_assert_str_eq(stored(), "");
	cr_assert_eq(recorded(PERSISTED_PROCESS), 0);
	assert_nothing_remarked();
	/* Its key is not reused. */
	vaild.child = start_child();
	cr_assert_eq(watch(vaild.child)->key, 2);
}

Test(persistence, unclaimed_fds_and_processes_are_removed)
{
	int memory = open_memory();

	watch(vaild.child);
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), 1);
	cr_assert_str_eq(stored(), "p1 m1");
	daemon_restart();
	cr_assert_str_eq(stored(), "p1 m1");
	persistence_end_restore(&vaild.persistence);
	cr_assert_str_eq(stored(), "");
	cr_assert_eq(recorded(PERSISTED_PROCESS) + recorded(PERSISTED_FD), 0);
	close(memory);
}

Test(persistence, fd_without_a_record_is_removed)
{
	int memory = open_memory();

	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), 1);
	record_file_remove(&vaild.persistence.records, PERSISTED_FD, 1);
	fake_service_manager_read(&vaild.manager);
	strcpy(fake_service_manager_find(&vaild.manager, "m1")->name, "m9");
	daemon_restart();
	assert_remarked("descriptor 9", "it has no record");
	cr_assert_str_eq(stored(), "");
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), 10);
	fake_service_manager_read(&vaild.manager);
	strcpy(fake_service_manager_find(&vaild.manager, "m10")->name, "stored");
	daemon_restart();
	cr_assert_str_eq(stored(), "");
	close(memory);
}

/* Ends a process and lets the daemon notice that. */
static void let_exit(pid_t child)
{
	end_child(child);
	event_base_loop(vaild.base, EVLOOP_NONBLOCK);
}

static void unwatch_exited(void *context, ProcessKey key)
{
	(void)context;
	host_process_unwatch(process_table_find(&vaild.processes, key));
}

/* The next start can tell a process that exited before from one that exited meanwhile. */
Test(persistence, process_that_had_exited_is_absent)
{
	pid_t pid;

	daemon_stop(); /* the child must not inherit its lock */
	pid_t other = start_child();
	daemon_start();
	vaild.processes.exited = unwatch_exited;
	ProcessKey before = watch(vaild.child)->key, meanwhile = watch(other)->key;
	fake_service_manager_read(&vaild.manager);
	let_exit(vaild.child);
	cr_assert_not(record_file_contains(&vaild.persistence.records, PERSISTED_PROCESS, before));
	cr_assert_not_null(fake_service_manager_find(&vaild.manager, "p1"), "it waits for a slice");
	end_child(other);
	daemon_restart();
	cr_assert_eq(persistence_find_process(&vaild.persistence, before, &pid), LOOKUP_ABSENT);
	cr_assert_eq(persistence_find_process(&vaild.persistence, meanwhile, &pid), LOOKUP_GONE);
	assert_nothing_remarked();
	cr_assert_str_eq(stored(), "");
	vaild.child = start_child();
}

Test(persistence, unwatched_process_is_watched_again)
{
	pid_t pid;
	HostProcess *process = watch(vaild.child);

	host_process_unwatch(process);
	cr_assert_eq(recorded(PERSISTED_PROCESS), 0);
	cr_assert(host_process_watch(process));
	cr_assert_str_eq(stored(), "p1");
	cr_assert_eq(recorded(PERSISTED_PROCESS), 1);
	host_process_unwatch(process);
	while (record_file_remove_ended(&vaild.persistence.records, 1))
		;
	cr_assert(host_process_watch(process), "its record is gone, but not its fd");
	cr_assert_str_eq(stored(), "p1");
	daemon_restart();
	cr_assert_eq(persistence_find_process(&vaild.persistence, 1, &pid), LOOKUP_FOUND);
	assert_nothing_remarked();
}

/* A crash before each step of the removal: of the record, and of the fd. */
Test(persistence, ended_fd_is_dropped_without_a_remark)
{
	for (int steps = 0; steps < 3; steps++) {
		int memory = open_memory();

		cr_assert_gt(persistence_fdstore_add(&vaild.persistence, memory), 0);
		fake_service_manager_read(&vaild.manager);
		cr_assert(persistence_fdstore_release(&vaild.persistence, memory));
		for (int i = 0; i < steps; i++)
			persistence_remove_ended(&vaild.persistence);
		daemon_restart();
		persistence_end_restore(&vaild.persistence);
		assert_nothing_remarked();
		cr_assert_str_eq(stored(), "");
		cr_assert_eq(recorded(PERSISTED_FD), 0);
	}
}

/* Like a dma-buf that is shared again before its removal. */
Test(persistence, ended_fd_is_stored_again)
{
	for (int steps = 0; steps < 2; steps++) {
		int first = open_memory(), second = dup(first), claimed;
		uint64_t id = persistence_fdstore_add(&vaild.persistence, first);

		cr_assert(persistence_fdstore_release(&vaild.persistence, first));
		for (int i = 0; i < steps; i++)
			persistence_remove_ended(&vaild.persistence);
		cr_assert_eq(persistence_fdstore_add(&vaild.persistence, second), id);
		stored();
		daemon_restart();
		close(second);
		cr_assert_eq(persistence_fdstore_find(&vaild.persistence, id, &claimed),
			     LOOKUP_FOUND);
		persistence_end_restore(&vaild.persistence);
		assert_nothing_remarked();
		cr_assert(persistence_fdstore_release(&vaild.persistence, claimed));
		cr_assert_str_eq(stored(), "");
	}
}

/* Fds that have ended make room once the service manager has removed them. */
Test(persistence, ended_fds_make_room)
{
	int memories[ROOM];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ROOM; i++) {
			memories[i] = open_memory();
			cr_assert_gt(persistence_fdstore_add(&vaild.persistence, memories[i]), 0);
			fake_service_manager_read(&vaild.manager);
			cr_assert_leq(vaild.manager.count, ROOM);
		}
		int more = open_memory();
		cr_assert_eq(persistence_fdstore_add(&vaild.persistence, more), 0);
		close(more);
		for (size_t i = 0; i < ROOM; i++)
			cr_assert(persistence_fdstore_release(&vaild.persistence, memories[i]));
		cr_assert_eq(vaild.persistence.store.used, ROOM);
	}
	cr_assert_str_eq(stored(), "");
}

Test(persistence, ended_records_do_not_pile_up)
{
	for (uint64_t i = 1; i <= 20000; i++) {
		cr_assert(persistence_save(&vaild.persistence, i, "{}", 2));
		persistence_remove_later(&vaild.persistence, &i, 1);
	}
	cr_assert_leq(vaild.persistence.records.index.ended_count, 4100);
}

Test(persistence, missing_fds_cause_remarks)
{
	int memory = open_memory(), fd;

	watch(vaild.child);
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), 1);
	fake_service_manager_read(&vaild.manager);
	while (vaild.manager.count > 0)
		close(vaild.manager.entries[--vaild.manager.count].fd);
	daemon_restart();
	assert_remarked("process 1", "did not return it");
	assert_remarked("descriptor 1", "did not return it");
	cr_assert_eq(persistence_fdstore_find(&vaild.persistence, 1, &fd), LOOKUP_ABSENT);
	cr_assert_str_eq(stored(), "");
	daemon_restart();
	assert_nothing_remarked();
	close(memory);
}

static void change_stored(const char *name, int fd)
{
	fake_service_manager_read(&vaild.manager);
	FakeStoreEntry *entry = fake_service_manager_find(&vaild.manager, name);
	close(entry->fd);
	entry->fd = fd;
}

Test(persistence, fd_that_does_not_match_its_record_is_dropped)
{
	int memory = open_memory();

	watch(vaild.child);
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), 1);
	change_stored("p1", pidfd_open(getpid(), 0));
	change_stored("m1", open_memory());
	daemon_restart();
	assert_remarked("process 1", "is not the recorded process");
	assert_remarked("descriptor 1", "is not the recorded file descriptor");
	cr_assert_str_eq(stored(), "");
	cr_assert_eq(recorded(PERSISTED_PROCESS) + recorded(PERSISTED_FD), 0);
	close(memory);
}

Test(persistence, full_store_refuses)
{
	int memories[ROOM];
	HostProcess *process;

	for (size_t i = 0; i < ROOM; i++) {
		memories[i] = open_memory();
		cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memories[i]) != 0,
			     i < ROOM - 1);
		fake_service_manager_read(&vaild.manager);
		if (i > 0)
			continue;
		cr_assert_eq(process_table_open(&vaild.processes, vaild.child, &process),
			     LOOKUP_FOUND);
		cr_assert(host_process_watch(process));
		fake_service_manager_read(&vaild.manager);
	}
	cr_assert_eq(recorded(PERSISTED_FD), ROOM - 1);
	host_process_unwatch(process);
	fake_service_manager_read(&vaild.manager);
	cr_assert_neq(persistence_fdstore_add(&vaild.persistence, memories[ROOM - 1]), 0);
	cr_assert_not(host_process_watch(process));
	for (size_t i = 0; i < ROOM; i++)
		close(memories[i]);
}

Test(persistence, only_shareable_fds_are_stored)
{
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, STDERR_FILENO), 0);
	cr_assert_str_eq(stored(), "");
}

static void allow_fds(rlim_t count)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Returns the lowest free fd. Assumes that all lower ones are open. */
static rlim_t count_fds(void)
{
	int next = dup(STDERR_FILENO);

	close(next);
	return (rlim_t)next;
}

/* Starts with at most spare free fds. Returns whether the start succeeded. */
static bool daemon_try_start(rlim_t spare)
{
	ListenFds passed = { 0 };

	vaild.base = event_base_new();
	event_base_priority_init(vaild.base, 2);
	process_table_init(&vaild.processes, vaild.base, &FS_ROOTS_DEFAULT, ignore_exit, NULL);
	fake_service_manager_pass(&vaild.manager, &passed);
	allow_fds(count_fds() + spare);
	int error = persistence_open(&vaild.persistence, &vaild.options, &passed);
	allow_fds(1024);
	listen_fds_deinit(&passed);
	fake_service_manager_read(&vaild.manager);
	if (error < 0) {
		process_table_deinit(&vaild.processes);
		event_base_free(vaild.base);
	}
	return error == 0;
}

/* Accepts a remark that the record file cannot be rewritten: nothing is lost by that. */
static void assert_nothing_lost(void)
{
	for (size_t i = 0; i < vaild.statistics.remark_count; i++)
		cr_assert_not_null(
			strstr(vaild.statistics.remarks[i].message, "cannot be rewritten"));
	cr_assert_str_eq(stored(), "p1 m1");
}

/* A start with too few fds fails and loses nothing. */
Test(persistence, exhaustion_is_not_absence)
{
	pid_t pid;
	int memory = open_memory(), fd;
	size_t failures = 0;

	watch(vaild.child);
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), 1);
	cr_assert_str_eq(stored(), "p1 m1");
	daemon_stop();
	while (!daemon_try_start(failures)) {
		failures++;
		assert_nothing_lost();
		cr_assert_lt(failures, 20);
	}
	cr_assert_gt(failures, 3);
	assert_nothing_lost();
	cr_assert_eq(persistence_find_process(&vaild.persistence, 1, &pid), LOOKUP_FOUND);
	cr_assert_eq(pid, vaild.child);
	cr_assert_eq(persistence_fdstore_find(&vaild.persistence, 1, &fd), LOOKUP_FOUND);
	close(memory);
}

Test(persistence, second_daemon_is_refused)
{
	ListenFds passed = { 0 };
	Persistence other;

	cr_assert(persistence_save(&vaild.persistence, 5, "{}", 2));
	cr_assert_eq(persistence_open(&other, &vaild.options, &passed), -EADDRINUSE);
	persistence_close(&other);
	daemon_restart();
	cr_assert_eq(recorded(PERSISTED_ENTITY), 1);
}

/* Everything works, but nothing survives. */
Test(persistence, without_a_service_manager)
{
	int memory = open_memory();

	unsetenv("NOTIFY_SOCKET");
	daemon_restart();
	cr_assert(persistence_save(&vaild.persistence, 5, "{}", 2));
	cr_assert_eq(persistence_fdstore_add(&vaild.persistence, memory), 1);
	cr_assert_not(persistence_fdstore_release(&vaild.persistence, memory));
	HostProcess *process = watch(vaild.child);
	host_process_unwatch(process);
	daemon_restart();
	persistence_end_restore(&vaild.persistence);
	cr_assert_eq(recorded(PERSISTED_ENTITY), 0);
	assert_nothing_remarked();
	close(memory);
}
