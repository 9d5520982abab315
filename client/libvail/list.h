/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_LIST_H
#define CLIENT_LIBVAIL_LIST_H

/* Calls methods that return a list, one item per reply. */

#include "client/libvail/parameters.h"

/* Reports one item to the user. Returns false if the user wants no more. */
typedef bool (*ItemCallback)(struct vail *vail, const JsonValue *item, void *context);

/*
 * Calls a method with the parameters written so far. Then reports each item of the array named key
 * in the replies. If the callback returns false, the rest of the list is dropped; the call still
 * receives all of it, because stopping the stream would close the connection.
 *
 * Returns the status of the last reply, or of the failure.
 */
NTSTATUS parameters_call_list(struct vail *vail, const char *method, Parameters *parameters,
			      const char *key, ItemCallback report, void *context);

#endif
