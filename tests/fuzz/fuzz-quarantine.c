/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the quarantine files. The first line of an input is the name of a second file, which may
 * be that of a quarantine; the rest is the content of all files. A GUID whose file exists is in
 * quarantine whatever its content is, and stays so when the files are read again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/host/persist/quarantine-store.h"
#include "tests/fuzz/common/fuzz-input.h"
#include "tests/support/fake-host.h"

#define FOLDER "quarantine/"

/* Restores the files into a new broker. Returns the number of quarantines. */
static int restore(const Guid *guid, Statistics *statistics)
{
	FakeHost *fake_host = fake_host_new();
	Broker *broker = fake_host->service.broker;
	QuarantineStore store;

	fuzz_must(quarantine_store_open(&store, fuzz_folder()) == 0);
	int count = quarantine_store_restore(&store, broker, fake_host->service.parser, statistics);
	fuzz_must(count > 0);
	const Quarantine *quarantine = quarantine_find(broker, guid);
	fuzz_must(quarantine != NULL);
	broker_check(broker);
	quarantine_store_close(&store);
	fake_host_free(fake_host);
	return count;
}

static bool is_file_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && !strchr(name, '/') && strlen(name) < 200;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Statistics statistics;
	Input input = { data, size };
	char *name = input_text(input_until(&input, '\n')), path[256];
	Guid guid;

	fuzz_silence();
	fuzz_must(guid_parse(GUID_A, &guid));
	fuzz_file_write(FOLDER GUID_A ".json", input);
	if (is_file_name(name)) {
		snprintf(path, sizeof(path), FOLDER "%s", name);
		fuzz_file_write(path, input);
	}
	int count = restore(&guid, &statistics);
	fuzz_must(restore(&guid, &statistics) >= count);
	fuzz_folder_clear();
	free(name);
	return 0;
}
