/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_FAILURE_H
#define DAEMON_CORE_FAILURE_H

#include <stdint.h>

#include "proto/macros.h"
#include "proto/vail-status.h"

/*
 * The reason why an operation failed: the content of its error reply and audit record. The function
 * that detects the failure fills this in. Its callers only pass the status on.
 */
typedef struct Failure {
	NTSTATUS status;
	char message[240];  /* a sentence that tells a person what to do next */
	char parameter[96]; /* path of the invalid parameter, or empty */
	const char *reason; /* a constant word for the journal, or NULL */

	/* For STATUS_QUOTA_EXCEEDED: the limit's name, its value, and the caller's own use. */
	const char *limit;
	uint64_t maximum;
	uint64_t used;
} Failure;

#define FAILURE_INIT ((Failure){ .status = STATUS_SUCCESS })

/*
 * Describes a failure and returns the status. This and the functions below overwrite *failure.
 * Strings that do not fit are cut at a character boundary.
 */
NTSTATUS failure_set(Failure *failure, NTSTATUS status, const char *reason, const char *format, ...)
	_printf_(4, 5);

/*
 * Returns STATUS_INVALID_PARAMETER. The message is the parameter's path followed by the formatted
 * text.
 */
NTSTATUS failure_parameter(Failure *failure, const char *parameter, const char *format, ...)
	_printf_(3, 4);

/* Returns STATUS_CONFLICTING_ADDRESSES for the addresses that the parameter names. */
NTSTATUS failure_conflict(Failure *failure, const char *parameter, const char *message);

/* Returns STATUS_NO_MEMORY. */
NTSTATUS failure_no_memory(Failure *failure);

/*
 * Returns STATUS_QUOTA_EXCEEDED. For a request that carries fds while LIMIT_CLOSES_UNDER_WAY closes
 * of its user are blocked.
 */
NTSTATUS failure_closes_under_way(Failure *failure);

#endif
