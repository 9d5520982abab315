/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIG_KEPT_H
#define DAEMON_HOST_CONFIG_KEPT_H

#include "daemon/core/drop-in.h"
#include "daemon/host/config.h"

/*
 * Keeps the last configuration that was right in the state directory. If the configuration has a
 * mistake, the daemon starts with the kept one. DIR/configuration.json is one object:
 *
 *   version        integer
 *   configuration  object: all keys of vaild.json(5), with the values that were in force
 *   machines       array of objects: the path and the text of each drop-in for VMs; may be absent
 *
 * The file is complete: it is written under another name, synced and renamed. Only its owner may
 * change it, because it decides who is an operator and who may
 * register for VMs. A damaged file is renamed to
 * configuration.json.damaged.
 */

/* Result of reading the kept configuration. */
typedef enum KeptConfig {
	KEPT_CONFIG_READ,
	KEPT_CONFIG_ABSENT,
	KEPT_CONFIG_DAMAGED,   /* ret_error says how */
	KEPT_CONFIG_NEWER,     /* written by a newer version; left unchanged */
	KEPT_CONFIG_TEMPORARY, /* cannot be read now; ret_error says why */
} KeptConfig;

/*
 * Keeps the settings and the drop-ins durably, unless the file contains the same already. Returns
 * 0, or a negative errno with the file unchanged.
 */
int config_keep(const char *state_directory, const Settings *settings, const DropIns *drop_ins);

/*
 * Reads the kept configuration. Both results are unchanged if that is impossible. The caller
 * deinitialises the drop-ins.
 */
KeptConfig config_kept_read(const char *state_directory, Settings *ret_settings,
			    DropIns *ret_drop_ins, ConfigError *ret_error);

#endif
