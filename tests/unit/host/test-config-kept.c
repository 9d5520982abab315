/* SPDX-License-Identifier: MIT */
/* Tests that the kept configuration is read back as written, and that damage is noticed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/config-kept.h"
#include "daemon/host/config-machines.h"

static const DropIns none = DROP_INS_INIT;
static DropIns drop_ins = DROP_INS_INIT;

typedef struct Folder {
	char path[64];
	char file[96];
	char damaged[112];
} Folder;

static Folder folder_make(void)
{
	Folder folder = { .path = "/tmp/vaild-kept-XXXXXX" };

	cr_assert_not_null(mkdtemp(folder.path));
	snprintf(folder.file, sizeof(folder.file), "%s/configuration.json", folder.path);
	snprintf(folder.damaged, sizeof(folder.damaged), "%s.damaged", folder.file);
	return folder;
}

static void folder_remove(const Folder *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder->path);
	cr_assert_eq(system(command), 0);
}

static void folder_write(const Folder *folder, const char *text)
{
	FILE *file = fopen(folder->file, "we");

	cr_assert_not_null(file);
	cr_assert_eq(fchmod(fileno(file), 0600), 0);
	fputs(text, file);
	fclose(file);
}

static Settings unusual_settings(void)
{
	Settings settings = {
		.allow_user_machines = true,
		.require_sealed_memory = true,
		.operators = { .exists = true, .name = "root" },
		.observers = { .exists = true, .name = "daemon" },
		.quarantiners = { .exists = true, .name = "bin" },
		.limits = limits_default,
		.software_adapter.of_processes = {
			.count = 2,
			.items = { { .size = 4194304, .alignment = 4194304,
				     .allow_user_mode_mapping = true },
				   { .size = 2097152, .base_address = UINT64_C(0x10000000000) } },
		},
		.software_adapter.of_system_process = {
			.count = 1,
			.items = { { .size = 2097152 } },
		},
	};

	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++) {
		settings.limits.per_uid[kind] = 1000 + kind;
		settings.limits.host_wide[kind] = 2000 + kind;
		if (limit_entity_name(kind))
			settings.limits.per_entity[kind] = 3000 + kind;
	}
	return settings;
}

static void assert_same_reservations(const ConfiguredReservations *a,
				     const ConfiguredReservations *b)
{
	cr_assert_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		cr_assert_eq(a->items[i].size, b->items[i].size);
		cr_assert_eq(a->items[i].alignment, b->items[i].alignment);
		cr_assert_eq(a->items[i].base_address, b->items[i].base_address);
		cr_assert_eq(a->items[i].allow_user_mode_mapping,
			     b->items[i].allow_user_mode_mapping);
	}
}

Test(config_kept, all_settings_are_read_back)
{
	Folder folder = folder_make();
	const Settings settings = unusual_settings();
	Settings back;
	ConfigError error;
	struct stat status;

	cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error), KEPT_CONFIG_ABSENT);
	cr_assert_eq(config_keep(folder.path, &settings, &none), 0);
	cr_assert_eq(stat(folder.file, &status), 0);
	cr_assert_eq(status.st_mode & 0777, 0600u);
	memset(&back, 0xff, sizeof(back));
	cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error), KEPT_CONFIG_READ,
		     "%s", error.message);
	cr_assert(back.allow_user_machines && back.require_sealed_memory);
	cr_assert_not(back.operators_only);
	cr_assert(back.operators.exists && back.observers.exists && back.quarantiners.exists);
	cr_assert_eq(back.operators.gid, 0u);
	cr_assert_eq(back.observers.gid, 1u);
	cr_assert_eq(back.quarantiners.gid, 2u);
	cr_assert_str_eq(back.operators.name, "root");
	cr_assert_str_eq(back.observers.name, "daemon");
	cr_assert_str_eq(back.quarantiners.name, "bin");
	cr_assert_eq(memcmp(&back.limits, &settings.limits, sizeof(back.limits)), 0);
	assert_same_reservations(&back.software_adapter.of_processes,
				 &settings.software_adapter.of_processes);
	assert_same_reservations(&back.software_adapter.of_system_process,
				 &settings.software_adapter.of_system_process);
	folder_remove(&folder);
}

Test(config_kept, an_unchanged_file_is_not_written_again)
{
	Folder folder = folder_make();
	Settings settings = unusual_settings();
	struct stat before, after;

	cr_assert_eq(config_keep(folder.path, &settings, &none), 0);
	cr_assert_eq(stat(folder.file, &before), 0);
	cr_assert_eq(config_keep(folder.path, &settings, &none), 0);
	cr_assert_eq(stat(folder.file, &after), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
	settings.allow_user_machines = false;
	cr_assert_eq(config_keep(folder.path, &settings, &none), 0);
	cr_assert_eq(stat(folder.file, &after), 0);
	cr_assert_neq(before.st_ino, after.st_ino);
	cr_assert_lt(config_keep("/nonexistent", &settings, &none), 0);
	folder_remove(&folder);
}

/* If the groups have been removed, root alone is an operator, and the others give nothing. */
Test(config_kept, a_removed_group_has_no_members)
{
	Folder folder = folder_make();
	Settings back;
	ConfigError error;

	folder_write(&folder, "{\"version\":1,\"configuration\":{\"operatorGroup\":\"no such "
			      "group\",\"observersGroup\":\"no such group\",\"quarantineGroup\":"
			      "\"root\",\"allowUserMachines\":true}}\n");
	cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error), KEPT_CONFIG_READ,
		     "%s", error.message);
	cr_assert_not(back.operators.exists);
	cr_assert_not(back.observers.exists);
	cr_assert_not(back.quarantiners.exists, "gid 0 is refused");
	cr_assert_str_eq(back.quarantiners.name, "");
	cr_assert(back.allow_user_machines);
	folder_remove(&folder);
}

