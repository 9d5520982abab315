/* SPDX-License-Identifier: MIT */
#ifndef API_OBJECT_SETTINGS_H
#define API_OBJECT_SETTINGS_H

#include "methods.h"

/*
 * From what a message says of an object, and the descriptors that came with it, to what the core
 * keeps: values are looked at, descriptors by what the kernel says of them, and the daemon's own
 * openings of them are made.
 */

/*
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_OBJECT_TYPE_MISMATCH or
 * STATUS_INSUFFICIENT_RESOURCES; nothing is kept unless it is the first.
 */
NTSTATUS object_resolve_settings(Request *request, ObjectSettings *ret_settings);

/* Gives back what object_resolve_settings() has kept. */
void object_settings_release(Request *request, ObjectSettings *settings);

#endif
