/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_LISTING_H
#define LIBVAIL_LISTING_H

/* Methods that list, one item a reply, as calls that tell items. */

#include "libvail-parameters.h"

/* Tells one item to the user. Returns whether it wants more. */
typedef bool (*ItemTeller)(struct vail *vail, const JsonValue *item, void *context);

/*
 * Calls with what was written and tells what stands under the key in each reply. When tell wants no
 * more, the rest is read all the same, and not told: to stop the stream would cost the connection.
 */
NTSTATUS parameters_call_listing(struct vail *vail, const char *method, Parameters *parameters,
				 const char *key, ItemTeller tell, void *context);

#endif
