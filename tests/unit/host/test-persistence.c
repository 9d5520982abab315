/* SPDX-License-Identifier: MIT */
/* Proves that records and stored fds are restored together, and that one without the other is
 * dropped. */
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

TestSuite(keeper);

#define ROOM 30

typedef struct Daemon {
	NaiveManager manager;
	char path[64];
	struct event_base *base;
	ProcessTable processes;
	Statistics statistics;
	KeeperOptions options;
	Keeper keeper;
} Daemon;

static void ignore_exit(void *context, ProcessKey key)
{
	(void)context;
	(void)key;
}

static void daemon_start(Daemon *daemon)
{
	PassedDescriptors passed = { 0 };

	daemon->base = event_base_new();
	event_base_priority_init(daemon->base, 2);
	process_table_init(&daemon->processes, daemon->base, &ROOTS_DEFAULT, ignore_exit, NULL);
	daemon->statistics = (Statistics){ 0 };
	naive_manager_pass(&daemon->manager, &passed);
	cr_assert_eq(keeper_open(&daemon->keeper, &daemon->options, &passed), 0);
	passed_descriptors_deinit(&passed);
	naive_manager_hear(&daemon->manager);
}

static void daemon_stop(Daemon *daemon)
{
	keeper_close(&daemon->keeper);
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
	naive_manager_init(&daemon->manager, ROOM);
	cr_assert_not_null(mkdtemp(daemon->path));
	daemon->options = (KeeperOptions){
		.runtime_directory = daemon->path,
		.roots = ROOTS_DEFAULT,
		.processes = &daemon->processes,
		.parser = json_parser_new(),
		.statistics = &daemon->statistics,
	};
	cr_assert_eq(descriptor_facts_init(&daemon->options.memfds), 0);
	daemon_start(daemon);
}

static void daemon_end(Daemon *daemon)
{
	char command[128];

	daemon_stop(daemon);
	cr_assert_eq(daemon->manager.dropped, 0);
	naive_manager_deinit(&daemon->manager);
	json_parser_free(daemon->options.parser);
	snprintf(command, sizeof(command), "rm -rf '%s'", daemon->path);
	cr_assert_eq(system(command), 0);
}

static const char *stored(Daemon *daemon)
{
	return naive_manager_names(&daemon->manager);
}

static size_t recorded(const Daemon *daemon, KeptKind kind)
{
	PersistedRecords records;

	cr_assert_eq(record_file_load(&daemon->keeper.records, kind, &records), 0);
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

static void release_and_close(Daemon *daemon, int descriptor)
{
	keeper_release_descriptor(&daemon->keeper, descriptor);
	close(descriptor);
}

static HostProcess *watch(Daemon *daemon, pid_t pid)
{
	HostProcess *process;

	cr_assert_eq(process_table_open(&daemon->processes, pid, &process), EVIDENCE_FOUND);
	cr_assert(host_process_watch(process));
	return process;
}

Test(keeper, records_survive_a_restart)
{
	PersistedRecords records;
	Daemon daemon;

	daemon_begin(&daemon);
	cr_assert(keeper_keep(&daemon.keeper, 5, "{\"kind\":\"a\"}", 12));
	cr_assert(keeper_keep(&daemon.keeper, 6, "{}", 2));
	keeper_drop(&daemon.keeper, &(uint64_t){ 6 }, 1);
	daemon_restart(&daemon);
	keeper_end_restore(&daemon.keeper);
	cr_assert_eq(keeper_load(&daemon.keeper, &records), 0);
	cr_assert_eq(records.count, 1);
	cr_assert_eq(records.items[0].number, 5);
	cr_assert_str_eq(records.items[0].text, "{\"kind\":\"a\"}");
	persisted_records_deinit(&records);
	keeper_close(&daemon.keeper);
	cr_assert_not(keeper_keep(&daemon.keeper, 7, "{}", 2));
	keeper_drop(&daemon.keeper, &(uint64_t){ 5 }, 1);
	daemon_end(&daemon);
}

Test(keeper, fd_survives_a_restart)
{
	struct stat before, after;
	int planes[2], claimed[2];
	Daemon daemon;

	daemon_begin(&daemon);
	planes[0] = open_memory();
	planes[1] = dup(planes[0]);
	cr_assert_eq(fstat(planes[0], &before), 0);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, planes[0]), 1);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, planes[1]), 1);
	cr_assert_str_eq(stored(&daemon), "m1");
	for (int restart = 0; restart < 2; restart++) {
		daemon_restart(&daemon);
		close(planes[0]);
		close(planes[1]);
		for (int i = 0; i < 2; i++) {
			cr_assert_eq(keeper_find_descriptor(&daemon.keeper, 1, &claimed[i]),
				     EVIDENCE_FOUND);
			cr_assert_eq(fstat(claimed[i], &after), 0);
			cr_assert_eq(before.st_ino, after.st_ino);
			cr_assert_eq(fcntl(claimed[i], F_GETFD), FD_CLOEXEC);
			planes[i] = claimed[i];
		}
		keeper_end_restore(&daemon.keeper);
		cr_assert_str_eq(stored(&daemon), "m1");
		assert_nothing_remarked(&daemon);
	}
	release_and_close(&daemon, claimed[0]);
	cr_assert_str_eq(stored(&daemon), "m1");
	release_and_close(&daemon, claimed[1]);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, KEPT_DESCRIPTOR), 0);
	cr_assert_eq(keeper_find_descriptor(&daemon.keeper, 1, &claimed[0]), EVIDENCE_ABSENT);
	daemon_end(&daemon);
}

