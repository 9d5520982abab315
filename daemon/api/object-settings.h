/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_OBJECT_SETTINGS_H
#define DAEMON_API_OBJECT_SETTINGS_H

#include "daemon/api/methods.h"

/*
 * Resolves a message's description of an object and its fds for core: checks the values, asks the
 * kernel what each fd is, and opens the daemon's own fds.
 */

/*
 * Fills in *ret_settings, to be released with object_settings_release(); the name belongs to the
 * message. Returns STATUS_SUCCESS; or STATUS_INVALID_PARAMETER, STATUS_OBJECT_TYPE_MISMATCH or
 * STATUS_INSUFFICIENT_RESOURCES, with *ret_settings unchanged and no fd open.
 */
NTSTATUS object_resolve_settings(Request *request, ObjectSettings *ret_settings);

/* Closes the fds that object_resolve_settings() has opened. */
void object_settings_release(Request *request, ObjectSettings *settings);

#endif
