/* SPDX-License-Identifier: MIT */
/*
 * Proves that persisted records survive a restart, each completely or not at all, whatever happens
 * to the file and however little space there is.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "daemon/host/persist/record-file.h"
#include "daemon/host/process/file-read.h"
#include "proto/fd-util.h"
#include "tests/unit/host/record-file-fixture.h"

TestSuite(record_file, .init = set_up, .fini = tear_down);

static void write_records(const char *data, size_t size)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/records", fixture.path);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(data, 1, size, file), size);
	fclose(file);
}

static void remove_damaged(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/records.damaged", fixture.path);
	unlink(path);
}

Test(record_file, saved_records_survive)
{
	cr_assert(save(PERSISTED_ENTITY, 7, "{\"a\":1}"));
	cr_assert(save(PERSISTED_ENTITY, 3, "{\"b\":\"}\"}"));
	cr_assert(save(PERSISTED_PROCESS, 7, "{}"));
	cr_assert(save(PERSISTED_ENTITY, 7, "{\"a\":2}"));
	cr_assert(save(PERSISTED_ENTITY, 9, "{}"));
	record_file_remove(&fixture.file, PERSISTED_ENTITY, 9);
	record_file_remove(&fixture.file, PERSISTED_ENTITY, 9);
	for (int i = 0; i < 3; i++) {
		assert_all(PERSISTED_ENTITY, "3={\"b\":\"}\"};7={\"a\":2};");
		assert_all(PERSISTED_PROCESS, "7={};");
		assert_all(PERSISTED_FD, "");
		cr_assert_eq(record_file_last(&fixture.file, PERSISTED_ENTITY), 9);
		cr_assert_eq(record_file_last(&fixture.file, PERSISTED_FD), 0);
		fixture_reopen();
		cr_assert_eq(fixture.statistics.remark_count, 0);
	}
}

Test(record_file, only_the_daemon_has_access)
{
	struct stat status;

	cr_assert_eq(fstat(fixture.file.lines.file, &status), 0);
	cr_assert_eq(status.st_mode, S_IFREG | 0600);
	cr_assert_eq(fcntl(fixture.file.lines.file, F_GETFD), FD_CLOEXEC);
	cr_assert_not(has("records.new"));
}

/* Following a symbolic link would let an attacker overwrite another file. */
Test(record_file, symbolic_links_and_fifos_are_refused)
{
	char target[160], path[160];

	snprintf(path, sizeof(path), "%s/records", fixture.path);
	snprintf(target, sizeof(target), "%s/elsewhere", fixture.path);
	cr_assert_eq(rename(path, target), 0);
	cr_assert_eq(symlink(target, path), 0);
	record_file_close(&fixture.file);
	cr_assert_eq(record_file_open(&fixture.file, &fixture.options), -ELOOP);
	cr_assert_not(save(PERSISTED_ENTITY, 1, "{}"));
	record_file_remove(&fixture.file, PERSISTED_ENTITY, 1);
	unlink(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(record_file_open(&fixture.file, &fixture.options), -EINVAL);
}

/* Five records, to damage one of them and to expect the others unchanged. */
#define LINES    5
#define EXPECTED "1={\"n\":1};2={\"n\":2};3={\"n\":3};4={\"n\":4};5={\"n\":5};"

static Buffer five_lines(void)
{
	char text[16];

	for (uint64_t i = 1; i <= LINES; i++) {
		snprintf(text, sizeof(text), "{\"n\":%" PRIu64 "}", i);
		cr_assert(save(PERSISTED_ENTITY, i, text));
	}
	Buffer contents = read_named("records");
	record_file_close(&fixture.file);
	return contents;
}

static size_t count_line_ends(const char *data, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += data[i] == '\n';
	return count;
}

static void assert_saved_damaged(const char *data, size_t size)
{
	Buffer saved = read_named("records.damaged");

	cr_assert_gt(fixture.statistics.remark_count, 0);
	cr_assert_eq(buffer_size(&saved), size);
	cr_assert_eq(memcmp(saved.data, data, size), 0);
	buffer_deinit(&saved);
	remove_damaged();
}

/* The highest valid number, and the one after it. */
Test(record_file, numbers_above_the_maximum_are_refused)
{
	Buffer line = BUFFER_INIT;
	PersistedRecord record = { .text = "{}", .size = 2 };
	PersistedKind kind;

	for (uint64_t more = 0; more < 2; more++) {
		record.number = PERSISTED_NUMBER_MAX + more;
		buffer_truncate(&line, 0);
		cr_assert(record_line_append(&line, PERSISTED_ENTITY, &record));
		cr_assert_eq(record_line_parse(buffer_head(&line), buffer_size(&line) - 1, &kind,
					       &record),
			     more == 0);
	}
	buffer_deinit(&line);
}

/* 0 stands for no record, so that such a record could never be removed again. */
Test(record_file, number_zero_is_refused)
{
	PersistedRecord record = { .number = 0, .text = "\"x\"", .size = 3 }, parsed;
	Buffer line = BUFFER_INIT;
	PersistedKind kind;

	cr_assert(record_line_append(&line, PERSISTED_ENTITY, &record));
	cr_assert_not(
		record_line_parse(buffer_head(&line), buffer_size(&line) - 1, &kind, &parsed));
	buffer_deinit(&line);
}

Test(record_file, truncation_at_every_byte)
{
	Buffer whole = five_lines();

	for (size_t size = 0; size <= buffer_size(&whole); size++) {
		size_t lines = count_line_ends(whole.data, size);
		char expected[sizeof(EXPECTED)] = EXPECTED;

		expected[lines == 0 ? 0 : (lines - 1) * strlen("1={\"n\":1};")] = '\0';
		write_records(whole.data, size);
		fixture_open();
		assert_all(PERSISTED_ENTITY, expected);
		/*
		 * A file without a header is damaged. An incomplete last line causes a remark but
		 * is not damage.
		 */
		if (lines == 0)
			assert_saved_damaged(whole.data, size);
		else if (whole.data[size - 1] != '\n')
			cr_assert_eq(fixture.statistics.remark_count, 1, "size %zu", size);
		cr_assert_not(has("records.damaged"), "size %zu", size);
		/* The file is valid again. */
		cr_assert(save(PERSISTED_ENTITY, 6, "{}"));
		fixture_reopen();
		cr_assert_eq(fixture.statistics.remark_count, 0, "size %zu", size);
		record_file_close(&fixture.file);
	}
	buffer_deinit(&whole);
}

/* A damaged newline joins two lines, so the next record is lost too. */
static void expect_without(char expected[static sizeof(EXPECTED)], size_t line, bool and_next)
{
	const size_t each = strlen("1={\"n\":1};");
	size_t from = line == 0 ? 0 : (line - 1) * each;
	size_t to = line == 0 ? LINES * each : (line + and_next) * each;

	if (to > LINES * each)
		to = LINES * each;
	strcpy(expected, EXPECTED);
	memmove(expected + from, &EXPECTED[to], strlen(&EXPECTED[to]) + 1);
}

Test(record_file, every_byte_changed)
{
	Buffer whole = five_lines();
	size_t size = buffer_size(&whole);

	srandom(7);
	for (size_t i = 0; i < size * 4; i++) {
		size_t at = i % size, line = count_line_ends(whole.data, at);
		char expected[sizeof(EXPECTED)], was = whole.data[at];

		do
			whole.data[at] = (char)random();
		while (whole.data[at] == was);
		expect_without(expected, line, was == '\n');
		write_records(whole.data, size);
		fixture_open();
		assert_all(PERSISTED_ENTITY, expected);
		if (at + 1 < size)
			assert_saved_damaged(whole.data, size);
		else /* the last line is incomplete */
			cr_assert_eq(fixture.statistics.remark_count, 1);
		record_file_close(&fixture.file);
		whole.data[at] = was;
	}
	buffer_deinit(&whole);
}

Test(record_file, each_damaged_file_is_saved)
{
	for (int i = 0; i < 3; i++) {
		record_file_close(&fixture.file);
		write_records(i == 0 ? "a" : i == 1 ? "b" : "c", 1);
		fixture_open();
	}
	cr_assert(has("records.damaged"));
	cr_assert(has("records.damaged.2"));
	cr_assert(has("records.damaged.3"));
}

/* Saves the first seven damaged files and the last one. */
Test(record_file, saved_damaged_files_are_limited)
{
	for (const char *letter = "abcdefghijklmnopqrstuvwxyz"; *letter; letter++) {
		record_file_close(&fixture.file);
		write_records(letter, 1);
		fixture_open();
		cr_assert_eq(fixture.statistics.remark_count, 2);
	}
	cr_assert_not(has("records.damaged.9"));
	Buffer first = read_named("records.damaged");
	Buffer last = read_named("records.damaged.8");
	cr_assert_str_eq(first.data, "a");
	cr_assert_str_eq(last.data, "z");
	buffer_deinit(&first);
	buffer_deinit(&last);
}

static void write_header(const char *json)
{
	char text[256];
	int size = snprintf(text, sizeof(text), "%08lx %s\n",
			    crc32_z(0, (const Bytef *)json, strlen(json)), json);

	write_records(text, (size_t)size);
}

Test(record_file, newer_version_is_refused_and_unchanged)
{
	char header[64];

	cr_assert(save(PERSISTED_ENTITY, 1, "{}"));
	record_file_close(&fixture.file);
	snprintf(header, sizeof(header), "{\"version\":%d,\"boot\":[]}", RECORD_VERSION + 1);
	write_header(header);
	Buffer before = read_named("records");
	cr_assert_eq(record_file_open(&fixture.file, &fixture.options), -EPROTO);
	Buffer after = read_named("records");
	cr_assert_str_eq(before.data, after.data);
	cr_assert_not(has("records.damaged"));
	buffer_deinit(&before);
	buffer_deinit(&after);
}

Test(record_file, invalid_header_is_damage)
{
	static const char *const headers[] = {
		"{\"version\":0}",
		"{}",
		"null",
		"{\"version\":1}",
		"{\"version\":2}",
		"{\"version\":1,\"bootId\":\"" BOOT "\"}",
		"{\"version\":1,\"bootId\":\"" BOOT "0\",\"last\":{\"serial\":0,\"process\":0,"
		"\"descriptor\":0}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {

		record_file_close(&fixture.file);
		write_header(headers[i]);
		fixture_open();
		cr_assert(has("records.damaged"), "case %zu", i);
		assert_all(PERSISTED_ENTITY, "");
		remove_damaged();
	}
}

Test(record_file, records_of_another_boot_are_discarded)
{
	cr_assert(save(PERSISTED_ENTITY, 1, "{}"));
	fixture.options.boot_id = "1111111189abcdef0123456789abcdef";
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "");
	cr_assert_eq(record_file_last(&fixture.file, PERSISTED_ENTITY), 0);
	cr_assert_not(has("records.damaged"));
}

