/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_LISTING_H
#define CLIENT_VAILCTL_LISTING_H

#include <stddef.h>

#include "client/vailctl/vailctl.h"
#include "proto/json-writer.h"
#include "proto/json.h"
#include <vail.h>

/* All items that a list method has returned. */
typedef struct Listing {
	const char *key; /* name of the method's array member, like "adapters"; a literal */
	JsonValue **replies;
	size_t reply_count;
	JsonValue **items; /* point into the replies */
	size_t item_count;
} Listing;

/*
 * Calls a list method with "more" and collects its items, because a list in a single reply could
 * exceed vaild's limit on the size of a reply. Starts again if the connection is lost.
 *
 * parameters: JSON text; NULL for none.
 * key: the member of each reply that has the items; must outlive the listing.
 * ret_listing: initialised in any case; the caller calls listing_deinit().
 *
 * Returns STATUS_SUCCESS, STATUS_NO_MEMORY, or as vail_call_more().
 */
NTSTATUS listing_fetch(Tool *tool, const char *method, const char *parameters, const char *key,
		       Listing *ret_listing);
void listing_deinit(Listing *listing);

/* The same for a method with the parameter virtualMachineGuid. guid: NULL for all VMs. */
NTSTATUS listing_fetch_of_machine(Tool *tool, const char *method, const char *guid, const char *key,
				  Listing *ret_listing);

/*
 * Returns the first item whose string member of this name has the value, or NULL. A NULL value
 * matches no item.
 */
const JsonValue *listing_find(const Listing *listing, const char *name, const char *value);

/*
 * Returns the reply of a vaild-fleet that says how old the list is: one that is not of now, if
 * there is one. NULL if there is no reply.
 */
const JsonValue *listing_oldest_reply(const Listing *listing);

/* Writes "key":[items] as a member of the open object. */
void listing_write(Writer *writer, const Listing *listing);

#endif
