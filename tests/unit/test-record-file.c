/* SPDX-License-Identifier: MIT */
/* Proves that what was recorded is there after a restart, whole or not at all, whatever happens to
 * the file and whatever room there is. */
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

#include "fake-host.h"
#include "fd-util.h"
#include "proc-file.h"
#include "record-file.h"

TestSuite(record_file);

#define BOOT "0123456789abcdef0123456789abcdef"

typedef struct Place {
	char path[64];
	RecordFile file;
	RecordFileOptions options;
	Statistics statistics;
} Place;

static void place_open(Place *place)
{
	place->statistics = (Statistics){ 0 };
	cr_assert_eq(record_file_open(&place->file, &place->options), 0);
}

static void place_begin(Place *place)
{
	*place = (Place){ .path = "/tmp/vaild-records-XXXXXX" };
	cr_assert_not_null(mkdtemp(place->path));
	place->options = (RecordFileOptions){
		.directory = place->path,
		.boot_id = BOOT,
		.parser = json_parser_new(),
		.statistics = &place->statistics,
	};
	place_open(place);
}

static void place_reopen(Place *place)
{
	record_file_close(&place->file);
	place_open(place);
}

static void place_end(Place *place)
{
	char command[128];

	record_file_close(&place->file);
	json_parser_free(place->options.parser);
	snprintf(command, sizeof(command), "rm -rf '%s'", place->path);
	cr_assert_eq(system(command), 0);
}

static bool keep(Place *place, KeptKind kind, uint64_t number, const char *text)
{
	const PersistedRecord record = { .number = number, .text = text, .size = strlen(text) };

	return record_file_keep(&place->file, kind, &record);
}

/* All of the kind as "number=text;number=text;", which the caller frees. */
static char *all(const Place *place, KeptKind kind)
{
	PersistedRecords records;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_eq(record_file_load(&place->file, kind, &records), 0);
	for (size_t i = 0; i < records.count; i++) {
		cr_assert_eq(strlen(records.items[i].text), records.items[i].size);
		fprintf(out, "%" PRIu64 "=%s;", records.items[i].number, records.items[i].text);
	}
	persisted_records_deinit(&records);
	fclose(out);
	return text;
}

static void assert_all(const Place *place, KeptKind kind, const char *expected)
{
	char *text = all(place, kind);

	cr_assert_str_eq(text, expected);
	free(text);
}

static Buffer read_named(const Place *place, const char *name)
{
	char path[160];
	Buffer contents;

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	cr_assert_eq(proc_file_read(AT_FDCWD, path, &contents), 0, "%s", path);
	return contents;
}

static void write_records(const Place *place, const char *data, size_t size)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/records", place->path);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(data, 1, size, file), size);
	fclose(file);
}

static bool has(const Place *place, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	return access(path, F_OK) == 0;
}

static void remove_damaged(const Place *place)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/records.damaged", place->path);
	unlink(path);
}

Test(record_file, what_was_kept_is_there)
{
	Place place;

	place_begin(&place);
	cr_assert(keep(&place, KEPT_THING, 7, "{\"a\":1}"));
	cr_assert(keep(&place, KEPT_THING, 3, "{\"b\":\"}\"}"));
	cr_assert(keep(&place, KEPT_PROCESS, 7, "{}"));
	cr_assert(keep(&place, KEPT_THING, 7, "{\"a\":2}"));
	cr_assert(keep(&place, KEPT_THING, 9, "{}"));
	record_file_drop(&place.file, KEPT_THING, 9);
	record_file_drop(&place.file, KEPT_THING, 9);
	for (int i = 0; i < 3; i++) {
		assert_all(&place, KEPT_THING, "3={\"b\":\"}\"};7={\"a\":2};");
		assert_all(&place, KEPT_PROCESS, "7={};");
		assert_all(&place, KEPT_DESCRIPTOR, "");
		cr_assert_eq(record_file_last(&place.file, KEPT_THING), 9);
		cr_assert_eq(record_file_last(&place.file, KEPT_DESCRIPTOR), 0);
		place_reopen(&place);
		cr_assert_eq(place.statistics.remark_count, 0);
	}
	place_end(&place);
}