/* Saves records until the file system is full and 50 were refused. Returns the number saved. */
static uint64_t fill(void)
{
	char text[512];
	uint64_t saved = 0, refused = 0;

	for (uint64_t i = 1; i < 100000 && refused < 50; i++) {
		snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", (int)(i % 400), 1);
		if (save(PERSISTED_ENTITY, i, text))
			saved++;
		else
			refused++;
	}
	cr_assert_eq(refused, 50);
	return saved;
}

static void assert_removals_succeed_when_full(void)
{
	fixture_open();
	uint64_t saved = fill();
	cr_assert_gt(saved, 10);
	off_t size = fixture.file.lines.size;
	char *before = all(PERSISTED_ENTITY);

	/* A refused record leaves no trace in the file. The full file system causes a remark. */
	fixture_reopen();
	cr_assert_eq(fixture.statistics.remark_count, 1);
	assert_all(PERSISTED_ENTITY, before);
	cr_assert_leq(fixture.file.lines.size, size + 256);
	free(before);
	for (uint64_t i = 1; i < 100000; i++)
		record_file_remove(&fixture.file, PERSISTED_ENTITY, i);
	compact();
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "");
	cr_assert_eq(fixture.statistics.remark_count, 0);
}

Test(record_file, removal_succeeds_on_a_full_file_system)
{
	record_file_close(&fixture.file);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", fixture.path, "tmpfs", 0, "size=512k") < 0)
		cr_skip_test("a small tmpfs cannot be mounted here");
	assert_removals_succeed_when_full();
	record_file_close(&fixture.file);
	cr_assert_eq(umount(fixture.path), 0);
}

