/* SPDX-License-Identifier: MIT */
#ifndef PROTO_STATUS_H
#define PROTO_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "vail-status.h"

/* "STATUS_ACCESS_DENIED"; NULL for a value that is not one of vail-status.h. */
const char *status_name(NTSTATUS status);

/* "AccessDenied", the last part of the Varlink error's name; NULL as above, and for success. */
const char *status_error_name(NTSTATUS status);

/* Statuses have numbers of their own, from 0 on without holes, to count by. SIZE_MAX and NULL where
 * there is none. */
size_t status_index(NTSTATUS status);
const char *status_name_at(size_t index);

/* The status that has this name. Returns false, and leaves *ret_status, where there is none. */
bool status_from_name(const char *name, NTSTATUS *ret_status);

#endif