Test(record_file, it_is_the_daemons_alone)
{
	struct stat status;
	Place place;

	place_begin(&place);
	cr_assert_eq(fstat(place.file.lines.file, &status), 0);
	cr_assert_eq(status.st_mode, S_IFREG | 0600);
	cr_assert_eq(fcntl(place.file.lines.file, F_GETFD), FD_CLOEXEC);
	cr_assert_not(has(&place, "records.new"));
	place_end(&place);
}

/* Whoever could put one there would have it written or emptied what it leads to. */
Test(record_file, a_symbolic_link_is_not_followed)
{
	char target[160], path[160];
	Place place;

	place_begin(&place);
	snprintf(path, sizeof(path), "%s/records", place.path);
	snprintf(target, sizeof(target), "%s/elsewhere", place.path);
	cr_assert_eq(rename(path, target), 0);
	cr_assert_eq(symlink(target, path), 0);
	record_file_close(&place.file);
	cr_assert_eq(record_file_open(&place.file, &place.options), -ELOOP);
	cr_assert_not(keep(&place, KEPT_THING, 1, "{}"));
	record_file_drop(&place.file, KEPT_THING, 1);
	unlink(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(record_file_open(&place.file, &place.options), -EINVAL);
	place_end(&place);
}

/* Each line alone is whole or not there; nothing else changes. */
#define LINES    5
#define EXPECTED "1={\"n\":1};2={\"n\":2};3={\"n\":3};4={\"n\":4};5={\"n\":5};"

static Buffer five_lines(Place *place)
{
	char text[16];

	place_begin(place);
	for (uint64_t i = 1; i <= LINES; i++) {
		snprintf(text, sizeof(text), "{\"n\":%" PRIu64 "}", i);
		cr_assert(keep(place, KEPT_THING, i, text));
	}
	Buffer contents = read_named(place, "records");
	record_file_close(&place->file);
	return contents;
}

static size_t count_line_ends(const char *data, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += data[i] == '\n';
	return count;
}

static void assert_set_aside(const Place *place, const char *data, size_t size)
{
	Buffer aside = read_named(place, "records.damaged");

	cr_assert_gt(place->statistics.remark_count, 0);
	cr_assert_eq(buffer_size(&aside), size);
	cr_assert_eq(memcmp(aside.data, data, size), 0);
	buffer_deinit(&aside);
	remove_damaged(place);
}

/* The highest number that a line may have, and the one behind it, which nobody has given. */
Test(record_file, numbers_end)
{
	Buffer line = BUFFER_INIT;
	PersistedRecord record = { .text = "{}", .size = 2 };
	KeptKind kind;

	for (uint64_t more = 0; more < 2; more++) {
		record.number = KEPT_NUMBER_MAX + more;
		buffer_truncate(&line, 0);
		cr_assert(record_line_append(&line, KEPT_THING, &record));
		cr_assert_eq(record_line_parse(buffer_head(&line), buffer_size(&line) - 1, &kind,
					       &record),
			     more == 0);
	}
	buffer_deinit(&line);
}

Test(record_file, truncated_at_every_byte)
{
	Place place;
	Buffer whole = five_lines(&place);

	for (size_t size = 0; size <= buffer_size(&whole); size++) {
		size_t lines = count_line_ends(whole.data, size);
		char expected[sizeof(EXPECTED)] = EXPECTED;

		expected[lines == 0 ? 0 : (lines - 1) * strlen("1={\"n\":1};")] = '\0';
		write_records(&place, whole.data, size);
		place_open(&place);
		assert_all(&place, KEPT_THING, expected);
		/* Without its first line it is nothing; of one that is cut in the middle of a line
		 * it is told, which is no damage. */
		if (lines == 0)
			assert_set_aside(&place, whole.data, size);
		else if (whole.data[size - 1] != '\n')
			cr_assert_eq(place.statistics.remark_count, 1, "size %zu", size);
		cr_assert_not(has(&place, "records.damaged"), "size %zu", size);
		/* What is written now is sound. */
		cr_assert(keep(&place, KEPT_THING, 6, "{}"));
		place_reopen(&place);
		cr_assert_eq(place.statistics.remark_count, 0, "size %zu", size);
		record_file_close(&place.file);
	}
	buffer_deinit(&whole);
	place_end(&place);
}

/* Where a line ends is lost with its end, and the next goes with it. */
static void expect_without(char expected[static sizeof(EXPECTED)], size_t line, bool and_next)
{
	const size_t each = strlen("1={\"n\":1};");
	size_t from = line == 0 ? 0 : (line - 1) * each;
	size_t to = line == 0 ? LINES * each : (line + and_next) * each;

	if (to > LINES * each)
		to = LINES * each;
	strcpy(expected, EXPECTED);
	memmove(expected + from, EXPECTED + to, strlen(EXPECTED + to) + 1);
}

Test(record_file, each_byte_changed)
{
	Place place;
	Buffer whole = five_lines(&place);
	size_t size = buffer_size(&whole);

	srandom(7);
	for (size_t i = 0; i < size * 4; i++) {
		size_t at = i % size, line = count_line_ends(whole.data, at);
		char expected[sizeof(EXPECTED)], was = whole.data[at];

		do
			whole.data[at] = (char)random();
		while (whole.data[at] == was);
		expect_without(expected, line, was == '\n');
		write_records(&place, whole.data, size);
		place_open(&place);
		assert_all(&place, KEPT_THING, expected);
		if (at + 1 < size)
			assert_set_aside(&place, whole.data, size);
		else /* the last line is not whole */
			cr_assert_eq(place.statistics.remark_count, 1);
		record_file_close(&place.file);
		whole.data[at] = was;
	}
	buffer_deinit(&whole);
	place_end(&place);
}

/* None of them is emptied for the next. */
Test(record_file, what_was_damaged_twice_is_there_twice)
{
	Place place;

	place_begin(&place);
	for (int i = 0; i < 3; i++) {
		record_file_close(&place.file);
		write_records(&place, i == 0 ? "a" : i == 1 ? "b" : "c", 1);
		place_open(&place);
	}
	cr_assert(has(&place, "records.damaged"));
	cr_assert(has(&place, "records.damaged.2"));
	cr_assert(has(&place, "records.damaged.3"));
	place_end(&place);
}

/* However often, it starts; the first are kept, and the last. */
Test(record_file, what_was_damaged_many_times_is_not_kept_for_ever)
{
	Place place;

	place_begin(&place);
	for (const char *letter = "abcdefghijklmnopqrstuvwxyz"; *letter; letter++) {
		record_file_close(&place.file);
		write_records(&place, letter, 1);
		place_open(&place);
		cr_assert_eq(place.statistics.remark_count, 2);
	}
	cr_assert_not(has(&place, "records.damaged.9"));
	Buffer first = read_named(&place, "records.damaged");
	Buffer last = read_named(&place, "records.damaged.8");
	cr_assert_str_eq(first.data, "a");
	cr_assert_str_eq(last.data, "z");
	buffer_deinit(&first);
	buffer_deinit(&last);
	place_end(&place);
}

static void write_header(const Place *place, const char *json)
{
	char text[256];
	int size = snprintf(text, sizeof(text), "%08lx %s\n",
			    crc32_z(0, (const Bytef *)json, strlen(json)), json);

	write_records(place, text, (size_t)size);
}

Test(record_file, of_a_newer_version_is_refused_and_left)
{
	Place place;

	place_begin(&place);
	cr_assert(keep(&place, KEPT_THING, 1, "{}"));
	record_file_close(&place.file);
	write_header(&place, "{\"version\":2,\"boot\":[]}");
	Buffer before = read_named(&place, "records");
	cr_assert_eq(record_file_open(&place.file, &place.options), -EPROTO);
	Buffer after = read_named(&place, "records");
	cr_assert_str_eq(before.data, after.data);
	cr_assert_not(has(&place, "records.damaged"));
	buffer_deinit(&before);
	buffer_deinit(&after);
	place_end(&place);
}

Test(record_file, of_another_version_or_none_is_set_aside)
{
	static const char *const headers[] = {
		"{\"version\":0}",
		"{}",
		"null",
		"{\"version\":1}",
		"{\"version\":1,\"bootId\":\"" BOOT "\"}",
		"{\"version\":1,\"bootId\":\"" BOOT "0\",\"last\":{\"serial\":0,\"process\":0,"
		"\"descriptor\":0}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		Place place;

		place_begin(&place);
		record_file_close(&place.file);
		write_header(&place, headers[i]);
		place_open(&place);
		cr_assert(has(&place, "records.damaged"), "case %zu", i);
		assert_all(&place, KEPT_THING, "");
		place_end(&place);
	}
}

Test(record_file, of_another_boot_is_dropped)
{
	Place place;

	place_begin(&place);
	cr_assert(keep(&place, KEPT_THING, 1, "{}"));
	place.options.boot_id = "1111111189abcdef0123456789abcdef";
	place_reopen(&place);
	assert_all(&place, KEPT_THING, "");
	cr_assert_eq(record_file_last(&place.file, KEPT_THING), 0);
	cr_assert_not(has(&place, "records.damaged"));
	place_end(&place);
}

/* A naive store that does the same, beside it. */
#define NUMBERS 40

typedef struct Naive {
	char *texts[KEPT_KIND_MAX][NUMBERS];
	uint64_t last[KEPT_KIND_MAX];
} Naive;

static void assert_as_naive(const Place *place, const Naive *naive)
{
	for (KeptKind kind = 0; kind < KEPT_KIND_MAX; kind++) {
		char *expected;
		size_t size;
		FILE *out = open_memstream(&expected, &size);

		for (int i = 0; i < NUMBERS; i++)
			if (naive->texts[kind][i])
				fprintf(out, "%d=%s;", i, naive->texts[kind][i]);
		fclose(out);
		assert_all(place, kind, expected);
		cr_assert_eq(record_file_last(&place->file, kind), naive->last[kind]);
		free(expected);
	}
}

static void keep_at_random(Place *place, Naive *naive, KeptKind kind, uint64_t number)
{
	char **text = &naive->texts[kind][number];

	free(*text);
	cr_assert_gt(asprintf(text, "{\"a\":\"%0*ld\"}", (int)(random() % 2000), random()), 0);
	cr_assert(keep(place, kind, number, *text));
	if (number > naive->last[kind])
		naive->last[kind] = number;
}

Test(record_file, compaction_keeps_what_lives)
{
	Naive naive = { 0 };
	off_t largest = 0;
	Place place;

	place_begin(&place);
	srandom(11);
	for (int step = 0; step < 6000; step++) {
		KeptKind kind = (KeptKind)(random() % KEPT_KIND_MAX);
		uint64_t number = (uint64_t)random() % NUMBERS;

		if (random() % 3 > 0) {
			keep_at_random(&place, &naive, kind, number);
		} else {
			record_file_drop(&place.file, kind, number);
			free(TAKE_POINTER(naive.texts[kind][number]));
		}
		if (place.file.lines.size > largest)
			largest = place.file.lines.size;
		if (random() % 50 == 0)
			place_reopen(&place);
		if (random() % 20 == 0)
			assert_as_naive(&place, &naive);
		cr_assert_eq(place.statistics.remark_count, 0);
	}
	/* 120 records of 2 KiB at most: twice that and a line. */
	cr_assert_lt(largest, 500000);
	for (KeptKind kind = 0; kind < KEPT_KIND_MAX; kind++)
		for (int i = 0; i < NUMBERS; i++)
			free(naive.texts[kind][i]);
	place_end(&place);
}

/* Keeps until there is no room, and then some. Returns how many are kept. */
static uint64_t fill(Place *place)
{
	char text[512];
	uint64_t kept = 0, refused = 0;

	for (uint64_t i = 1; i < 100000 && refused < 50; i++) {
		snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", (int)(i % 400), 1);
		if (keep(place, KEPT_THING, i, text))
			kept++;
		else
			refused++;
	}
	cr_assert_eq(refused, 50);
	return kept;
}

static void assert_drops_succeed_when_full(Place *place)
{
	place_open(place);
	uint64_t kept = fill(place);
	cr_assert_gt(kept, 10);
	off_t size = place->file.lines.size;
	char *before = all(place, KEPT_THING);

	/* A refusal left nothing; of the lack of room it is told. */
	place_reopen(place);
	cr_assert_eq(place->statistics.remark_count, 1);
	assert_all(place, KEPT_THING, before);
	cr_assert_leq(place->file.lines.size, size + 256);
	free(before);
	for (uint64_t i = 1; i < 100000; i++)
		record_file_drop(&place->file, KEPT_THING, i);
	place_reopen(place);
	assert_all(place, KEPT_THING, "");
	cr_assert_eq(place->statistics.remark_count, 0);
}

Test(record_file, a_drop_succeeds_on_a_full_file_system)
{
	Place place;

	place_begin(&place);
	record_file_close(&place.file);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", place.path, "tmpfs", 0, "size=512k") < 0) {
		place_end(&place);
		cr_skip_test("a small tmpfs cannot be mounted here");
	}
	assert_drops_succeed_when_full(&place);
	record_file_close(&place.file);
	cr_assert_eq(umount(place.path), 0);
	place_end(&place);
}

