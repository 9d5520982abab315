/* SPDX-License-Identifier: MIT */
/*
 * Proves that a file of an older version is read as a whole, and has the version of this daemon as
 * soon as that may write to it: an older daemon then refuses it as a whole.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "daemon/host/persist/record-line.h"
#include "proto/macros.h"
#include "tests/unit/host/record-file-fixture.h"

TestSuite(record_version, .init = set_up, .fini = tear_down);

#define VERSION_AT strlen("01234567 {\"version\":")

/* Makes the closed file one of that version. The header has its checksum in front of its JSON. */
static void set_version(int version)
{
	Buffer contents = read_named("records");
	char *text = contents.data, path[160], crc[9];
	char *end = strchr(text, '\n');

	text[VERSION_AT] = (char)('0' + version);
	snprintf(crc, sizeof(crc), "%08lx",
		 crc32_z(0, (const Bytef *)text + 9, (size_t)(end - text) - 9));
	memcpy(text, crc, 8);
	snprintf(path, sizeof(path), "%s/records", fixture.path);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(text, 1, buffer_size(&contents), file), buffer_size(&contents));
	fclose(file);
	buffer_deinit(&contents);
}

static int version(void)
{
	Buffer contents = read_named("records");
	int digit = contents.data[VERSION_AT] - '0';

	buffer_deinit(&contents);
	return digit;
}

static void close_with_version(int version)
{
	cr_assert(save(PERSISTED_ENTITY, 1, "{\"n\":1}"));
	cr_assert(save(PERSISTED_ENTITY, 2, "{\"n\":2}"));
	cr_assert(save(PERSISTED_PROCESS, 7, "{}"));
	record_file_remove(&fixture.file, PERSISTED_PROCESS, 7);
	record_file_close(&fixture.file);
	set_version(version);
}

static void check_records(void)
{
	assert_all(PERSISTED_ENTITY, "1={\"n\":1};2={\"n\":2};");
	cr_assert_eq(record_file_last(&fixture.file, PERSISTED_PROCESS), 7u);
	cr_assert_not(has("records.damaged"));
}

Test(record_version, each_older_version_is_read_and_becomes_this_one)
{
	for (int older = 1; older < RECORD_VERSION; older++) {
		close_with_version(older);
		fixture_open();
		check_records();
		cr_assert_eq(fixture.statistics.remark_count, 0u);
		cr_assert_eq(version(), RECORD_VERSION);
		fixture_reopen();
		check_records();
	}
}

/* The daemon uses the file as it is, and appends to it. */
Test(record_version, a_file_that_cannot_be_rewritten_becomes_this_version)
{
	char obstacle[160];

	close_with_version(1);
	snprintf(obstacle, sizeof(obstacle), "%s/records.new", fixture.path);
	cr_assert_eq(mkdir(obstacle, 0700), 0);
	fixture_open();
	check_records();
	cr_assert_eq(fixture.statistics.remark_count, 1u, "it says that it was not rewritten");
	cr_assert_eq(version(), RECORD_VERSION);
	cr_assert(save(PERSISTED_ENTITY, 2, "{\"n\":2}"));
	cr_assert_eq(rmdir(obstacle), 0);
	fixture_reopen();
	check_records();
	cr_assert_eq(fixture.statistics.remark_count, 0u);
}

/* This is what an older daemon does with a file of this version. */
Test(record_version, a_newer_version_is_refused_whole)
{
	close_with_version(RECORD_VERSION + 1);
	cr_assert_eq(record_file_open(&fixture.file, &fixture.options), -EPROTO);
	cr_assert_eq(version(), RECORD_VERSION + 1);
	cr_assert_not(has("records.damaged"));
	set_version(RECORD_VERSION);
	fixture_open();
	check_records();
}

/* The first line of a file may be anything whose checksum is right. */
Test(record_version, only_a_header_of_the_known_form_is_changed_in_place)
{
	char lines[][64] = { "01234567 {\"bootId\":\"\",\"version\":1}",
			     "01234567 {\"version\":10,\"bootId\":\"\"}",
			     "01234567 {\"version\":", "01234567 {\"version\":1", "" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char before[64];

		memcpy(before, lines[i], sizeof(before));
		cr_assert_not(record_header_raise(lines[i], strlen(lines[i])), "%s", before);
		cr_assert_str_eq(lines[i], before);
	}
}
