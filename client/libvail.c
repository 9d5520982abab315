/* SPDX-License-Identifier: MIT */
/* Handles, and what went wrong on them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvail-internal.h"
#include "status.h"

void error_details_deinit(ErrorDetails *details)
{
	free(details->message);
	free(details->name);
	free(details->parameter);
	free(details->limit);
	*details = (ErrorDetails){ 0 };
}

void vail_error_clear(struct vail *vail)
{
	error_details_deinit(&vail->error);
}

NTSTATUS vail_error_set(struct vail *vail, NTSTATUS status, const char *format, ...)
{
	va_list arguments;

	vail_error_clear(vail);
	va_start(arguments, format);
	if (vasprintf(&vail->error.message, format, arguments) < 0)
		vail->error.message = NULL; /* the status has to do */
	va_end(arguments);
	return status;
}

NTSTATUS vail_error_no_memory(struct vail *vail)
{
	return vail_error_set(vail, STATUS_NO_MEMORY, "this process is out of memory");
}

static const char *socket_path(const char *path)
{
	if (path)
		return path;
	path = secure_getenv(SOCKET_PATH_VARIABLE);
	return path && *path ? path : SOCKET_PATH_DEFAULT;
}

static void vail_free(struct vail *vail)
{
	connection_close(vail);
	absence_end(&vail->absence);
	buffer_deinit(&vail->input);
	buffer_deinit(&vail->output);
	descriptors_close(&vail->descriptors);
	json_parser_free(vail->parser);
	error_details_deinit(&vail->error);
	free(vail->path);
	free(vail);
}

NTSTATUS vail_new(const char *path, struct vail **ret_vail)
{
	if (!ret_vail)
		return STATUS_INVALID_PARAMETER;
	struct vail *vail = calloc(1, sizeof(*vail));
	if (!vail)
		return STATUS_NO_MEMORY;
	vail->descriptor = -1;
	vail->absence = ABSENCE_INIT;
	vail->resumes = true;
	vail->timeout = VAIL_TIMEOUT_DEFAULT;
	vail->end = &vail->first;
	vail->path = strdup(socket_path(path));
	vail->parser = json_parser_new();
	if (!vail->path || !vail->parser) {
		vail_free(vail);
		return STATUS_NO_MEMORY;
	}
	*ret_vail = vail;
	return STATUS_SUCCESS;
}

NTSTATUS vail_open(const char *path, struct vail **ret_vail)
{
	struct vail *vail = NULL;

	if (!ret_vail)
		return STATUS_INVALID_PARAMETER;
	NTSTATUS status = vail_new(path, &vail);
	if (status != STATUS_SUCCESS)
		return status;
	status = connection_open(vail, true);
	if (status != STATUS_SUCCESS) {
		vail_free(vail);
		return status;
	}
	*ret_vail = vail;
	return STATUS_SUCCESS;
}

void vail_close(struct vail *vail)
{
	if (!vail)
		return;
	vail_error_set(vail, STATUS_CONNECTION_DISCONNECTED,
		       "the handle was closed before vaild answered");
	vail->closing = true;
	calls_lose(vail, STATUS_CONNECTION_DISCONNECTED);
	vail_free(vail);
}

void vail_set_timeout(struct vail *vail, int milliseconds)
{
	if (vail)
		vail->timeout = milliseconds < 0 ? VAIL_TIMEOUT_NONE : milliseconds;
}

void vail_set_resume(struct vail *vail, bool resumes)
{
	if (vail)
		vail->resumes = resumes;
}

const char *vail_path(const struct vail *vail)
{
	return vail ? vail->path : NULL;
}

const char *vail_error_message(const struct vail *vail)
{
	return vail && vail->error.message ? vail->error.message : "";
}

const char *vail_error_parameter(const struct vail *vail)
{
	return vail ? vail->error.parameter : NULL;
}

const char *vail_error_name(const struct vail *vail)
{
	return vail ? vail->error.name : NULL;
}

const char *vail_error_limit(const struct vail *vail, uint64_t *ret_maximum, uint64_t *ret_used)
{
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

int vail_descriptor(const struct vail *vail)
{
	if (!vail)
		return -1;
	return vail->is_waiting ? vail->absence.descriptor : vail->descriptor;
}
