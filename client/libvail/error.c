/* SPDX-License-Identifier: MIT */
/* The error details of a handle: what the last failed call has left for the user to read. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/libvail/internal.h"
#include "proto/status.h"

void error_details_deinit(ErrorDetails *details)
{
	free(details->message);
	free(details->name);
	free(details->parameter);
	free(details->limit);
	*details = (ErrorDetails){ 0 };
}

void error_clear(struct vail *vail)
{
	error_details_deinit(&vail->error);
}

NTSTATUS error_set(struct vail *vail, NTSTATUS status, const char *format, ...)
{
	va_list arguments;

	error_clear(vail);
	va_start(arguments, format);
	if (vasprintf(&vail->error.message, format, arguments) < 0)
		vail->error.message = NULL; /* out of memory: the user still gets the status */
	va_end(arguments);
	return status;
}

NTSTATUS error_set_no_memory(struct vail *vail)
{
	return error_set(vail, STATUS_NO_MEMORY, "this process is out of memory");
}

/* The longest sentence that is kept: about a call to vaild, with the longest path of a socket. */
#define KEPT_SIZE 1024

/* The sentence about the thread's last call that has left no handle behind. */
static _Thread_local char kept[KEPT_SIZE];

NTSTATUS error_keep(const struct vail *vail, NTSTATUS status)
{
	const char *message = vail ? vail->error.message : NULL;

	if (!vail && status == STATUS_INVALID_PARAMETER)
		message = "a pointer is NULL; pass a valid one";
	kept[0] = '\0';
	if (status != STATUS_SUCCESS)
		snprintf(kept, sizeof(kept), "%s",
			 message ? message : "this process is out of memory");
	return status;
}

/*
 * The details belong to the thread that uses the handle. A thread that was refused gets its own
 * sentence, which is static, and no other details until its next call on the handle.
 */
static bool was_refused(const struct vail *vail)
{
	return vail && exclusive_use_was_refused(&vail->use);
}

const char *vail_error_message(const struct vail *vail)
{
	static const char busy[] =
		"another thread is using this handle; give each thread its own handle, or protect "
		"the calls with a lock";

	if (!vail)
		return kept;
	if (was_refused(vail))
		return busy;
	use_or_return(vail, busy);
	return vail->error.message ? vail->error.message : "";
}

const char *vail_error_parameter(const struct vail *vail)
{
	if (was_refused(vail))
		return NULL;
	use_or_return(vail, NULL);
	return vail ? vail->error.parameter : NULL;
}

const char *vail_error_name(const struct vail *vail)
{
	if (was_refused(vail))
		return NULL;
	use_or_return(vail, NULL);
	return vail ? vail->error.name : NULL;
}

const char *vail_error_limit(const struct vail *vail, uint64_t *ret_maximum, uint64_t *ret_used)
{
	if (was_refused(vail))
		return NULL;
	use_or_return(vail, NULL);
	if (!vail || !vail->error.limit)
		return NULL;
	if (ret_maximum)
		*ret_maximum = vail->error.maximum;
	if (ret_used)
		*ret_used = vail->error.used;
	return vail->error.limit;
}

const char *vail_status_name(NTSTATUS status)
{
	return status_name(status);
}
