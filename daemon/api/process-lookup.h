/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_PROCESS_LOOKUP_H
#define DAEMON_API_PROCESS_LOOKUP_H

#include "daemon/api/methods.h"

/*
 * Processes that messages name by their pid. All functions return STATUS_SUCCESS,
 * STATUS_INVALID_PARAMETER with the path, or STATUS_INSUFFICIENT_RESOURCES. In any case the caller
 * deinitialises the credentials. process_resolve() may return STATUS_PENDING, too.
 */

/*
 * Finds the live process with the pid in the caller's pid namespace and reads its current
 * credentials. A caller that is not an operator may name only its own processes.
 */
NTSTATUS process_resolve(Request *request, const char *path, uint64_t pid, ResolvedProcess *ret);

/*
 * Checks that the caller may name the process. Operators may name any process, others only their
 * own. A caller whose uid has changed since it connected may name none.
 */
NTSTATUS process_check_own(Request *request, const char *path, const ResolvedProcess *process);

/* Reads the current credentials of the process with process->key into *process. */
NTSTATUS process_read(Request *request, const char *path, ResolvedProcess *process);

#endif
