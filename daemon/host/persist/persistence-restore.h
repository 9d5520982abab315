/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_PERSISTENCE_RESTORE_H
#define DAEMON_HOST_PERSIST_PERSISTENCE_RESTORE_H

#include "daemon/host/persist/persistence.h"

/*
 * Restores the fds that the service manager has passed: matches each with its record, and drops
 * both, with a remark, if they do not match. Returns false if out of fds or memory; the state is
 * then kept for the next start.
 */
bool persistence_restore(Persistence *persistence, ListenFds *passed);

#endif
