/* SPDX-License-Identifier: MIT */
#ifndef API_NAMED_PROCESS_H
#define API_NAMED_PROCESS_H

#include "methods.h"

/*
 * Processes that messages name by their pid. All return STATUS_SUCCESS, STATUS_INVALID_PARAMETER
 * with the path, or STATUS_INSUFFICIENT_RESOURCES. The caller deinits the credentials in any case.
 */

/* The live process of that pid, with its credentials now; who is no operator may name only its own.
 */
NTSTATUS process_resolve(Request *request, const char *path, uint64_t pid, NamedProcess *ret);

/* Operators may name any process, others only one that is their own, and that of the uid with which
 * they connected: one that has become somebody else since is not to act as that. */
NTSTATUS process_check_own(Request *request, const char *path, const NamedProcess *process);

/* Reads the credentials of the process that *process names by its key. */
NTSTATUS process_read(Request *request, const char *path, NamedProcess *process);

#endif