Test(keeper, ids_are_not_reused)
{
	Daemon daemon;
	int memory = open_memory();

	daemon_begin(&daemon);
	for (uint64_t id = 1; id <= 6; id++) {
		cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), id);
		keeper_release_descriptor(&daemon.keeper, memory);
		naive_manager_hear(&daemon.manager);
		if (id % 2 == 0)
			daemon_restart(&daemon);
	}
	close(memory);
	daemon_end(&daemon);
}

Test(keeper, process_keeps_its_key)
{
	pid_t child = start_child(), pid = 0;
	Daemon daemon;

	daemon_begin(&daemon);
	HostProcess *process = watch(&daemon, child);
	ProcessKey key = process->key;
	cr_assert_str_eq(stored(&daemon), "p1");
	for (int restart = 0; restart < 2; restart++) {
		daemon_restart(&daemon);
		cr_assert_eq(keeper_find_process(&daemon.keeper, key, &pid), EVIDENCE_FOUND);
		cr_assert_eq(pid, child);
		process = process_table_find(&daemon.processes, key);
		cr_assert(host_process_watch(process));
		keeper_end_restore(&daemon.keeper);
		cr_assert_str_eq(stored(&daemon), "p1");
		assert_nothing_remarked(&daemon);
	}
	cr_assert_eq(keeper_find_process(&daemon.keeper, key + 1, &pid), EVIDENCE_GONE);
	host_process_unwatch(process);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, KEPT_PROCESS), 0);
	daemon_end(&daemon);
	end_child(child);
}

Test(keeper, process_that_exits_before_the_restart_is_removed)
{
	pid_t child = start_child(), pid;
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	naive_manager_hear(&daemon.manager);
	end_child(child);
	daemon_restart(&daemon);
	cr_assert_eq(keeper_find_process(&daemon.keeper, 1, &pid), EVIDENCE_GONE);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, KEPT_PROCESS), 0);
	assert_nothing_remarked(&daemon);
	/* Its key is not reused. */
	child = start_child();
	cr_assert_eq(watch(&daemon, child)->key, 2);
	daemon_end(&daemon);
	end_child(child);
}

Test(keeper, unclaimed_fds_and_processes_are_removed)
{
	pid_t child = start_child();
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), 1);
	cr_assert_str_eq(stored(&daemon), "p1 m1");
	daemon_restart(&daemon);
	cr_assert_str_eq(stored(&daemon), "p1 m1");
	keeper_end_restore(&daemon.keeper);
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, KEPT_PROCESS) + recorded(&daemon, KEPT_DESCRIPTOR), 0);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}

Test(keeper, fd_without_a_record_is_removed)
{
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), 1);
	record_file_drop(&daemon.keeper.records, KEPT_DESCRIPTOR, 1);
	naive_manager_hear(&daemon.manager);
	strcpy(naive_manager_find(&daemon.manager, "m1")->name, "m9");
	daemon_restart(&daemon);
	assert_remarked(&daemon, "descriptor 9", "it has no record");
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), 10);
	naive_manager_hear(&daemon.manager);
	strcpy(naive_manager_find(&daemon.manager, "m10")->name, "stored");
	daemon_restart(&daemon);
	cr_assert_str_eq(stored(&daemon), "");
	close(memory);
	daemon_end(&daemon);
}

Test(keeper, missing_fds_cause_remarks)
{
	pid_t child = start_child();
	int memory = open_memory(), descriptor;
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), 1);
	naive_manager_hear(&daemon.manager);
	while (daemon.manager.count > 0)
		close(daemon.manager.entries[--daemon.manager.count].descriptor);
	daemon_restart(&daemon);
	assert_remarked(&daemon, "process 1", "did not return it");
	assert_remarked(&daemon, "descriptor 1", "did not return it");
	cr_assert_eq(keeper_find_descriptor(&daemon.keeper, 1, &descriptor), EVIDENCE_ABSENT);
	daemon_restart(&daemon);
	assert_nothing_remarked(&daemon);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}

static void change_stored(Daemon *daemon, const char *name, int descriptor)
{
	naive_manager_hear(&daemon->manager);
	NaiveEntry *entry = naive_manager_find(&daemon->manager, name);
	close(entry->descriptor);
	entry->descriptor = descriptor;
}

Test(keeper, fd_that_does_not_match_its_record_is_dropped)
{
	pid_t children[] = { start_child(), start_child() };
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, children[0]);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), 1);
	change_stored(&daemon, "p1", pidfd_open(children[1], 0));
	change_stored(&daemon, "m1", open_memory());
	daemon_restart(&daemon);
	assert_remarked(&daemon, "process 1", "is not the recorded process");
	assert_remarked(&daemon, "descriptor 1", "is not the recorded file descriptor");
	cr_assert_str_eq(stored(&daemon), "");
	cr_assert_eq(recorded(&daemon, KEPT_PROCESS) + recorded(&daemon, KEPT_DESCRIPTOR), 0);
	close(memory);
	daemon_end(&daemon);
	end_child(children[0]);
	end_child(children[1]);
}