/* The bytes of what is recorded, each time that a line gets so far and no further. */
Test(record_file, a_line_that_does_not_fit_is_taken_back)
{
	struct rlimit limit = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	Place place;

	signal(SIGXFSZ, SIG_IGN);
	place_begin(&place);
	cr_assert(keep(&place, KEPT_THING, 1, "{\"n\":1}"));
	off_t size = place.file.lines.size;
	for (rlim_t room = 0; room < place.file.index.size; room++) {
		limit.rlim_cur = (rlim_t)size + room;
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		bool kept = keep(&place, KEPT_THING, 2, "{\"n\":2}");
		bool replaced = keep(&place, KEPT_THING, 1, "{\"n\":3}");
		limit.rlim_cur = RLIM_INFINITY;
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		cr_assert_not(kept);
		cr_assert_not(replaced);
		Buffer contents = read_named(&place, "records");
		cr_assert_eq(buffer_size(&contents), (size_t)size, "room %zu", (size_t)room);
		buffer_deinit(&contents);
		assert_all(&place, KEPT_THING, "1={\"n\":1};");
	}
	cr_assert(keep(&place, KEPT_THING, 2, "{\"n\":2}"));
	place_reopen(&place);
	assert_all(&place, KEPT_THING, "1={\"n\":1};2={\"n\":2};");
	cr_assert_eq(place.statistics.remark_count, 0);
	place_end(&place);
}

