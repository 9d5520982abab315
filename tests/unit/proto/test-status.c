/* SPDX-License-Identifier: MIT */
/* The statuses' numbers, their names, and the names of their Varlink errors. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/macros.h"
#include "proto/status.h"

TestSuite(status);

/*
 * Written by hand, to notice changes. error is NULL for success and for statuses that the daemon
 * never sends.
 */
static const struct {
	uint32_t value;
	const char *name, *error;
} rows[] = {
	{ 0x00000000, "STATUS_SUCCESS", NULL },
	{ 0xC0000008, "STATUS_INVALID_HANDLE", "InvalidHandle" },
	{ 0xC000000D, "STATUS_INVALID_PARAMETER", "InvalidParameter" },
	{ 0xC0000017, "STATUS_NO_MEMORY", "NoMemory" },
	{ 0xC0000018, "STATUS_CONFLICTING_ADDRESSES", "ConflictingAddresses" },
	{ 0xC0000022, "STATUS_ACCESS_DENIED", "AccessDenied" },
	{ 0xC0000024, "STATUS_OBJECT_TYPE_MISMATCH", "ObjectTypeMismatch" },
	{ 0xC0000026, "STATUS_INVALID_DISPOSITION", "InvalidDisposition" },
	{ 0xC0000035, "STATUS_OBJECT_NAME_COLLISION", "ObjectNameCollision" },
	{ 0xC0000044, "STATUS_QUOTA_EXCEEDED", "QuotaExceeded" },
	{ 0xC000009A, "STATUS_INSUFFICIENT_RESOURCES", "InsufficientResources" },
	{ 0xC00000BB, "STATUS_NOT_SUPPORTED", "NotSupported" },
	{ 0xC000010A, "STATUS_PROCESS_IS_TERMINATING", "ProcessIsTerminating" },
	{ 0xC0000184, "STATUS_INVALID_DEVICE_STATE", "InvalidDeviceState" },
	{ 0xC0000225, "STATUS_NOT_FOUND", "NotFound" },
	{ 0xC01E0011, "STATUS_GRAPHICS_VAIL_STATE_CHANGED", "GraphicsVailStateChanged" },
	{ 0xC00000B5, "STATUS_IO_TIMEOUT", NULL },
	{ 0xC00000C3, "STATUS_INVALID_NETWORK_RESPONSE", NULL },
	{ 0xC000020C, "STATUS_CONNECTION_DISCONNECTED", NULL },
	{ 0xC0000236, "STATUS_CONNECTION_REFUSED", NULL },
};

Test(status, names_and_numbers)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		NTSTATUS status = (NTSTATUS)rows[i].value, read = 1;

		cr_assert_not_null(status_name(status), "%#x", rows[i].value);
		cr_assert_str_eq(status_name(status), rows[i].name);
		cr_assert(status_from_name(rows[i].name, &read));
		cr_assert_eq(read, status, "%s", rows[i].name);
		if (rows[i].error)
			cr_assert_str_eq(status_error_name(status), rows[i].error);
		else
			cr_assert_null(status_error_name(status), "%s", rows[i].name);
	}
}

Test(status, macros_have_these_numbers)
{
	cr_assert_eq((uint32_t)STATUS_SUCCESS, 0u);
	cr_assert_eq((uint32_t)STATUS_GRAPHICS_VAIL_STATE_CHANGED, 0xC01E0011u);
	cr_assert_eq((uint32_t)STATUS_INVALID_DISPOSITION, 0xC0000026u);
	cr_assert_lt(STATUS_ACCESS_DENIED, 0, "errors are negative, as on Windows");
}

Test(status, unknown_names_and_numbers)
{
	NTSTATUS status = 77;

	cr_assert_null(status_name((NTSTATUS)0xC0000001));
	cr_assert_null(status_error_name((NTSTATUS)0xC0000001));
	cr_assert_null(status_name(1));
	cr_assert_not(status_from_name("STATUS_ACCESS_DENIE", &status));
	cr_assert_not(status_from_name("status_access_denied", &status));
	cr_assert_not(status_from_name("", &status));
	cr_assert_eq(status, 77, "the result changed");
}
