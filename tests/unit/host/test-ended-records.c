/* SPDX-License-Identifier: MIT */
/*
 * Proves that records which have ended wait for their removal without harm: in slices, between the
 * steps of a compaction, across crashes and on a full file system.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include "proto/macros.h"
#include "tests/unit/host/record-file-fixture.h"

TestSuite(ended_records, .init = set_up, .fini = tear_down);

static void save_some(uint64_t count)
{
	for (uint64_t i = 1; i <= count; i++)
		cr_assert(save(PERSISTED_ENTITY, i, "{}"));
}

static void end_records(const uint64_t *numbers, size_t count)
{
	record_file_remove_later(&fixture.file, PERSISTED_ENTITY, numbers, count);
}

static const uint64_t some[] = { 5, 77, 2, 4 };

Test(ended_records, removals_are_written_in_order)
{
	save_some(6);
	off_t size = fixture.file.lines.size;
	end_records(some, ARRAY_SIZE(some));
	end_records(some, ARRAY_SIZE(some));
	assert_all(PERSISTED_ENTITY, "1={};3={};6={};");
	cr_assert_eq(fixture.file.lines.size, size, "nothing is written yet");
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={};2={};3={};4={};5={};6={};");
	cr_assert_not(record_file_has_ended(&fixture.file));
	end_records(some, ARRAY_SIZE(some));
	cr_assert(record_file_remove_ended(&fixture.file, 2));
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={};3={};4={};6={};");
	end_records(some, ARRAY_SIZE(some));
	cr_assert_not(record_file_remove_ended(&fixture.file, 2));
	cr_assert_not(record_file_remove_ended(&fixture.file, 2));
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={};3={};6={};");
	cr_assert_eq(fixture.statistics.remark_count, 0);
}

Test(ended_records, they_do_not_exist)
{
	const uint64_t first[] = { 1 }, last[] = { 3 };
	uint64_t number = 0;
	Buffer text;

	save_some(3);
	end_records(first, 1);
	cr_assert(record_file_next(&fixture.file, PERSISTED_ENTITY, &number));
	cr_assert_eq(number, 2);
	end_records(last, 1);
	cr_assert_not(record_file_next(&fixture.file, PERSISTED_ENTITY, &number));
	cr_assert_neq(record_file_read(&fixture.file, PERSISTED_ENTITY, 1, &text), 0);
	cr_assert(record_file_contains(&fixture.file, PERSISTED_ENTITY, 1));
	cr_assert_not(record_file_contains(&fixture.file, PERSISTED_ENTITY, 4));
}

Test(ended_records, they_can_be_kept_saved_and_removed)
{
	const uint64_t numbers[] = { 1, 2, 3, 4 };

	save_some(4);
	end_records(numbers, ARRAY_SIZE(numbers));
	record_file_keep(&fixture.file, PERSISTED_ENTITY, 1);
	record_file_keep(&fixture.file, PERSISTED_ENTITY, 99);
	cr_assert(save(PERSISTED_ENTITY, 2, "{\"n\":2}"));
	record_file_remove(&fixture.file, PERSISTED_ENTITY, 3);
	cr_assert_eq(fixture.file.index.ended_count, 1);
	cr_assert_not(record_file_remove_ended(&fixture.file, 9));
	assert_all(PERSISTED_ENTITY, "1={};2={\"n\":2};");
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={};2={\"n\":2};");
}

/* A save that fails leaves the record as it was: ended. */
Test(ended_records, full_file_system)
{
	save_some(6);
	end_records(some, ARRAY_SIZE(some));
	limit_file_size(fixture.file.lines.size);
	cr_assert_not(save(PERSISTED_ENTITY, 2, "{\"n\":2}"));
	assert_all(PERSISTED_ENTITY, "1={};3={};6={};");
	cr_assert_not(record_file_remove_ended(&fixture.file, 9));
	limit_file_size((off_t)RLIM_INFINITY);
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={};3={};6={};");
	cr_assert_eq(fixture.statistics.remark_count, 0);
}

/* The records that exist, and those that have ended but are still in the file. */
#define NUMBERS 40

typedef struct Plain {
	char *texts[NUMBERS];
	bool has_ended[NUMBERS];
	uint64_t ended[NUMBERS]; /* in the order in which they have ended */
	size_t ended_count;
} Plain;