static const char *const damaged[] = {
	"",
	"\n",
	"{\"version\":1,\"configuration\":{\"allowUser",
	"[]",
	"{}",
	"{\"version\":1}",
	"{\"version\":\"1\",\"configuration\":{}}",
	"{\"version\":0,\"configuration\":{}}",
	"{\"version\":1,\"configuration\":[]}",
	"{\"version\":1,\"configuration\":{\"pears\":1}}",
	"{\"version\":1,\"configuration\":{\"limits\":{\"connections\":0}}}",
	"{\"version\":1,\"configuration\":{\"operatorGroup\":5}}",
	"{\"version\":1,\"configuration\":{\"quarantineGroup\":5}}",
};

Test(config_kept, a_damaged_file_is_set_aside)
{
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		Folder folder = folder_make();
		Settings back = { .limits.per_uid[0] = 12345 };
		ConfigError error;

		folder_write(&folder, damaged[i]);
		cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error),
			     KEPT_CONFIG_DAMAGED, "%s", damaged[i]);
		cr_assert_not_null(strstr(error.message, "configuration.json"));
		cr_assert_not_null(strstr(error.message, "saved as configuration.json.damaged"),
				   "%s", error.message);
		cr_assert_eq(back.limits.per_uid[0], 12345u, "settings changed");
		cr_assert_neq(access(folder.file, F_OK), 0);
		cr_assert_eq(access(folder.damaged, F_OK), 0);
		cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error),
			     KEPT_CONFIG_ABSENT);
		folder_remove(&folder);
	}
}

/* Others must not be able to write the file, because it decides who is an operator. */
Test(config_kept, a_file_of_others_is_damaged)
{
	Folder folder = folder_make();
	Settings back;
	ConfigError error;

	folder_write(&folder, "{\"version\":1,\"configuration\":{}}\n");
	cr_assert_eq(chmod(folder.file, 0620), 0);
	cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error), KEPT_CONFIG_DAMAGED);
	cr_assert_eq(rename(folder.damaged, folder.file), 0);
	cr_assert_eq(chmod(folder.file, 0600), 0);
	cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error), KEPT_CONFIG_READ,
		     "%s", error.message);
	cr_assert_eq(rename(folder.file, folder.damaged), 0);
	cr_assert_eq(symlink(folder.damaged, folder.file), 0);
	cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error), KEPT_CONFIG_DAMAGED);
	folder_remove(&folder);
}

