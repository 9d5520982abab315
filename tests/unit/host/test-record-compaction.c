/* SPDX-License-Identifier: MIT */
/*
 * Proves that a compaction of the record file loses nothing: between any two of its steps records
 * can be saved and removed, the daemon can be killed, and the file system can fill up.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include "proto/macros.h"
#include "tests/unit/host/record-file-fixture.h"

TestSuite(record_compaction, .init = set_up, .fini = tear_down);

/* A plain store that does the same, for comparison. */
#define NUMBERS 40

typedef struct PlainStore {
	char *texts[PERSISTED_KIND_MAX][NUMBERS];
	uint64_t last[PERSISTED_KIND_MAX];
} PlainStore;

static void plain_free(PlainStore *plain)
{
	for (PersistedKind kind = 0; kind < PERSISTED_KIND_MAX; kind++)
		for (int i = 0; i < NUMBERS; i++)
			free(plain->texts[kind][i]);
}

static void assert_as_plain(const PlainStore *plain)
{
	for (PersistedKind kind = 0; kind < PERSISTED_KIND_MAX; kind++) {
		char *expected;
		size_t size;
		FILE *out = open_memstream(&expected, &size);

		for (int i = 0; i < NUMBERS; i++)
			if (plain->texts[kind][i])
				fprintf(out, "%d=%s;", i, plain->texts[kind][i]);
		fclose(out);
		assert_all(kind, expected);
		cr_assert_eq(record_file_last(&fixture.file, kind), plain->last[kind]);
		free(expected);
	}
}

static void save_at_random(PlainStore *plain, PersistedKind kind, uint64_t number)
{
	char **text = &plain->texts[kind][number];

	free(*text);
	cr_assert_gt(asprintf(text, "{\"a\":\"%0*ld\"}", (int)(random() % 2000), random()), 0);
	cr_assert(save(kind, number, *text));
	if (number > plain->last[kind])
		plain->last[kind] = number;
}

static void change_at_random(PlainStore *plain)
{
	PersistedKind kind = (PersistedKind)(random() % PERSISTED_KIND_MAX);
	uint64_t number = 1 + (uint64_t)random() % (NUMBERS - 1);

	if (random() % 3 > 0) {
		save_at_random(plain, kind, number);
	} else {
		record_file_remove(&fixture.file, kind, number);
		free(TAKE_POINTER(plain->texts[kind][number]));
	}
}

/* Changes records until the file is worth a compaction. */
static void make_obsolete(PlainStore *plain)
{
	while (!record_file_compacts(&fixture.file))
		change_at_random(plain);
}

Test(record_compaction, changes_between_steps_are_kept)
{
	PlainStore plain = { 0 };
	off_t largest = 0;
	int compactions = 0;

	srandom(11);
	for (int step = 0; step < 6000; step++) {
		size_t size = (size_t)random() % 6000;
		unsigned int copy = fixture.file.index.current;

		change_at_random(&plain);
		record_file_compact_step(&fixture.file, size);
		compactions += fixture.file.index.current != copy;
		if (fixture.file.lines.size > largest)
			largest = fixture.file.lines.size;
		if (random() % 200 == 0)
			fixture_reopen();
		if (random() % 20 == 0)
			assert_as_plain(&plain);
		cr_assert_eq(fixture.statistics.remark_count, 0);
	}
	cr_assert_gt(compactions, 20);
	/* 480000 bytes: twice 120 records of at most 2 KiB. More are added during a compaction. */
	cr_assert_lt(largest, 800000);
	plain_free(&plain);
}

/* Kills a child in the middle of the compaction, and reopens the file in this process. */
static void crash_after(int steps)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		for (int i = 0; i < steps; i++) {
			record_file_compact_step(&fixture.file, 4000);
			if (i % 7 == 0)
				save(PERSISTED_FD, 5, "{\"saved\":\"meanwhile\"}");
			if (i % 11 == 0)
				record_file_remove(&fixture.file, PERSISTED_FD, 6);
		}
		_exit(record_file_compacts(&fixture.file));
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
}

