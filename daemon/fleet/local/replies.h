/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_LOCAL_REPLIES_H
#define DAEMON_FLEET_LOCAL_REPLIES_H

#include "daemon/fleet/model/facts.h"
#include "proto/json.h"

/* The items of one list of vaild. */
typedef struct ReplyList {
	JsonValue **replies; /* own the items */
	size_t count;
	size_t room;
} ReplyList;

/* The replies from which the facts about the host are made. */
typedef struct Replies {
	char *version;         /* of vaild */
	ReplyList vms;         /* of io.vaild.Machine.ListVirtualMachines */
	ReplyList adapters;    /* of io.vaild.Gpu.ListAdapters */
	ReplyList quarantines; /* of io.vaild.Machine.ListQuarantines */
} Replies;

/* Adds a reply, which the list owns from then on. Returns false if out of memory. */
bool reply_list_add(ReplyList *list, JsonValue *reply);

/* Frees the replies and empties the lists. */
void replies_clear(Replies *replies);

/*
 * Makes the facts. Items without what identifies them are ignored. A VM that the earlier facts
 * have, too, keeps its date. host_name: of this host. now: seconds on CLOCK_BOOTTIME. Returns
 * false, with *facts unchanged, if out of memory.
 */
bool replies_read(const Replies *replies, const char *host_name, double now, FleetFacts *facts);

#endif
