/* SPDX-License-Identifier: MIT */
#include <vail/d3dkmthk.h>

#include <stdio.h>

#include "client/libvail/internal.h"

/* Formats a GUID. The first three fields are numbers in host byte order, the last is an array. */
static void guid_print(const GUID *guid, char *text, size_t size)
{
	const uint8_t *tail = guid->Data4;

	snprintf(text, size, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 (unsigned int)guid->Data1, guid->Data2, guid->Data3, tail[0], tail[1], tail[2],
		 tail[3], tail[4], tail[5], tail[6], tail[7]);
}

NTSTATUS D3DKMTRegisterVailProcess(GUID *VirtualMachineGuid)
{
	struct vail *vail;
	char text[40];

	if (!VirtualMachineGuid)
		return error_keep(NULL, STATUS_INVALID_PARAMETER);
	guid_print(VirtualMachineGuid, text, sizeof(text));

	NTSTATUS status = vail_open(NULL, &vail);
	if (status != STATUS_SUCCESS)
		return status;
	status = error_keep(vail, vail_register_process(vail, text));
	vail_close(vail);
	return status;
}
