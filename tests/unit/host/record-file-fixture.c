/* SPDX-License-Identifier: MIT */
#include "tests/unit/host/record-file-fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/host/process/file-read.h"

Fixture fixture;

void fixture_open(void)
{
	fixture.statistics = (Statistics){ 0 };
	cr_assert_eq(record_file_open(&fixture.file, &fixture.options), 0);
}

void set_up(void)
{
	fixture = (Fixture){ .path = "/tmp/vaild-records-XXXXXX" };
	cr_assert_not_null(mkdtemp(fixture.path));
	fixture.options = (RecordFileOptions){
		.directory = fixture.path,
		.boot_id = BOOT,
		.parser = json_parser_new(),
		.statistics = &fixture.statistics,
	};
	fixture_open();
}

void fixture_reopen(void)
{
	record_file_close(&fixture.file);
	fixture_open();
}

void tear_down(void)
{
	char command[128];

	record_file_close(&fixture.file);
	json_parser_free(fixture.options.parser);
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture.path);
	cr_assert_eq(system(command), 0);
}

bool save(PersistedKind kind, uint64_t number, const char *text)
{
	const PersistedRecord record = { .number = number, .text = text, .size = strlen(text) };

	return record_file_save(&fixture.file, kind, &record);
}

char *all(PersistedKind kind)
{
	PersistedRecords records;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_eq(record_file_load(&fixture.file, kind, &records), 0);
	for (size_t i = 0; i < records.count; i++) {
		cr_assert_eq(strlen(records.items[i].text), records.items[i].size);
		fprintf(out, "%" PRIu64 "=%s;", records.items[i].number, records.items[i].text);
	}
	persisted_records_deinit(&records);
	fclose(out);
	return text;
}

void assert_all(PersistedKind kind, const char *expected)
{
	char *text = all(kind);

	cr_assert_str_eq(text, expected);
	free(text);
}

Buffer read_named(const char *name)
{
	char path[160];
	Buffer contents;

	snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
	cr_assert_eq(proc_file_read(AT_FDCWD, path, &contents), 0, "%s", path);
	return contents;
}

bool has(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
	return access(path, F_OK) == 0;
}

void compact(void)
{
	while (record_file_compact_step(&fixture.file, 4096))
		;
}

void limit_file_size(off_t size)
{
	struct rlimit limit = { .rlim_cur = (rlim_t)size, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