static void plain_keep(Plain *plain, uint64_t number)
{
	size_t kept = 0;

	for (size_t i = 0; i < plain->ended_count; i++)
		if (plain->ended[i] != number)
			plain->ended[kept++] = plain->ended[i];
	plain->ended_count = kept;
	plain->has_ended[number] = false;
}

static void plain_remove(Plain *plain, uint64_t number)
{
	plain_keep(plain, number);
	free(TAKE_POINTER(plain->texts[number]));
}

static void plain_free(Plain *plain)
{
	for (uint64_t i = 0; i < NUMBERS; i++)
		free(plain->texts[i]);
}

static void assert_as_plain(const Plain *plain)
{
	char *expected;
	size_t size;
	FILE *out = open_memstream(&expected, &size);

	for (int i = 0; i < NUMBERS; i++)
		if (plain->texts[i] && !plain->has_ended[i])
			fprintf(out, "%d=%s;", i, plain->texts[i]);
	fclose(out);
	assert_all(PERSISTED_ENTITY, expected);
	cr_assert_eq(fixture.file.index.ended_count, plain->ended_count);
	free(expected);
}

static void save_at_random(Plain *plain, uint64_t number)
{
	char *text;

	cr_assert_gt(asprintf(&text, "{\"a\":\"%0*ld\"}", (int)(random() % 2000), random()), 0);
	cr_assert(save(PERSISTED_ENTITY, number, text));
	plain_remove(plain, number);
	plain->texts[number] = text;
}

static void end_at_random(Plain *plain, uint64_t number)
{
	end_records(&number, 1);
	if (!plain->texts[number] || plain->has_ended[number])
		return;
	plain->has_ended[number] = true;
	plain->ended[plain->ended_count++] = number;
}

static void change_at_random(Plain *plain)
{
	uint64_t number = 1 + (uint64_t)random() % (NUMBERS - 1);

	switch (random() % 8) {
	case 0:
		record_file_remove(&fixture.file, PERSISTED_ENTITY, number);
		plain_remove(plain, number);
		break;
	case 1:
		record_file_keep(&fixture.file, PERSISTED_ENTITY, number);
		plain_keep(plain, number);
		break;
	case 2:
	case 3:
		end_at_random(plain, number);
		break;
	default:
		save_at_random(plain, number);
	}
}

static void remove_at_random(Plain *plain)
{
	size_t max = (size_t)random() % 5;

	record_file_remove_ended(&fixture.file, max);
	while (max-- > 0 && plain->ended_count > 0)
		plain_remove(plain, plain->ended[0]);
}

/* A restart brings back exactly the ended records whose removal was not written. */
static void reopen(Plain *plain)
{
	fixture_reopen();
	while (plain->ended_count > 0)
		plain_keep(plain, plain->ended[0]);
	cr_assert_eq(fixture.statistics.remark_count, 0);
}

Test(ended_records, random_changes_and_compactions)
{
	Plain plain = { 0 };
	int compactions = 0, with_ended = 0;

	srandom(21);
	for (int step = 0; step < 6000; step++) {
		unsigned int copy = fixture.file.index.current;

		change_at_random(&plain);
		if (random() % 6 == 0)
			remove_at_random(&plain);
		record_file_compact_step(&fixture.file, (size_t)random() % 6000);
		compactions += fixture.file.index.current != copy;
		with_ended += fixture.file.index.current != copy && plain.ended_count > 0;
		if (random() % 100 == 0)
			reopen(&plain);
		if (random() % 10 == 0)
			assert_as_plain(&plain);
	}
	cr_assert_gt(compactions, 20);
	cr_assert_gt(with_ended, 10);
	plain_free(&plain);
}

/* Kills a child after some removals and steps of a compaction. */
static void crash_after(int steps)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		for (int i = 0; i < steps; i++) {
			record_file_remove_ended(&fixture.file, 1);
			record_file_compact_step(&fixture.file, 4000);
		}
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
}

Test(ended_records, crash_after_each_step)
{
	Plain plain = { 0 };

	srandom(22);
	for (int steps = 0; steps < NUMBERS + 8; steps++) {
		while (!record_file_compacts(&fixture.file))
			change_at_random(&plain);
		for (uint64_t i = 1; i < NUMBERS; i += 1 + (uint64_t)random() % 3)
			end_at_random(&plain, i);
		crash_after(steps);
		for (int i = 0; i < steps && plain.ended_count > 0; i++)
			plain_remove(&plain, plain.ended[0]);
		reopen(&plain);
		assert_as_plain(&plain);
	}
	plain_free(&plain);
}
