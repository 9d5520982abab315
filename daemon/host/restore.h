/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_RESTORE_H
#define DAEMON_HOST_RESTORE_H

#include <stdbool.h>

typedef struct Server Server;

/*
 * Restores persisted entities and then quarantines into a new broker. Entities survive a restart if
 * the service manager has stored their fds; quarantines always survive. Adds a remark for each
 * persisted record that is dropped. Returns false, after logging, if the daemon must not start.
 */
bool restore_all(Server *server);

#endif
