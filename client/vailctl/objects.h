/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_OBJECTS_H
#define CLIENT_VAILCTL_OBJECTS_H

#include "client/vailctl/listing.h"
#include "client/vailctl/vailctl.h"
#include <vail.h>

/*
 * Fetches the shared objects that the caller may see.
 *
 * guid: limits the listing to one VM; NULL for all VMs.
 * ret_objects: initialised in any case; the caller calls listing_deinit().
 *
 * Returns as listing_fetch().
 */
NTSTATUS objects_fetch(Tool *tool, const char *guid, Listing *ret_objects);

/* Logs that the caller sees no object with this handle. Returns EXIT_FAILED. */
int objects_lack(const Tool *tool, const char *handle);

#endif
