/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes a start with persisted records. Each line of an input is a record: its serial, a blank and
 * its text. The processes and stored fds are those of tests/support/restart-stage.c, which wrote
 * the first inputs; one more process has exited.
 *
 * The daemon starts whatever the records contain, and later starts drop nothing and change nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/host/persist/record-line.h"
#include "tests/fuzz/common/fuzz-input.h"
#include "tests/support/fake-share.h"

#define RESTARTS_MAX 4

static void add_processes(FakeHost *fake_host)
{
	FakeProcess *helper = fake_host_process(fake_host, 500, 1001);

	process_set_groups(helper, 1001, 3, (gid_t[]){ 27, 44, 4294967294 });
	fake_host_process(fake_host, 600, 1000);
	fake_host_kill(fake_host, fake_host_process(fake_host, 700, 1000));
	for (size_t i = 0; i < fake_host->process_count; i++)
		fake_host->processes[i].is_persisted = true;
}

static void store_fd(FakeHost *fake_host, int fd)
{
	fake_host_fd_of(fake_host, fd)->fdstore_id = ++fake_host->last_fdstore_id;
}

/* Creates the fds in the order of the stage, and stores them in the order in which it shares them.
 */
static void add_fds(FakeHost *fake_host)
{
	int first = fake_host_fd(fake_host, FD_DMABUF, 1u << 20);
	int second = fake_host_fd(fake_host, FD_DMABUF, 1u << 21);
	int fence = fake_host_fd(fake_host, FD_SYNC_FILE, 0);
	int image = sealed_memory(fake_host);

	fake_host_fd_of(fake_host, image)->facts.is_writable = false;
	store_fd(fake_host, image);
	store_fd(fake_host, first);
	store_fd(fake_host, second);
	store_fd(fake_host, fence);
	store_fd(fake_host, sealed_memory(fake_host));
}

/* The record file has at most one record of a number, and none with a NUL or another number. */
static void add_record(FakeHost *fake_host, Input line)
{
	char *text = input_text(line), *end;
	uint64_t serial;

	errno = 0;
	serial = strtoull(text, &end, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && serial > 0 &&
	    serial <= PERSISTED_NUMBER_MAX && *end == ' ' && end[1] != '\0')
		fake_host_persist_record(fake_host, serial, end + 1, strlen(end + 1));
	free(text);
}

/*
 * Restarts until no record is dropped any more, and then once more, which must change nothing. The
 * records may contradict each other: a process has the uid that the first record states, even if
 * that record is dropped. Therefore one restart may not suffice.
 */
static void check_later_starts(HostFixture *fixture)
{
	FakeHost *fake_host = fixture->fake_host;

	for (int i = 0; i < RESTARTS_MAX && (i == 0 || fake_host->report.drop_count > 0); i++)
		fake_host_restart(fake_host);
	if (fake_host->report.drop_count > 0)
		fprintf(stderr, "dropped at every start: %s %ju: %s\n",
			store_kind_name(fake_host->report.drops[0].kind),
			(uintmax_t)fake_host->report.drops[0].serial,
			fake_host->report.drops[0].reason);
	fuzz_must(fake_host->report.drop_count == 0);
	char *before = fake_host_snapshot(fake_host, fixture->admin);
	fake_host_restart(fake_host);
	char *after = fake_host_snapshot(fake_host, fixture->admin);
	if (strcmp(before, after) != 0)
		fprintf(stderr, "before:\n%s\nafter:\n%s\n", before, after);
	fuzz_must(strcmp(before, after) == 0);
	free(before);
	free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HostFixture fixture = host_fixture_new_quiet();
	FakeHost *fake_host = fixture.fake_host;
	Input input = { data, size };

	fake_host_stop(fake_host);
	add_processes(fake_host);
	add_fds(fake_host);
	while (input.size > 0)
		add_record(fake_host, input_until(&input, '\n'));
	fake_host_start(fake_host);
	check_later_starts(&fixture);
	host_fixture_free(&fixture);
	return 0;
}