Test(config_kept, a_file_of_a_newer_version_is_left_alone)
{
	Folder folder = folder_make();
	Settings back;
	ConfigError error;

	folder_write(&folder, "{\"version\":2,\"configuration\":{\"new\":1}}\n");
	cr_assert_eq(config_kept_read(folder.path, &back, &drop_ins, &error), KEPT_CONFIG_NEWER);
	cr_assert_not_null(strstr(error.message, "newer version"), "%s", error.message);
	cr_assert_eq(access(folder.file, F_OK), 0);
	folder_remove(&folder);
}

/* Reads a drop-in as the daemon does. */
static void add_drop_in(const Folder *folder, const char *text, DropIns *ret)
{
	char directory[96], path[128];
	ConfigError error;

	snprintf(directory, sizeof(directory), "%s/machines.d", folder->path);
	cr_assert_eq(mkdir(directory, 0700), 0);
	snprintf(path, sizeof(path), "%s/one.json", directory);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	cr_assert_eq(fchmod(fileno(file), 0644), 0);
	fputs(text, file);
	fclose(file);
	cr_assert(config_load_drop_ins(folder->path, ret, &error), "%s", error.message);
	cr_assert_eq(ret->count, 1u);
}

Test(config_kept, drop_ins_are_read_back)
{
	Folder folder = folder_make();
	Settings settings = unusual_settings(), back;
	DropIns written = DROP_INS_INIT, read = DROP_INS_INIT;
	ConfigError error;

	add_drop_in(&folder,
		    "{ \"name\": \"b\\u00fcro\", \"displayClients\": [{ \"user\": \"root\" }] }\n",
		    &written);
	cr_assert_eq(config_keep(folder.path, &settings, &written), 0);
	cr_assert_eq(config_kept_read(folder.path, &back, &read, &error), KEPT_CONFIG_READ, "%s",
		     error.message);
	cr_assert_eq(read.count, 1u);
	cr_assert_str_eq(read.items[0].path, written.items[0].path);
	cr_assert_str_eq(read.items[0].name, "büro");
	cr_assert_eq(read.items[0].client_count, 1u);
	cr_assert_str_eq(read.items[0].clients[0].name, "root");
	drop_ins_deinit(&written);
	drop_ins_deinit(&read);
	folder_remove(&folder);
}

/* A user that has been removed since then matches nobody, and the others keep their access. */
Test(config_kept, a_kept_drop_in_may_name_a_removed_user)
{
	Folder folder = folder_make();
	Settings settings = unusual_settings(), back;
	DropIns read = DROP_INS_INIT;
	char text[] = "{\"name\":\"a\",\"displayClients\":[{\"user\":\"no such user\"},"
		      "{\"user\":\"root\"}]}";
	char path[] = "/etc/vaild/machines.d/a.json";
	DropIn item = { .path = path, .text = text };
	const DropIns written = { .items = &item, .count = 1 };
	ConfigError error;

	cr_assert_eq(config_keep(folder.path, &settings, &written), 0);
	cr_assert_eq(config_kept_read(folder.path, &back, &read, &error), KEPT_CONFIG_READ, "%s",
		     error.message);
	cr_assert(read.items[0].clients[0].is_unknown);
	cr_assert_not(read.items[0].clients[1].is_unknown);
	drop_ins_deinit(&read);
	folder_remove(&folder);
}

Test(config_kept, a_damaged_drop_in_leaves_nothing_in_force)
{
	static const char *const damages[] = { "{}", "{\"path\":\"a\"}",
					       "{\"path\":\"a\",\"text\":\"{}\"}",
					       "{\"path\":\"a\",\"text\":\"\"}" };
	Settings back;
	DropIns read = DROP_INS_INIT;
	ConfigError error;

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		Folder folder = folder_make();
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"version\":1,\"configuration\":{},\"machines\":[%s]}", damages[i]);
		folder_write(&folder, text);
		cr_assert_eq(config_kept_read(folder.path, &back, &read, &error),
			     KEPT_CONFIG_DAMAGED, "%s", damages[i]);
		cr_assert_eq(read.count, 0u);
		folder_remove(&folder);
	}
}
