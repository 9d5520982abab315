/* SPDX-License-Identifier: MIT */
#ifndef HOST_PROC_CREDENTIALS_H
#define HOST_PROC_CREDENTIALS_H

#include "credentials.h"

/*
 * Which label files of /proc/PID/attr an LSM stands behind. That is decided when the kernel boots,
 * for all processes alike: what is false need not be opened to be known to be empty.
 */
typedef struct LabelFiles {
	bool current;
	bool apparmor;
	bool smack;
} LabelFiles;

/* Asks it of a process's folder in /proc (O_PATH descriptor). What cannot be told is true. */
LabelFiles label_files_find(int folder);

/*
 * Reads a process's credentials from its folder in /proc (O_PATH descriptor). The folder stays that
 * process's: whoever asks looks at the pidfd afterwards, and so knows that all of this was of a
 * live process. Returns 0 or a negative errno, with *ret empty; -EBADMSG for what cannot be parsed.
 */
int proc_credentials_read(int folder, const LabelFiles *files, Credentials *ret);

/* Takes credentials out of the text of /proc/PID/status. Labels and namespace are left alone. */
int proc_status_parse(const char *status, Credentials *ret);

#endif
