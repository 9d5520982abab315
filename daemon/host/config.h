/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIG_H
#define DAEMON_HOST_CONFIG_H

#include "daemon/api/service.h"
#include "daemon/config/config-mistake.h"
#include "proto/buffer.h"

/*
 * Loads the configuration: DIR/vaild.json, then DIR/vaild.json.d/NAME.json in the order of their
 * names. Later files override earlier ones key by key. All files may be absent. Each is one JSON
 * object:
 *
 *   operatorGroup       string: group whose members are operators, beside root. Must exist, except
 *                       for the default "vaild". "" for none
 *   observersGroup      string: group whose members may list and watch everything. As above, but
 *                       the default is "vaild-observers", and its gid must not be 0
 *   quarantineGroup     string: group whose members may impose and lift quarantines. The same, but
 *                       the default is ""
 *   allowUserMachines   boolean: whether ordinary users may register VMs of their own
 *   requireSealedMemory boolean: whether memory whose size is not sealed is refused
 *   limits              object: limits by the names in limit.c, each 0 to LIMIT_VALUE_MAX
 *   softwareAdapter     object: see config-software-adapter.h
 *
 * Returns true with *ret_settings filled in, or false with *ret_settings unchanged.
 */
bool config_load(const char *directory, Settings *ret_settings, ConfigError *ret_error);

/* Fills in the settings without any file. Returns false if the user database does not answer. */
bool config_default(Settings *ret_settings, ConfigError *ret_error);

/* Checks one file as config_load() would, but accepts any owner. */
bool config_check_file(const char *path, ConfigError *ret_error);

/*
 * Applies the text of one file, which config_load() reads from the disk, to the settings of the
 * files before it. name: of the file, for the error.
 *
 * Returns true, or false with *settings unchanged.
 */
bool config_parse(const char *name, const Buffer *text, Settings *settings, ConfigError *ret_error);

/*
 * Reads the object of a configuration that the daemon has kept in the open file. A group that does
 * not exist any more counts as none.
 *
 * Returns true with *ret_settings filled in, or false.
 */
bool config_read_kept(const char *name, int fd, const JsonValue *object, Settings *ret_settings,
		      ConfigError *ret_error);

#endif
