/* SPDX-License-Identifier: MIT */
#ifndef PROTO_STATUS_H
#define PROTO_STATUS_H

#include <stdbool.h>

#include "vail-status.h"

/* "STATUS_ACCESS_DENIED"; NULL for a value that is not one of vail-status.h. */
const char *status_name(NTSTATUS status);

/* "AccessDenied", the last part of the Varlink error's name; NULL as above, and for success. */
const char *status_error_name(NTSTATUS status);

/* The status that has this name. Returns false, and leaves *ret_status, where there is none. */
bool status_from_name(const char *name, NTSTATUS *ret_status);

#endif
