/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_CONFIG_H
#define DAEMON_HOST_CONFIG_H

#include "daemon/api/service.h"
#include "proto/buffer.h"

/*
 * Loads the configuration: DIR/vaild.json, then DIR/vaild.json.d/NAME.json in the order of their
 * names. Later files override earlier ones key by key. All files may be absent. Each is one JSON
 * object:
 *
 *   operatorGroup       string: group whose members are operators, beside root. Must exist, except
 *                       for the default "vaild". "" for none
 *   allowUserMachines   boolean: whether ordinary users may register VMs of their own
 *   requireSealedMemory boolean: whether memory whose size is not sealed is refused
 *   limits              object: limits by the names in limit.c, each 0 to LIMIT_VALUE_MAX
 *   softwareAdapter     object: see config-software-adapter.h
 *
 * Returns true with *ret_settings filled in. Returns false, with *ret_settings unchanged, on error;
 * *ret_error is then a sentence that names file and key, to be freed by the caller, or NULL if out
 * of memory.
 */
bool config_load(const char *directory, Settings *ret_settings, char **ret_error);

/*
 * Applies the text of one file, which config_load() reads from the disk, to the settings of the
 * files before it. name: of the file, for the error. text: changed by the parser.
 *
 * Returns true, or false with *settings unchanged and *ret_error as above.
 */
bool config_parse(const char *name, Buffer *text, Settings *settings, char **ret_error);

#endif
