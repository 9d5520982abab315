/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/process-stat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/host/process/file-read.h"

/* Number of the start time's field in /proc/PID/stat, counted from the name. */
#define START_TIME_FIELD 20

int process_read_start_time(const char *proc, pid_t pid, uint64_t *ret)
{
	char path[256], state = 'Z';
	uint64_t start_time;
	Buffer file;

	snprintf(path, sizeof(path), "%s/%d/stat", proc, (int)pid);
	int error = proc_file_read(AT_FDCWD, path, &file);
	if (error < 0)
		return error;
	/* The name is in parentheses and may itself contain parentheses and blanks. */
	const char *field = strrchr(file.data, ')');
	bool found = field && sscanf(field, ") %c", &state) == 1;
	for (int i = 0; found && i < START_TIME_FIELD; i++) {
		field = strchr(field + 1, ' ');
		found = field != NULL;
	}
	found = found && sscanf(field, "%" SCNu64, &start_time) == 1 && state != 'Z' &&
		state != 'X';
	buffer_deinit(&file);
	if (!found)
		return -ESRCH;
	*ret = start_time;
	return 0;
}
