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

TestSuite(persistence);

#define ROOM 30

typedef struct Daemon {
	FakeServiceManager manager;
	char path[64];
	struct event_base *base;
	ProcessTable processes;
	Statistics statistics;
	PersistenceOptions options;
	Persistence persistence;
} Daemon;

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void daemon_start(Daemon *daemon)
{
	ListenFds passed = { 0 };

	daemon->base = event_base_new();
	event_base_priority_init(daemon->base, 2);
	process_table_init(&daemon->processes, daemon->base, &FS_ROOTS_DEFAULT, ignore_exit, NULL);
	daemon->statistics = (Statistics){ 0 };
	fake_service_manager_pass(&daemon->manager, &passed);
	cr_assert_eq(persistence_open(&daemon->persistence, &daemon->options, &passed), 0);
	listen_fds_deinit(&passed);
	fake_service_manager_read(&daemon->manager);
}

static void daemon_stop(Daemon *daemon)
{
	persistence_close(&daemon->persistence);
	process_table_deinit(&daemon->processes);
	event_base_free(daemon->base);
}

static void daemon_restart(Daemon *daemon)
{
	daemon_stop(daemon);
	daemon_start(daemon);
}

static void daemon_begin(Daemon *daemon)
{
	*daemon = (Daemon){ .path = "/tmp/vaild-keeper-XXXXXX" };
	fake_service_manager_init(&daemon->manager, ROOM);
	cr_assert_not_null(mkdtemp(daemon->path));
	daemon->options = (PersistenceOptions){
		.runtime_directory = daemon->path,
		.roots = FS_ROOTS_DEFAULT,
		.processes = &daemon->processes,
		.parser = json_parser_new(),
		.statistics = &daemon->statistics,
	};
	cr_assert_eq(fd_info_init(&daemon->options.memfds), 0);
	daemon_start(daemon);
}

static void daemon_end(Daemon *daemon)
{
	char command[128];

	daemon_stop(daemon);
	cr_assert_eq(daemon->manager.dropped, 0);
	fake_service_manager_deinit(&daemon->manager);
	json_parser_free(daemon->options.parser);
	snprintf(command, sizeof(command), "rm -rf '%s'", daemon->path);
	cr_assert_eq(system(command), 0);
}

static const char *stored(Daemon *daemon)
{
	return fake_service_manager_names(&daemon->manager);
}

static size_t recorded(const Daemon *daemon, PersistedKind kind)
{
	PersistedRecords records;

	cr_assert_eq(record_file_load(&daemon->persistence.records, kind, &records), 0);
	size_t count = records.count;
	persisted_records_deinit(&records);
	return count;
}

static void assert_remarked(const Daemon *daemon, const char *subject, const char *message)
{
	for (size_t i = 0; i < daemon->statistics.remark_count; i++)
		if (strcmp(daemon->statistics.remarks[i].subject, subject) == 0 &&
		    strstr(daemon->statistics.remarks[i].message, message))
			return;
	cr_assert_fail("there is no remark about %s with the text: %s", subject, message);
}

static void assert_nothing_remarked(const Daemon *daemon)
{
	cr_assert_eq(daemon->statistics.remark_count, 0, "%s: %s",
		     daemon->statistics.remarks[0].subject, daemon->statistics.remarks[0].message);
}

static int open_memory(void)
{
	int memory = memfd_create("memory", MFD_CLOEXEC);

	cr_assert_geq(memory, 0);
	return memory;
}

static void release_and_close(Daemon *daemon, int fd)
{
	persistence_fdstore_release(&daemon->persistence, fd);
	close(fd);
}

static HostProcess *watch(Daemon *daemon, pid_t pid)
{
	HostProcess *process;

	cr_assert_eq(process_table_open(&daemon->processes, pid, &process), LOOKUP_FOUND);
	cr_assert(host_process_watch(process));
	return process;
}

