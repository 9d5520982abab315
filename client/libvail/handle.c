/* SPDX-License-Identifier: MIT */
/* Handles: creating and freeing them, and their options. */
#include <stdlib.h>
#include <string.h>

#include "client/libvail/internal.h"

static const char *socket_path(const char *path)
{
	if (path)
		return path;
	path = secure_getenv(SOCKET_PATH_VARIABLE);
	return path && *path ? path : SOCKET_PATH_DEFAULT;
}

static void handle_free(struct vail *vail)
{
	connection_close(vail);
	reconnect_end(&vail->reconnect);
	buffer_deinit(&vail->input);
	buffer_deinit(&vail->output);
	fd_list_close(&vail->reply_fds);
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
	exclusive_use_forget(&vail->use);
	vail->fd = -1;
	vail->reconnect = RECONNECT_INIT;
	vail->resumes = true;
	vail->timeout = VAIL_TIMEOUT_DEFAULT;
	vail->last_link = &vail->first_call;
	vail->path = strdup(socket_path(path));
	vail->parser = json_parser_new();
	if (!vail->path || !vail->parser) {
		handle_free(vail);
		return STATUS_NO_MEMORY;
	}
	*ret_vail = vail;
	return STATUS_SUCCESS;
}

NTSTATUS vail_open(const char *path, struct vail **ret_vail)
{
	struct vail *vail = NULL;

	NTSTATUS status = ret_vail ? vail_new(path, &vail) : STATUS_INVALID_PARAMETER;
	if (status == STATUS_SUCCESS)
		status = connection_connect(vail, true);
	error_keep(vail, status);
	if (status == STATUS_SUCCESS)
		*ret_vail = vail;
	else if (vail)
		handle_free(vail);
	return status;
}

/* Begins the last use of the handle. Returns false if it must stay open. */
static bool begin_close(struct vail *vail)
{
	ExclusiveUse *use = exclusive_use_begin(&vail->use);

	if (!use || use->depth == 1)
		return use;
	error_set(vail, STATUS_INVALID_DEVICE_STATE,
		  "a handle cannot be closed from its own callback; close it after the "
		  "callback has returned");
	exclusive_use_end(&use);
	return false;
}

void vail_close(struct vail *vail)
{
	if (!vail || !begin_close(vail))
		return;
	error_set(vail, STATUS_CONNECTION_DISCONNECTED,
		  "the handle was closed before vaild answered");
	vail->closing = true;
	calls_fail_all(vail, STATUS_CONNECTION_DISCONNECTED);
	handle_free(vail);
}

void vail_set_timeout(struct vail *vail, int milliseconds)
{
	use_or_return(vail);
	if (vail)
		vail->timeout = milliseconds < 0 ? VAIL_TIMEOUT_NONE : milliseconds;
}

void vail_set_resume(struct vail *vail, bool resumes)
{
	use_or_return(vail);
	if (vail)
		vail->resumes = resumes;
}

const char *vail_path(const struct vail *vail)
{
	return vail ? vail->path : NULL;
}

int vail_descriptor(const struct vail *vail)
{
	use_or_return(vail, -1);
	if (!vail)
		return -1;
	return vail->is_reconnecting ? vail->reconnect.epoll : vail->fd;
}
