/* SPDX-License-Identifier: MIT */
#include "daemon/host/config-machines.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/discovery/drop-in-parse.h"
#include "daemon/host/config-read.h"
#include "daemon/host/process/user-database.h"

static const ConfigRisk risk = { "give access to VMs", "give access to VMs" };

bool config_load_drop_ins(const char *directory, DropIns *ret_drop_ins, ConfigError *ret_error)
{
	_cleanup_free_ char *path = config_path(directory, CONFIG_MACHINES_FOLDER, ret_error);
	_cleanup_(drop_ins_deinit) DropIns drop_ins = DROP_INS_INIT;
	DropInReader reader = { &drop_ins, user_database_find };

	if (!path || !config_read_folder(path, &risk, drop_in_read, &reader, ret_error))
		return false;
	*ret_drop_ins = drop_ins;
	drop_ins = DROP_INS_INIT;
	return true;
}

bool config_check_drop_in(const char *path, ConfigError *ret_error)
{
	_cleanup_(drop_ins_deinit) DropIns drop_ins = DROP_INS_INIT;
	DropInReader reader = { &drop_ins, user_database_find };

	return config_read_file(path, NULL, drop_in_read, &reader, ret_error);
}

bool config_read_kept_drop_in(const char *name, const char *text, DropIns *drop_ins,
			      ConfigError *ret_error)
{
	ConfigFile file = { .path = name, .is_kept = true, .ret_error = ret_error };
	_cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT;
	DropInReader reader = { drop_ins, user_database_find };

	if (buffer_append(&buffer, text, strlen(text)))
		return config_text_read(&file, &buffer, drop_in_read, &reader);
	ret_error->is_temporary = true;
	return config_mistake(&file, "cannot be read: out of memory");
}