Test(persistence, records_survive_a_restart)
{
	PersistedRecords records;
	Daemon daemon;

	daemon_begin(&daemon);
	cr_assert(persistence_save(&daemon.persistence, 5, "{\"kind\":\"a\"}", 12));
	cr_assert(persistence_save(&daemon.persistence, 6, "{}", 2));
	persistence_remove(&daemon.persistence, &(uint64_t){ 6 }, 1);
	daemon_restart(&daemon);
	persistence_end_restore(&daemon.persistence);
	cr_assert_eq(persistence_load(&daemon.persistence, &records), 0);
	cr_assert_eq(records.count, 1);
	cr_assert_eq(records.items[0].number, 5);
	cr_assert_str_eq(records.items[0].text, "{\"kind\":\"a\"}");
	persisted_records_deinit(&records);
	persistence_close(&daemon.persistence);
	cr_assert_not(persistence_save(&daemon.persistence, 7, "{}", 2));
	persistence_remove(&daemon.persistence, &(uint64_t){ 5 }, 1);
	daemon_end(&daemon);
}

Test(persistence, fd_survives_a_restart)
{
	struct stat before, after;
	int planes[2], claimed[2];
	Daemon daemon;

	daemon_begin(&daemon);
	planes[0] = open_memory();
	planes[1] = dup(planes[0]);
	cr_assert_eq(fstat(planes[0], &before), 0);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, planes[0]), 1);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, planes[1]), 1);
	cr_assert_str_eq(stored(&daemon), "m1");
	for (int restart = 0; restart < 2; restart++) {
		daemon_restart(&daemon);
		close(planes[0]);
		close(planes[1]);
		for (int i = 0; i < 2; i++) {
			cr_assert_eq(persistence_fdstore_find(&daemon.persistence, 1, &claimed[i]),
				     LOOKUP_FOUND);
			cr_assert_eq(fstat(claimed[i], &after), 0);
			cr_assert_eq(before.st_ino, after.st_ino);
			cr_assert_eq(fcntl(claimed[i], F_GETFD), FD_CLOEXEC);
			planes[i] = claimed[i];
		}
		persistence_end_restore(&daemon.persistence);
		cr_assert_str_eq(stored(&daemon), "m1");
		assert_nothing_remarked(&daemon);
	}
	release_and_close(&daemon, claimed[0]);
	cr_assert_str_eq(stored(&daemon), "m1");
	release_and_close(&daemon, claimed[1]);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, PERSISTED_FD), 0);
	cr_assert_eq(persistence_fdstore_find(&daemon.persistence, 1, &claimed[0]), LOOKUP_ABSENT);
	daemon_end(&daemon);
}

Test(persistence, ids_are_not_reused)
{
	Daemon daemon;
	int memory = open_memory();

	daemon_begin(&daemon);
	for (uint64_t id = 1; id <= 6; id++) {
		cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), id);
		persistence_fdstore_release(&daemon.persistence, memory);
		fake_service_manager_read(&daemon.manager);
		if (id % 2 == 0)
			daemon_restart(&daemon);
	}
	close(memory);
	daemon_end(&daemon);
}

Test(persistence, process_keeps_its_key)
{
	pid_t child = start_child(), pid = 0;
	Daemon daemon;

	daemon_begin(&daemon);
	HostProcess *process = watch(&daemon, child);
	ProcessKey key = process->key;
	cr_assert_str_eq(stored(&daemon), "p1");
	for (int restart = 0; restart < 2; restart++) {
		daemon_restart(&daemon);
		cr_assert_eq(persistence_find_process(&daemon.persistence, key, &pid),
			     LOOKUP_FOUND);
		cr_assert_eq(pid, child);
		process = process_table_find(&daemon.processes, key);
		cr_assert(host_process_watch(process));
		persistence_end_restore(&daemon.persistence);
		cr_assert_str_eq(stored(&daemon), "p1");
		assert_nothing_remarked(&daemon);
	}
	cr_assert_eq(persistence_find_process(&daemon.persistence, key + 1, &pid), LOOKUP_GONE);
	host_process_unwatch(process);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, PERSISTED_PROCESS), 0);
	daemon_end(&daemon);
	end_child(child);
}