static void limit_file_size(off_t size)
{
	struct rlimit limit = { .rlim_cur = (rlim_t)size, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* It is crossed out, with what was recorded of it before. */
Test(record_file, a_drop_succeeds_where_nothing_can_be_appended)
{
	Place place;

	place_begin(&place);
	for (uint64_t i = 1; i <= 4; i++)
		cr_assert(keep(&place, KEPT_THING, i, "{}"));
	cr_assert(keep(&place, KEPT_THING, 1, "{\"n\":1}"));
	cr_assert(keep(&place, KEPT_PROCESS, 1, "{}"));
	for (off_t room = 0; room < 2; room++) { /* none, and too little */
		limit_file_size(place.file.lines.size + room);
		record_file_drop(&place.file, KEPT_THING, (uint64_t)room + 1);
		cr_assert_not(keep(&place, KEPT_THING, 9, "{}"));
		limit_file_size((off_t)RLIM_INFINITY);
	}
	assert_all(&place, KEPT_THING, "3={};4={};");
	place_reopen(&place);
	assert_all(&place, KEPT_THING, "3={};4={};");
	assert_all(&place, KEPT_PROCESS, "1={};");
	cr_assert_eq(place.statistics.remark_count, 0);
	cr_assert_eq(record_file_last(&place.file, KEPT_THING), 4);
	place_end(&place);
}

/* All at once, and in one go where that fails. */
Test(record_file, many_are_dropped_together)
{
	const uint64_t some[] = { 2, 77, 4, 5 };
	Place place;

	for (int can_append = 0; can_append < 2; can_append++) {
		place_begin(&place);
		for (uint64_t i = 1; i <= 6; i++)
			cr_assert(keep(&place, KEPT_THING, i, "{}"));
		off_t size = place.file.lines.size;
		if (!can_append)
			limit_file_size(size);
		record_file_drop_all(&place.file, KEPT_THING, some, ARRAY_SIZE(some));
		limit_file_size((off_t)RLIM_INFINITY);
		cr_assert_eq(place.file.lines.size > size, can_append);
		assert_all(&place, KEPT_THING, "1={};3={};6={};");
		place_reopen(&place);
		assert_all(&place, KEPT_THING, "1={};3={};6={};");
		cr_assert_eq(place.statistics.remark_count, 0);
		place_end(&place);
	}
}

/* A compaction that fails is tried again when much less is left, or the file would stay as it is
 * where nothing is added. */
Test(record_file, what_could_not_be_compacted_is_later)
{
	Place place;

	place_begin(&place);
	for (uint64_t i = 1; i <= 3000; i++)
		cr_assert(keep(&place, KEPT_THING, i, "{\"text\":\"it has to fill a file\"}"));
	off_t size = place.file.lines.size;
	limit_file_size(10);
	for (uint64_t i = 1; i <= 2000; i++)
		record_file_drop(&place.file, KEPT_THING, i);
	cr_assert_eq(place.file.lines.size, size);
	limit_file_size((off_t)RLIM_INFINITY);
	for (uint64_t i = 2001; i <= 2900; i++)
		record_file_drop(&place.file, KEPT_THING, i);
	cr_assert_lt(place.file.lines.size, size / 2);
	place_reopen(&place);
	cr_assert_eq(place.file.index.count, 100);
	place_end(&place);
}

/* What would be written to it would be gone with it. */
Test(record_file, one_that_was_removed_is_written_anew)
{
	char path[160];
	Place place;

	place_begin(&place);
	cr_assert(keep(&place, KEPT_THING, 1, "{}"));
	snprintf(path, sizeof(path), "%s/records", place.path);
	cr_assert_eq(unlink(path), 0);
	cr_assert(keep(&place, KEPT_THING, 2, "{}"));
	place_reopen(&place);
	assert_all(&place, KEPT_THING, "1={};2={};");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rmdir(place.path), 0);
	cr_assert_not(keep(&place, KEPT_THING, 3, "{}"));
	cr_assert_not(keep(&place, KEPT_THING, 1, "{\"n\":1}"));
	record_file_drop(&place.file, KEPT_THING, 2);
	assert_all(&place, KEPT_THING, "1={};");
	place_end(&place);
}

/* No room to write it anew: of the old one what is whole serves on, and what is written behind it
 * is whole as well. */
Test(record_file, of_a_damaged_one_what_is_sound_is_used_where_there_is_no_room)
{
	Place place;
	Buffer whole = five_lines(&place);
	size_t size = buffer_size(&whole) - 3;

	*strstr(whole.data, "\"serial\":4") ^= 1;
	write_records(&place, whole.data, size);
	limit_file_size(10);
	place_open(&place);
	limit_file_size((off_t)RLIM_INFINITY);
	cr_assert_geq(place.statistics.remark_count, 2);
	assert_all(&place, KEPT_THING, "1={\"n\":1};2={\"n\":2};3={\"n\":3};");
	cr_assert(keep(&place, KEPT_THING, 6, "{}")); /* less than what was cut off */
	place_reopen(&place);
	assert_all(&place, KEPT_THING, "1={\"n\":1};2={\"n\":2};3={\"n\":3};6={};");
	cr_assert_eq(place.statistics.remark_count, 1); /* of the damaged line */
	buffer_deinit(&whole);
	place_end(&place);
}

/* No room to write it anew: the old one serves on. */
Test(record_file, what_cannot_be_compacted_at_start_is_used)
{
	struct rlimit limit = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
	Place place;

	signal(SIGXFSZ, SIG_IGN);
	place_begin(&place);
	cr_assert(keep(&place, KEPT_THING, 1, "{}"));
	cr_assert(keep(&place, KEPT_THING, 2, "{}"));
	record_file_close(&place.file);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	place_open(&place);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_all(&place, KEPT_THING, "1={};2={};");
	cr_assert_not(has(&place, "records.new"));
	record_file_drop(&place.file, KEPT_THING, 1);
	place_reopen(&place);
	assert_all(&place, KEPT_THING, "2={};");
	place_end(&place);
}