Test(keeper, full_store_refuses)
{
	pid_t child = start_child();
	int memories[ROOM];
	HostProcess *process;
	Daemon daemon;

	daemon_begin(&daemon);
	for (size_t i = 0; i < ROOM; i++) {
		memories[i] = open_memory();
		cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memories[i]) != 0,
			     i < ROOM - 1);
		naive_manager_hear(&daemon.manager);
		if (i > 0)
			continue;
		cr_assert_eq(process_table_open(&daemon.processes, child, &process),
			     EVIDENCE_FOUND);
		cr_assert(host_process_watch(process));
		naive_manager_hear(&daemon.manager);
	}
	cr_assert_eq(recorded(&daemon, KEPT_DESCRIPTOR), ROOM - 1);
	host_process_unwatch(process);
	naive_manager_hear(&daemon.manager);
	cr_assert_neq(keeper_keep_descriptor(&daemon.keeper, memories[ROOM - 1]), 0);
	cr_assert_not(host_process_watch(process));
	for (size_t i = 0; i < ROOM; i++)
		close(memories[i]);
	daemon_end(&daemon);
	end_child(child);
}

Test(keeper, only_shareable_fds_are_stored)
{
	Daemon daemon;

	daemon_begin(&daemon);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, STDERR_FILENO), 0);
	cr_assert_str_eq(stored(&daemon), "");
	daemon_end(&daemon);
}

static void allow_descriptors(rlim_t count)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Returns the lowest free fd. Assumes that all lower ones are open. */
static rlim_t count_descriptors(void)
{
	int next = dup(STDERR_FILENO);

	close(next);
	return (rlim_t)next;
}

/* Starts with at most spare free fds. Returns whether the start succeeded. */
static bool daemon_try_start(Daemon *daemon, rlim_t spare)
{
	PassedDescriptors passed = { 0 };

	daemon->base = event_base_new();
	event_base_priority_init(daemon->base, 2);
	process_table_init(&daemon->processes, daemon->base, &ROOTS_DEFAULT, ignore_exit, NULL);
	naive_manager_pass(&daemon->manager, &passed);
	allow_descriptors(count_descriptors() + spare);
	int error = keeper_open(&daemon->keeper, &daemon->options, &passed);
	allow_descriptors(1024);
	passed_descriptors_deinit(&passed);
	naive_manager_hear(&daemon->manager);
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
Test(keeper, exhaustion_is_not_absence)
{
	pid_t child = start_child(), pid;
	int memory = open_memory(), descriptor;
	size_t failures = 0;
	Daemon daemon;

	daemon_begin(&daemon);
	watch(&daemon, child);
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), 1);
	cr_assert_str_eq(stored(&daemon), "p1 m1");
	daemon_stop(&daemon);
	while (!daemon_try_start(&daemon, failures)) {
		failures++;
		assert_nothing_lost(&daemon);
		cr_assert_lt(failures, 20);
	}
	cr_assert_gt(failures, 3);
	assert_nothing_lost(&daemon);
	cr_assert_eq(keeper_find_process(&daemon.keeper, 1, &pid), EVIDENCE_FOUND);
	cr_assert_eq(pid, child);
	cr_assert_eq(keeper_find_descriptor(&daemon.keeper, 1, &descriptor), EVIDENCE_FOUND);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}

Test(keeper, second_daemon_is_refused)
{
	PassedDescriptors passed = { 0 };
	Daemon daemon;
	Keeper other;

	daemon_begin(&daemon);
	cr_assert(keeper_keep(&daemon.keeper, 5, "{}", 2));
	cr_assert_eq(keeper_open(&other, &daemon.options, &passed), -EADDRINUSE);
	keeper_close(&other);
	daemon_restart(&daemon);
	cr_assert_eq(recorded(&daemon, KEPT_THING), 1);
	daemon_end(&daemon);
}

/* Everything works, but nothing survives. */
Test(keeper, without_a_service_manager)
{
	pid_t child = start_child();
	int memory = open_memory();
	Daemon daemon;

	daemon_begin(&daemon);
	unsetenv("NOTIFY_SOCKET");
	daemon_restart(&daemon);
	cr_assert(keeper_keep(&daemon.keeper, 5, "{}", 2));
	cr_assert_eq(keeper_keep_descriptor(&daemon.keeper, memory), 1);
	keeper_release_descriptor(&daemon.keeper, memory);
	HostProcess *process = watch(&daemon, child);
	host_process_unwatch(process);
	daemon_restart(&daemon);
	keeper_end_restore(&daemon.keeper);
	cr_assert_eq(recorded(&daemon, KEPT_THING), 0);
	assert_nothing_remarked(&daemon);
	close(memory);
	daemon_end(&daemon);
	end_child(child);
}
