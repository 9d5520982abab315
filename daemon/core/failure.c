/* SPDX-License-Identifier: MIT */
#include "daemon/core/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/limit.h"

/* Removes an incomplete UTF-8 character from the end of a text that filled its buffer. */
static void trim_cut_character(char *text, size_t size)
{
	size_t length = strlen(text), lead = length;

	if (length + 1 < size)
		return;
	while (lead > 0 && (text[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead > 0 && (text[lead - 1] & 0x80))
		text[lead - 1] = '\0';
}

NTSTATUS failure_set(Failure *failure, NTSTATUS status, const char *reason, const char *format, ...)
{
	va_list arguments;

	*failure = (Failure){ .status = status, .reason = reason };
	va_start(arguments, format);
	vsnprintf(failure->message, sizeof(failure->message), format, arguments);
	va_end(arguments);
	trim_cut_character(failure->message, sizeof(failure->message));
	return status;
}

NTSTATUS failure_parameter(Failure *failure, const char *parameter, const char *format, ...)
{
	va_list arguments;

	*failure = (Failure){ .status = STATUS_INVALID_PARAMETER, .reason = "parameter" };
	snprintf(failure->parameter, sizeof(failure->parameter), "%s", parameter);
	trim_cut_character(failure->parameter, sizeof(failure->parameter));
	int length =
		snprintf(failure->message, sizeof(failure->message), "%s ", failure->parameter);
	if (length > 0 && (size_t)length < sizeof(failure->message)) {
		va_start(arguments, format);
		vsnprintf(failure->message + length, sizeof(failure->message) - (size_t)length,
			  format, arguments);
		va_end(arguments);
	}
	trim_cut_character(failure->message, sizeof(failure->message));
	return failure->status;
}

NTSTATUS failure_conflict(Failure *failure, const char *parameter, const char *message)
{
	failure_set(failure, STATUS_CONFLICTING_ADDRESSES, "conflict", "%s", message);
	snprintf(failure->parameter, sizeof(failure->parameter), "%s", parameter);
	return failure->status;
}

NTSTATUS failure_no_memory(Failure *failure)
{
	return failure_set(failure, STATUS_NO_MEMORY, "memory",
			   "the daemon is out of memory; try again later");
}

NTSTATUS failure_closes_under_way(Failure *failure)
{
	failure_set(failure, STATUS_QUOTA_EXCEEDED, "quota",
		    "too many of your user's file descriptors are still being closed; wait before "
		    "you send more");
	failure->limit = LIMIT_NAME_CLOSES;
	failure->maximum = LIMIT_CLOSES_UNDER_WAY;
	failure->used = LIMIT_CLOSES_UNDER_WAY;
	return failure->status;
}