Test(persistence, process_that_exits_before_the_restart_is_removed)
{
	pid_t child = start_child(), pid;
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	fake_service_manager_read(&daemon.manager);
	end_child(child);
	daemon_restart(&daemon);
	cr_assert_eq(persistence_find_process(&daemon.persistence, 1, &pid), LOOKUP_GONE);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, PERSISTED_PROCESS), 0);
	assert_nothing_remarked(&daemon);
	/* Its key is not reused. */
	child = start_child();
	cr_assert_eq(watch(&daemon, child)->key, 2);
	daemon_end(&daemon);
	end_child(child);
}

Test(persistence, unclaimed_fds_and_processes_are_removed)
{
	pid_t child = start_child();
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), 1);
	cr_assert_str_eq(stored(&daemon), "p1 m1");
	daemon_restart(&daemon);
	cr_assert_str_eq(stored(&daemon), "p1 m1");
	persistence_end_restore(&daemon.persistence);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, PERSISTED_PROCESS) + recorded(&daemon, PERSISTED_FD), 0);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}

Test(persistence, fd_without_a_record_is_removed)
{
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), 1);
	record_file_remove(&daemon.persistence.records, PERSISTED_FD, 1);
	fake_service_manager_read(&daemon.manager);
	strcpy(fake_service_manager_find(&daemon.manager, "m1")->name, "m9");
	daemon_restart(&daemon);
	assert_remarked(&daemon, "descriptor 9", "it has no record");
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), 10);
	fake_service_manager_read(&daemon.manager);
	strcpy(fake_service_manager_find(&daemon.manager, "m10")->name, "stored");
	daemon_restart(&daemon);
	cr_assert_str_eq(stored(&daemon), "");
	close(memory);
	daemon_end(&daemon);
}

Test(persistence, missing_fds_cause_remarks)
{
	pid_t child = start_child();
	int memory = open_memory(), fd;
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), 1);
	fake_service_manager_read(&daemon.manager);
	while (daemon.manager.count > 0)
		close(daemon.manager.entries[--daemon.manager.count].fd);
	daemon_restart(&daemon);
	assert_remarked(&daemon, "process 1", "did not return it");
	assert_remarked(&daemon, "descriptor 1", "did not return it");
	cr_assert_eq(persistence_fdstore_find(&daemon.persistence, 1, &fd), LOOKUP_ABSENT);
	daemon_restart(&daemon);
	assert_nothing_remarked(&daemon);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}

static void change_stored(Daemon *daemon, const char *name, int fd)
{
	fake_service_manager_read(&daemon->manager);
	FakeStoreEntry *entry = fake_service_manager_find(&daemon->manager, name);
	close(entry->fd);
	entry->fd = fd;
}

Test(persistence, fd_that_does_not_match_its_record_is_dropped)
{
	pid_t children[] = { start_child(), start_child() };
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, children[0]);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), 1);
	change_stored(&daemon, "p1", pidfd_open(children[1], 0));
	change_stored(&daemon, "m1", open_memory());
	daemon_restart(&daemon);
	assert_remarked(&daemon, "process 1", "is not the recorded process");
	assert_remarked(&daemon, "descriptor 1", "is not the recorded file descriptor");
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, PERSISTED_PROCESS) + recorded(&daemon, PERSISTED_FD), 0);
	close(memory);
	daemon_end(&daemon);
	end_child(children[0]);
	end_child(children[1]);
}

Test(persistence, full_store_refuses)
{
	pid_t child = start_child();
	int memories[ROOM];
	HostProcess *process;
	Daemon daemon;

	daemon_begin(&daemon);
	for (size_t i = 0; i < ROOM; i++) {
		memories[i] = open_memory();
		cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memories[i]) != 0,
			     i < ROOM - 1);
		fake_service_manager_read(&daemon.manager);
		if (i > 0)
			continue;
		cr_assert_eq(process_table_open(&daemon.processes, child, &process), LOOKUP_FOUND);
		cr_assert(host_process_watch(process));
		fake_service_manager_read(&daemon.manager);
	}
	cr_assert_eq(recorded(&daemon, PERSISTED_FD), ROOM - 1);
	host_process_unwatch(process);
	fake_service_manager_read(&daemon.manager);
	cr_assert_neq(persistence_fdstore_add(&daemon.persistence, memories[ROOM - 1]), 0);
	cr_assert_not(host_process_watch(process));
	for (size_t i = 0; i < ROOM; i++)
		close(memories[i]);
	daemon_end(&daemon);
	end_child(child);
}

