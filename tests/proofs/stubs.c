/* SPDX-License-Identifier: MIT */
/*
 * Replaces daemon/core/failure.c and snprintf() in proofs. No proof is about the text of a failure,
 * and following printf through it would take hours.
 */
#include <stdio.h>

#include "daemon/core/failure.h"
#include "tests/proofs/proof.h"

/* Writes the last byte that snprintf() could write, so that a size that is too large is found. */
int snprintf(char *text, size_t size, const char *format, ...)
{
	assert(format != NULL);
	text[size - 1] = '\0';
	text[0] = '\0';
	return nondet_int();
}

/* Sets what callers read: the status and the reason. */
NTSTATUS failure_set(Failure *failure, NTSTATUS status, const char *reason, const char *format, ...)
{
	assert(status != STATUS_SUCCESS && format[0] != '\0');
	failure->status = status;
	failure->reason = reason;
	return status;
}

NTSTATUS failure_parameter(Failure *failure, const char *parameter, const char *format, ...)
{
	assert(parameter && format);
	return failure_set(failure, STATUS_INVALID_PARAMETER, "parameter", "text");
}

NTSTATUS failure_conflict(Failure *failure, const char *parameter, const char *message)
{
	assert(parameter && message);
	return failure_set(failure, STATUS_CONFLICTING_ADDRESSES, "conflict", "text");
}

NTSTATUS failure_no_memory(Failure *failure)
{
	return failure_set(failure, STATUS_NO_MEMORY, "memory", "out of memory");
}
