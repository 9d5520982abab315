/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_PROC_CREDENTIALS_H
#define DAEMON_HOST_PROCESS_PROC_CREDENTIALS_H

#include "daemon/core/credentials.h"

/*
 * Label files of /proc/PID/attr that an LSM implements. This is fixed at boot and equal for all
 * processes, so a file marked false is known to be empty and need not be opened.
 */
typedef struct LabelFiles {
	bool current;
	bool apparmor;
	bool smack;
} LabelFiles;

/*
 * Tests each label file in a process's directory in /proc (an O_PATH fd). A file whose read fails
 * for any other reason counts as implemented.
 */
LabelFiles label_files_find(int folder);

/*
 * Reads a process's credentials from its directory in /proc (an O_PATH fd), except its user
 * namespace, which only the examiner may read. The directory stays that of the same process, so if
 * the caller finds the process alive afterwards, all of the data is its own. The caller
 * deinitialises *ret. Returns 0; or a negative errno with *ret empty, -EBADMSG if the data is
 * malformed.
 */
int proc_credentials_read(int folder, const LabelFiles *files, Credentials *ret);

/*
 * Parses the pids of a process from the text of its /proc/PID/status: that in the pid namespace of
 * /proc, then those in the namespaces below. Sets *ret_count to 0 on a kernel without pid
 * namespaces. Returns 0, or -EBADMSG if malformed or more than room.
 */
int proc_status_parse_pids(const char *status, pid_t *ret, size_t room, size_t *ret_count);

/*
 * Parses the text of /proc/PID/status into *ret, without changing labels and namespace. Returns 0,
 * -EBADMSG if malformed, or -ENOMEM.
 */
int proc_status_parse(const char *status, Credentials *ret);

#endif
