/* SPDX-License-Identifier: MIT */
#include "proto/status.h"

#include <stddef.h>
#include <string.h>

#include "proto/macros.h"

static const struct {
	NTSTATUS status;
	const char *name;
	const char *error_name;
} statuses[] = {
	{ STATUS_SUCCESS, "STATUS_SUCCESS", NULL },
	{ STATUS_INVALID_HANDLE, "STATUS_INVALID_HANDLE", "InvalidHandle" },
	{ STATUS_INVALID_PARAMETER, "STATUS_INVALID_PARAMETER", "InvalidParameter" },
	{ STATUS_NO_MEMORY, "STATUS_NO_MEMORY", "NoMemory" },
	{ STATUS_CONFLICTING_ADDRESSES, "STATUS_CONFLICTING_ADDRESSES", "ConflictingAddresses" },
	{ STATUS_ACCESS_DENIED, "STATUS_ACCESS_DENIED", "AccessDenied" },
	{ STATUS_OBJECT_TYPE_MISMATCH, "STATUS_OBJECT_TYPE_MISMATCH", "ObjectTypeMismatch" },
	{ STATUS_INVALID_DISPOSITION, "STATUS_INVALID_DISPOSITION", "InvalidDisposition" },
	{ STATUS_OBJECT_NAME_COLLISION, "STATUS_OBJECT_NAME_COLLISION", "ObjectNameCollision" },
	{ STATUS_QUOTA_EXCEEDED, "STATUS_QUOTA_EXCEEDED", "QuotaExceeded" },
	{ STATUS_INSUFFICIENT_RESOURCES, "STATUS_INSUFFICIENT_RESOURCES", "InsufficientResources" },
	{ STATUS_NOT_SUPPORTED, "STATUS_NOT_SUPPORTED", "NotSupported" },
	{ STATUS_PROCESS_IS_TERMINATING, "STATUS_PROCESS_IS_TERMINATING", "ProcessIsTerminating" },
	{ STATUS_INVALID_DEVICE_STATE, "STATUS_INVALID_DEVICE_STATE", "InvalidDeviceState" },
	{ STATUS_NOT_FOUND, "STATUS_NOT_FOUND", "NotFound" },
	{ STATUS_GRAPHICS_VAIL_STATE_CHANGED, "STATUS_GRAPHICS_VAIL_STATE_CHANGED",
	  "GraphicsVailStateChanged" },
	{ STATUS_IO_TIMEOUT, "STATUS_IO_TIMEOUT", NULL },
	{ STATUS_INVALID_NETWORK_RESPONSE, "STATUS_INVALID_NETWORK_RESPONSE", NULL },
	{ STATUS_CONNECTION_DISCONNECTED, "STATUS_CONNECTION_DISCONNECTED", NULL },
	{ STATUS_CONNECTION_REFUSED, "STATUS_CONNECTION_REFUSED", NULL },
};

const char *status_name(NTSTATUS status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].name;
	return NULL;
}

const char *status_error_name(NTSTATUS status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].error_name;
	return NULL;
}

size_t status_index(NTSTATUS status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return i;
	return SIZE_MAX;
}

const char *status_name_at(size_t index)
{
	return index < ARRAY_SIZE(statuses) ? statuses[index].name : NULL;
}

bool status_from_name(const char *name, NTSTATUS *ret_status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		if (strcmp(statuses[i].name, name) != 0)
			continue;
		*ret_status = statuses[i].status;
		return true;
	}
	return false;
}