Test(record_compaction, crash_after_each_step)
{
	PlainStore plain = { 0 };
	bool was_copying = false;

	srandom(12);
	for (int steps = 1; steps < 400; steps += steps < 40 ? 1 : 9) {
		make_obsolete(&plain);
		save_at_random(&plain, PERSISTED_FD, 6);
		crash_after(steps);
		was_copying |= has("records.new");
		fixture_reopen();
		cr_assert_not(has("records.new"));
		cr_assert_eq(fixture.statistics.remark_count, 0);
		free(plain.texts[PERSISTED_FD][5]);
		plain.texts[PERSISTED_FD][5] = strdup("{\"saved\":\"meanwhile\"}");
		free(TAKE_POINTER(plain.texts[PERSISTED_FD][6]));
		assert_as_plain(&plain);
	}
	cr_assert(was_copying);
	plain_free(&plain);
}

Test(record_compaction, failure_of_each_step)
{
	PlainStore plain = { 0 };
	bool has_failed = true;

	srandom(13);
	for (int steps = 0; has_failed; steps++) {
		fixture_reopen();
		make_obsolete(&plain);
		for (int i = 0; i < steps; i++)
			record_file_compact_step(&fixture.file, 8192);
		has_failed = fixture.file.replaced.file < 0 && record_file_compacts(&fixture.file);
		limit_file_size(10);
		compact();
		limit_file_size((off_t)RLIM_INFINITY);
		cr_assert_not(has("records.new"));
		cr_assert_not(record_file_compacts(&fixture.file));
		assert_as_plain(&plain);
		change_at_random(&plain);
		fixture_reopen();
		assert_as_plain(&plain);
		cr_assert_eq(fixture.statistics.remark_count, 0);
	}
	plain_free(&plain);
}

/* A file that only shrinks is compacted too: once the records are half as large, it retries. */
Test(record_compaction, failed_compaction_is_retried)
{
	for (uint64_t i = 1; i <= 3000; i++)
		cr_assert(save(PERSISTED_ENTITY, i, "{\"text\":\"it has to fill a file\"}"));
	off_t size = fixture.file.lines.size;
	limit_file_size(10);
	for (uint64_t i = 1; i <= 2000; i++) {
		record_file_remove(&fixture.file, PERSISTED_ENTITY, i);
		compact();
	}
	cr_assert_eq(fixture.file.lines.size, size);
	limit_file_size((off_t)RLIM_INFINITY);
	for (uint64_t i = 2001; i <= 2900; i++) {
		record_file_remove(&fixture.file, PERSISTED_ENTITY, i);
		compact();
	}
	cr_assert_lt(fixture.file.lines.size, size / 2);
	fixture_reopen();
	cr_assert_eq(fixture.file.index.count, 100);
}

/* If no removal can be appended, the line is invalidated, but the new file may have it already. */
Test(record_compaction, record_removed_without_appending_does_not_reappear)
{
	for (size_t steps = 1; steps < 30; steps++) {
		fixture_reopen();
		for (uint64_t i = 1; i <= 2000; i++)
			cr_assert(
				save(PERSISTED_ENTITY, i, "{\"text\":\"it has to fill a file\"}"));
		for (uint64_t i = 1; i <= 1999; i++)
			record_file_remove(&fixture.file, PERSISTED_ENTITY, i);
		cr_assert(save(PERSISTED_PROCESS, 7, "{}"));
		for (size_t i = 0; i < steps; i++)
			record_file_compact_step(&fixture.file, 100);
		limit_file_size(fixture.file.lines.size);
		record_file_remove(&fixture.file, PERSISTED_ENTITY, 2000);
		limit_file_size((off_t)RLIM_INFINITY);
		compact();
		assert_all(PERSISTED_ENTITY, "");
		fixture_reopen();
		assert_all(PERSISTED_ENTITY, "");
		assert_all(PERSISTED_PROCESS, "7={};");
	}
}

