/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIG_MACHINES_H
#define DAEMON_HOST_CONFIG_MACHINES_H

#include "daemon/config/config-text.h"
#include "daemon/core/drop-in.h"

/* The folder of the drop-ins for VMs, below that of the configuration. */
#define CONFIG_MACHINES_FOLDER "machines.d"

/*
 * Loads the drop-ins DIR/machines.d/NAME.json, which are owned and protected as the configuration
 * is. The folder may be absent. Returns true with *ret_drop_ins set, which the caller
 * deinitialises; or false with *ret_drop_ins unchanged.
 */
bool config_load_drop_ins(const char *directory, DropIns *ret_drop_ins, ConfigError *ret_error);

/* Checks one drop-in as config_load_drop_ins() would, but accepts any owner. */
bool config_check_drop_in(const char *path, ConfigError *ret_error);

/*
 * Adds a drop-in that the daemon has kept. A user that does not exist any more matches no process.
 * name: of the file. Returns true, or false with the list unchanged.
 */
bool config_read_kept_drop_in(const char *name, const char *text, DropIns *drop_ins,
			      ConfigError *ret_error);

#endif
