/* SPDX-License-Identifier: MIT */
#ifndef PROTO_STATUS_H
#define PROTO_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/vail-status.h"

/* Returns a name like "STATUS_ACCESS_DENIED", or NULL if vail-status.h lacks the status. */
const char *status_name(NTSTATUS status);

/*
 * Returns the last part of the Varlink error's name, like "AccessDenied". Returns NULL for success,
 * for statuses that the daemon never sends, and if vail-status.h lacks the status.
 */
const char *status_error_name(NTSTATUS status);

/* Numbers the statuses consecutively from 0, for counters. Returns SIZE_MAX if unknown. */
size_t status_index(NTSTATUS status);

/* Returns the name of the status with this index, or NULL for a higher index. */
const char *status_name_at(size_t index);

/* Finds a status by its name. Returns false, with *ret_status unchanged, if it is unknown. */
bool status_from_name(const char *name, NTSTATUS *ret_status);

#endif
