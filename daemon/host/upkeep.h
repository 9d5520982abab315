/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_UPKEEP_H
#define DAEMON_HOST_UPKEEP_H

#include "daemon/host/turns.h"

/*
 * Work of the daemon itself that can wait: completing the ends of VMs and of what depended on
 * processes that have exited, freeing what GPU processes have left behind, removing
 * the persisted records and stored fds of what has ended, and compacting the record file. It has
 * turns like the work of a user, so it neither delays users nor waits for ever.
 */
typedef struct Upkeep {
	struct Server *server;
	TurnOwner owner;
	Task ending;
	Task reaping;
	Task removing;
	Task compacting;
} Upkeep;

void upkeep_init(Upkeep *upkeep, struct Server *server);
void upkeep_deinit(Upkeep *upkeep);

/* Queues the first two, if there is anything to do. Call after operations of the core. */
void upkeep_after_change(Upkeep *upkeep);

/* Queues the removal of records and stored fds, and the compaction of the record file. */
void upkeep_persistence(Upkeep *upkeep);

#endif
