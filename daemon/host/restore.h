/* SPDX-License-Identifier: MIT */
#ifndef HOST_RESTORE_H
#define HOST_RESTORE_H

#include <stdbool.h>

typedef struct Server Server;

/*
 * Brings into the new broker what outlives the daemon: first what was there when it went, as long
 * as the service manager kept its descriptors, then quarantines, which last over a stop. What was
 * dropped is remarked on. False, after logging: the daemon cannot start.
 */
bool restore_all(Server *server);

#endif
