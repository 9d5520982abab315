/* SPDX-License-Identifier: MIT */
#include "client/common/self-register.h"

NTSTATUS self_register(struct vail *vail, const char *guid, bool context_first)
{
	char context[VAIL_HANDLE_SIZE];
	NTSTATUS status = STATUS_INVALID_DISPOSITION; /* no graphics context */

	if (!context_first)
		status = vail_register_process(vail, guid);
	if (status != STATUS_INVALID_DISPOSITION)
		return status;
	status = vail_create_context(vail, NULL, context, NULL);
	return status == STATUS_SUCCESS ? vail_register_process(vail, guid) : status;
}