/* Lets a write stop after every possible number of bytes. */
Test(record_file, partial_writes_are_rolled_back)
{
	struct rlimit limit = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert(save(PERSISTED_ENTITY, 1, "{\"n\":1}"));
	off_t size = fixture.file.lines.size;
	for (rlim_t room = 0; room < fixture.file.index.size; room++) {
		limit.rlim_cur = (rlim_t)size + room;
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		bool saved = save(PERSISTED_ENTITY, 2, "{\"n\":2}");
		bool replaced = save(PERSISTED_ENTITY, 1, "{\"n\":3}");
		limit.rlim_cur = RLIM_INFINITY;
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		cr_assert_not(saved);
		cr_assert_not(replaced);
		Buffer contents = read_named("records");
		cr_assert_eq(buffer_size(&contents), (size_t)size, "room %zu", (size_t)room);
		buffer_deinit(&contents);
		assert_all(PERSISTED_ENTITY, "1={\"n\":1};");
	}
	cr_assert(save(PERSISTED_ENTITY, 2, "{\"n\":2}"));
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={\"n\":1};2={\"n\":2};");
	cr_assert_eq(fixture.statistics.remark_count, 0);
}

/* The line is invalidated in place, and no earlier state of the record reappears. */
Test(record_file, removal_succeeds_without_appending)
{
	for (uint64_t i = 1; i <= 4; i++)
		cr_assert(save(PERSISTED_ENTITY, i, "{}"));
	cr_assert(save(PERSISTED_ENTITY, 1, "{\"n\":1}"));
	cr_assert(save(PERSISTED_PROCESS, 1, "{}"));
	for (off_t room = 0; room < 2; room++) { /* no space, and too little */
		limit_file_size(fixture.file.lines.size + room);
		record_file_remove(&fixture.file, PERSISTED_ENTITY, (uint64_t)room + 1);
		cr_assert_not(save(PERSISTED_ENTITY, 9, "{}"));
		limit_file_size((off_t)RLIM_INFINITY);
	}
	assert_all(PERSISTED_ENTITY, "3={};4={};");
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "3={};4={};");
	assert_all(PERSISTED_PROCESS, "1={};");
	cr_assert_eq(fixture.statistics.remark_count, 0);
	cr_assert_eq(record_file_last(&fixture.file, PERSISTED_ENTITY), 4);
}

