/* SPDX-License-Identifier: MIT */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include "service.h"

/*
 * The configuration: DIR/vaild.json, then DIR/vaild.json.d/NAME.json in the order of their names,
 * later ones overriding earlier ones key by key. All files may be absent. Each is one JSON object:
 *
 *   operatorGroup       string: whose members are operators, beside root. Default "vaild", which
 *                       need not exist; one that is named has to. "" for none.
 *   allowUserMachines   boolean: whether ordinary users may bring in VMs of their own
 *   requireSealedMemory boolean: whether memory whose size is not sealed is refused
 *   limits              object: by the names of limit.c, 0 to LIMIT_VALUE_MAX
 *   softwareAdapter     object: see config-software-adapter.h
 *
 * Returns true, or false with a sentence that names file and key, which the caller frees; it is
 * NULL when there was no memory even for that. *ret_settings is set only on success.
 */
bool config_load(const char *directory, Settings *ret_settings, char **ret_error);

#endif
