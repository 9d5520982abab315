/* SPDX-License-Identifier: MIT */
#ifndef CORE_FAILURE_H
#define CORE_FAILURE_H

#include <stdint.h>

#include "macros.h"
#include "vail-status.h"

/*
 * Why an operation was not done: all that its answer and its journal record say. Whoever finds the
 * failure fills it in, once; everybody above passes the status on.
 */
typedef struct Failure {
	NTSTATUS status;
	char message[240];  /* a sentence for a person, which says what to do */
	char parameter[96]; /* path of the parameter at fault, or empty */
	const char *reason; /* one fixed word for the journal, or NULL */

	/* With STATUS_QUOTA_EXCEEDED: which limit, its value, and the caller's own use. */
	const char *limit;
	uint64_t maximum;
	uint64_t used;
} Failure;

#define FAILURE_INIT ((Failure){ .status = STATUS_SUCCESS })

/* Both return the status. Everything in *failure is set anew. */
NTSTATUS failure_set(Failure *failure, NTSTATUS status, const char *reason, const char *format, ...)
	_printf_(4, 5);

/* STATUS_INVALID_PARAMETER; the sentence begins behind the parameter's path. */
NTSTATUS failure_parameter(Failure *failure, const char *parameter, const char *format, ...)
	_printf_(3, 4);

/* STATUS_CONFLICTING_ADDRESSES, for what the parameter names. */
NTSTATUS failure_conflict(Failure *failure, const char *parameter, const char *message);

NTSTATUS failure_no_memory(Failure *failure);

/* STATUS_QUOTA_EXCEEDED, for who sends descriptors while LIMIT_CLOSES_UNDER_WAY closes hang. */
NTSTATUS failure_closes_under_way(Failure *failure);

#endif