Test(persistence, only_shareable_fds_are_stored)
{
	Daemon daemon;

	daemon_begin(&daemon);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, STDERR_FILENO), 0);
	cr_assert_str_eq(stored(&daemon), "");
	daemon_end(&daemon);
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
static bool daemon_try_start(Daemon *daemon, rlim_t spare)
{
	ListenFds passed = { 0 };

	daemon->base = event_base_new();
	event_base_priority_init(daemon->base, 2);
	process_table_init(&daemon->processes, daemon->base, &FS_ROOTS_DEFAULT, ignore_exit, NULL);
	fake_service_manager_pass(&daemon->manager, &passed);
	allow_fds(count_fds() + spare);
	int error = persistence_open(&daemon->persistence, &daemon->options, &passed);
	allow_fds(1024);
	listen_fds_deinit(&passed);
	fake_service_manager_read(&daemon->manager);
	if (error < 0) {
		process_table_deinit(&daemon->processes);
		event_base_free(daemon->base);
	}
	return error == 0;
}

/* Accepts a remark that the record file cannot be rewritten: nothing is lost by that. */
static void assert_nothing_lost(Daemon *daemon)
{
	for (size_t i = 0; i < daemon->statistics.remark_count; i++)
		cr_assert_not_null(
			strstr(daemon->statistics.remarks[i].message, "cannot be rewritten"));
	cr_assert_str_eq(stored(daemon), "p1 m1");
}

/* A start with too few fds fails and loses nothing. */
Test(persistence, exhaustion_is_not_absence)
{
	pid_t child = start_child(), pid;
	int memory = open_memory(), fd;
	size_t failures = 0;
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), 1);
	cr_assert_str_eq(stored(&daemon), "p1 m1");
	daemon_stop(&daemon);
	while (!daemon_try_start(&daemon, failures)) {
		failures++;
		assert_nothing_lost(&daemon);
		cr_assert_lt(failures, 20);
	}
	cr_assert_gt(failures, 3);
	assert_nothing_lost(&daemon);
	cr_assert_eq(persistence_find_process(&daemon.persistence, 1, &pid), LOOKUP_FOUND);
	cr_assert_eq(pid, child);
	cr_assert_eq(persistence_fdstore_find(&daemon.persistence, 1, &fd), LOOKUP_FOUND);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}

Test(persistence, second_daemon_is_refused)
{
	ListenFds passed = { 0 };
	Daemon daemon;
	Persistence other;

	daemon_begin(&daemon);
	cr_assert(persistence_save(&daemon.persistence, 5, "{}", 2));
	cr_assert_eq(persistence_open(&other, &daemon.options, &passed), -EADDRINUSE);
	persistence_close(&other);
	daemon_restart(&daemon);
	cr_assert_eq(recorded(&daemon, PERSISTED_ENTITY), 1);
	daemon_end(&daemon);
}

/* Everything works, but nothing survives. */
Test(persistence, without_a_service_manager)
{
	pid_t child = start_child();
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	unsetenv("NOTIFY_SOCKET");
	daemon_restart(&daemon);
	cr_assert(persistence_save(&daemon.persistence, 5, "{}", 2));
	cr_assert_eq(persistence_fdstore_add(&daemon.persistence, memory), 1);
	persistence_fdstore_release(&daemon.persistence, memory);
	HostProcess *process = watch(&daemon, child);
	host_process_unwatch(process);
	daemon_restart(&daemon);
	persistence_end_restore(&daemon.persistence);
	cr_assert_eq(recorded(&daemon, PERSISTED_ENTITY), 0);
	assert_nothing_remarked(&daemon);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}