/* With one append, and by invalidating each line if that fails. */
Test(record_file, removal_of_many_records)
{
	const uint64_t some[] = { 2, 77, 4, 5 };

	for (int can_append = 0; can_append < 2; can_append++) {
		for (uint64_t i = 1; i <= 6; i++)
			cr_assert(save(PERSISTED_ENTITY, i, "{}"));
		off_t size = fixture.file.lines.size;
		if (!can_append)
			limit_file_size(size);
		record_file_remove_all(&fixture.file, PERSISTED_ENTITY, some, ARRAY_SIZE(some));
		limit_file_size((off_t)RLIM_INFINITY);
		cr_assert_eq(fixture.file.lines.size > size, can_append);
		assert_all(PERSISTED_ENTITY, "1={};3={};6={};");
		fixture_reopen();
		assert_all(PERSISTED_ENTITY, "1={};3={};6={};");
		cr_assert_eq(fixture.statistics.remark_count, 0);
	}
}

Test(record_file, unlinked_file_is_written_again)
{
	char path[160];

	cr_assert(save(PERSISTED_ENTITY, 1, "{}"));
	snprintf(path, sizeof(path), "%s/records", fixture.path);
	cr_assert_eq(unlink(path), 0);
	cr_assert(save(PERSISTED_ENTITY, 2, "{}"));
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={};2={};");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rmdir(fixture.path), 0);
	cr_assert_not(save(PERSISTED_ENTITY, 3, "{}"));
	cr_assert_not(save(PERSISTED_ENTITY, 1, "{\"n\":1}"));
	record_file_remove(&fixture.file, PERSISTED_ENTITY, 2);
	assert_all(PERSISTED_ENTITY, "1={};");
}

/* If the file cannot be rewritten, its valid lines are used, and new lines are valid as well. */
Test(record_file, damaged_file_is_used_on_a_full_file_system)
{
	Buffer whole = five_lines();
	size_t size = buffer_size(&whole) - 3;

	*strstr(whole.data, "\"serial\":4") ^= 1;
	write_records(whole.data, size);
	limit_file_size(10);
	fixture_open();
	limit_file_size((off_t)RLIM_INFINITY);
	cr_assert_geq(fixture.statistics.remark_count, 2);
	assert_all(PERSISTED_ENTITY, "1={\"n\":1};2={\"n\":2};3={\"n\":3};");
	cr_assert(save(PERSISTED_ENTITY, 6, "{}")); /* shorter than the cut off line */
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "1={\"n\":1};2={\"n\":2};3={\"n\":3};6={};");
	cr_assert_eq(fixture.statistics.remark_count, 1); /* about the damaged line */
	buffer_deinit(&whole);
}

Test(record_file, file_is_used_if_compaction_fails_at_start)
{
	struct rlimit limit = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert(save(PERSISTED_ENTITY, 1, "{}"));
	cr_assert(save(PERSISTED_ENTITY, 2, "{}"));
	record_file_close(&fixture.file);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fixture_open();
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_all(PERSISTED_ENTITY, "1={};2={};");
	cr_assert_not(has("records.new"));
	record_file_remove(&fixture.file, PERSISTED_ENTITY, 1);
	fixture_reopen();
	assert_all(PERSISTED_ENTITY, "2={};");
}
