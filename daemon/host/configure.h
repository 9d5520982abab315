/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIGURE_H
#define DAEMON_HOST_CONFIGURE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Brings the configuration into force, at the start and at each reload. A mistake in the files is
 * logged, and is in the unit's status line and a remark of GetStatus until it is corrected.
 */
struct Server;

/*
 * Loads the configuration. If it has a mistake, loads the last one that was right. If none was
 * kept, uses the defaults, and only operators are served. Returns false, after logging the error,
 * if the user database does not answer or memory has run out.
 */
bool configure_start(struct Server *server);

/* Brings the restored VMs into line with the drop-ins. */
void configure_machines(struct Server *server);

/* Keeps the configuration for later starts if it is right. Call when the state is restored. */
void configure_keep(struct Server *server);

/*
 * Loads the configuration again. If that fails, returns false, leaves the old one in force and
 * stores a sentence that names the mistake, truncated to size bytes, in ret_mistake.
 */
bool configure_reload(struct Server *server, char *ret_mistake, size_t size);

#endif