/* Takes all space that is left in the file system. */
static void fill_file_system(void)
{
	static const char bytes[4096];
	char path[160];

	snprintf(path, sizeof(path), "%s/filler", fixture.path);
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(file, 0);
	while (write(file, bytes, sizeof(bytes)) > 0)
		;
	cr_assert_eq(errno, ENOSPC);
	close(file);
}

/* Only the space that is preallocated for removals is left for the new file. */
Test(record_compaction, full_file_system)
{
	record_file_close(&fixture.file);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", fixture.path, "tmpfs", 0, "size=512k") < 0)
		cr_skip_test("a small tmpfs cannot be mounted here");
	fixture_open();
	for (uint64_t i = 1; i <= 2000; i++)
		cr_assert(save(PERSISTED_ENTITY, i, "{\"text\":\"it has to fill a file\"}"));
	fill_file_system();
	for (uint64_t i = 1; i <= 1900; i++)
		record_file_remove(&fixture.file, PERSISTED_ENTITY, i);
	char *before = all(PERSISTED_ENTITY);
	cr_assert(record_file_compacts(&fixture.file));
	bool gave_up_room = false;
	while (record_file_compact_step(&fixture.file, 4096)) {
		gave_up_room |= fixture.file.gave_up_room;
		assert_all(PERSISTED_ENTITY, before);
	}
	cr_assert_not(fixture.file.gave_up_room);
	cr_assert_lt(fixture.file.lines.size, 100000);
	cr_assert(save(PERSISTED_PROCESS, 2, "{}"));
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, before);
	cr_assert(gave_up_room, "otherwise this file system was not full");
	free(before);
	record_file_close(&fixture.file);
	cr_assert_eq(umount(fixture.path), 0);
}

static void unlink_named(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
	cr_assert_eq(unlink(path), 0, "%s", name);
}

Test(record_compaction, file_that_somebody_removes)
{
	static const char *const names[] = { "records", "records.new" };
	PlainStore plain = { 0 };

	srandom(14);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fixture_reopen();
		make_obsolete(&plain);
		record_file_compact_step(&fixture.file, 4096);
		record_file_compact_step(&fixture.file, 4096);
		unlink_named(names[i]);
		save_at_random(&plain, PERSISTED_ENTITY, 1);
		compact();
		assert_as_plain(&plain);
		fixture_reopen();
		assert_as_plain(&plain);
	}
	plain_free(&plain);
}

/* An old file with a second name still belongs to somebody, and is not shortened. */
Test(record_compaction, kept_link_is_not_shortened)
{
	char from[160], to[160];
	PlainStore plain = { 0 };

	srandom(15);
	make_obsolete(&plain);
	snprintf(from, sizeof(from), "%s/records", fixture.path);
	snprintf(to, sizeof(to), "%s/kept", fixture.path);
	cr_assert_eq(link(from, to), 0);
	Buffer before = read_named("kept");
	compact();
	Buffer after = read_named("kept");
	cr_assert_eq(buffer_size(&after), buffer_size(&before));
	buffer_deinit(&before);
	buffer_deinit(&after);
	plain_free(&plain);
}

static int due;

static void count_due(void *context)
{
	(void)context;
	due++;
}

Test(record_compaction, owner_is_notified)
{
	PlainStore plain = { 0 };

	srandom(16);
	fixture.options.work_due = count_due;
	fixture_reopen();
	cr_assert_not(record_file_compact_step(&fixture.file, 4096));
	make_obsolete(&plain);
	cr_assert_eq(due, 1);
	compact();
	save_at_random(&plain, PERSISTED_ENTITY, 1);
	cr_assert_eq(due, 1);
	plain_free(&plain);
}
