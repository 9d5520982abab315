/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the readers of /proc and /sys, through files. The first byte of an input selects the file:
 * /proc/PID/status, /proc/PID/stat, a label in /proc/PID/attr, or the dev file of a device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/host/examiner/question.h"
#include "daemon/host/process/graphics-context.h"
#include "daemon/host/process/proc-credentials.h"
#include "daemon/host/process/process-stat.h"
#include "proto/fd-util.h"
#include "tests/fuzz/common/fuzz-input.h"

#define PID    "4711"
#define STATUS "Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t1 2\nCapPrm:\t0\nCapEff:\t0\n"

static void write_text(const char *name, const char *text)
{
	fuzz_file_write(name, (Input){ (const uint8_t *)text, strlen(text) });
}

/* Makes the folder of the process, with what the inputs do not write. */
static int process_folder(void)
{
	char path[256];

	write_text(PID "/status", STATUS);
	write_text(PID "/ns/user", "");
	write_text(PID "/attr/current", "label\n");
	write_text(PID "/attr/apparmor/current", "");
	snprintf(path, sizeof(path), "%s/" PID, fuzz_folder());
	int folder = open(path, O_PATH | O_CLOEXEC);
	fuzz_must(folder >= 0);
	return folder;
}

/* The parser of a status either fills in the credentials or leaves nothing to free. */
static void read_status(Input input)
{
	char *text = input_text(input);
	Credentials credentials = CREDENTIALS_INIT;
	int error = proc_status_parse(text, &credentials);

	fuzz_must(error == 0 || error == -EBADMSG);
	fuzz_must(error < 0 || groups_contain(&credentials.groups, credentials.gids[ID_EFFECTIVE]));
	credentials_deinit(&credentials);
	pid_t pids[PID_LEVELS_MAX + 1];
	size_t count;
	error = proc_status_parse_pids(text, pids, ARRAY_SIZE(pids), &count);
	fuzz_must(error == 0 || error == -EBADMSG);
	for (size_t i = 0; error == 0 && i < count; i++)
		fuzz_must(pids[i] >= 0);
	free(text);
}

static void read_credentials(const char *name, Input input)
{
	static const LabelFiles all = { .current = true, .apparmor = true, .smack = true };
	Credentials credentials;
	_cleanup_close_ int folder = process_folder();

	fuzz_file_write(name, input);
	int error = proc_credentials_read(folder, &all, &credentials);
	fuzz_must(error == 0 || error == -EBADMSG);
	if (error == 0) {
		fuzz_must(!strchr(credentials.label, '\n'));
		credentials_deinit(&credentials);
	}
}

static void read_stat(Input input)
{
	uint64_t start_time;

	fuzz_file_write(PID "/stat", input);
	int error = process_read_start_time(fuzz_folder(), atoi(PID), &start_time);
	fuzz_must(error == 0 || error == -ESRCH);
}

static void read_device(Input input)
{
	const FsRoots roots = { .proc = fuzz_folder(), .sys = fuzz_folder() };
	GraphicsContextKind kind;

	fuzz_file_write("class/kfd/kfd/dev", input);
	DynamicDevices devices = dynamic_devices_read(&roots);
	/* A malformed file must not make other devices GPUs. */
	fuzz_must(!graphics_context_of_device(&devices, 0, &kind));
	fuzz_must(devices.dxg == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };

	switch (input_byte(&input)) {
	case 's':
		read_status(input);
		break;
	case 'f':
		read_credentials(PID "/status", input);
		break;
	case 'l':
		read_credentials(PID "/attr/current", input);
		break;
	case 'a':
		read_credentials(PID "/attr/apparmor/current", input);
		break;
	case 't':
		read_stat(input);
		break;
	case 'd':
		read_device(input);
		break;
	default:
		break;
	}
	return 0;
}
