/* SPDX-License-Identifier: MIT */
/* Loading the configuration: precedence of files, and errors that name file and key. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/host/config.h"

typedef struct Folder {
	char path[64];
} Folder;

static Folder folder_make(void)
{
	Folder folder = { "/tmp/vaild-config-XXXXXX" };
	char drop_ins[96];

	cr_assert_not_null(mkdtemp(folder.path));
	snprintf(drop_ins, sizeof(drop_ins), "%s/vaild.json.d", folder.path);
	cr_assert_eq(mkdir(drop_ins, 0700), 0);
	return folder;
}

static void folder_write(const Folder *folder, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	/* The umask must not decide whether others can write to the file. */
	cr_assert_eq(fchmod(fileno(file), 0644), 0);
	fputs(text, file);
	fclose(file);
}

static void folder_remove(const Folder *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder->path);
	cr_assert_eq(system(command), 0);
}

Test(config, all_files_may_be_absent)
{
	Settings settings;
	ConfigError error;

	cr_assert(config_load("/nonexistent", &settings, &error));
	cr_assert_not(settings.allow_user_machines);
	cr_assert_eq(settings.limits.per_uid[LIMIT_CONNECTIONS], 512);
	cr_assert_eq(settings.limits.host_wide[LIMIT_CONNECTIONS], 10000);
}

Test(config, later_files_override_key_by_key)
{
	Folder folder = folder_make();
	Settings settings;
	ConfigError error;

	folder_write(&folder, "vaild.json",
		     "{\n  \"allowUserMachines\": true,\n  \"operatorGroup\": \"root\",\n"
		     "  \"limits\": { \"contexts\": 7, \"connectionsPerUid\": 9 }\n}\n");
	folder_write(&folder, "vaild.json.d/20.json", "{\"limits\":{\"contexts\":8}}");
	folder_write(&folder, "vaild.json.d/10.json", "{\"limits\":{\"contexts\":6}}\n\n");
	folder_write(&folder, "vaild.json.d/30.json~", "not read");
	folder_write(&folder, "vaild.json.d/.40.json", "not read");
	cr_assert(config_load(folder.path, &settings, &error));
	cr_assert(settings.allow_user_machines);
	cr_assert(settings.operators.exists);
	cr_assert_eq(settings.operators.gid, 0);
	cr_assert_str_eq(settings.operators.name, "root");
	cr_assert_eq(settings.limits.host_wide[LIMIT_CONTEXTS], 8);
	cr_assert_eq(settings.limits.per_uid[LIMIT_CONNECTIONS], 9);
	folder_remove(&folder);
}

Test(config, groups_of_observers_and_quarantine)
{
	Folder folder = folder_make();
	Settings settings;
	ConfigError error;

	cr_assert(config_load(folder.path, &settings, &error));
	cr_assert_not(settings.quarantiners.exists, "no group may do this by default");
	folder_write(&folder, "vaild.json",
		     "{\"operatorGroup\": \"daemon\", \"observersGroup\": \"daemon\", "
		     "\"quarantineGroup\": \"bin\"}");
	cr_assert(config_load(folder.path, &settings, &error), "%s", error.message);
	cr_assert_str_eq(settings.operators.name, "daemon");
	cr_assert_str_eq(settings.observers.name, "daemon");
	cr_assert_str_eq(settings.quarantiners.name, "bin");
	cr_assert(settings.observers.exists && settings.quarantiners.exists);
	cr_assert_eq(settings.observers.gid, 1u);
	cr_assert_eq(settings.quarantiners.gid, 2u);
	folder_write(&folder, "vaild.json.d/10.json",
		     "{\"observersGroup\": \"\", \"quarantineGroup\": \"\"}");
	cr_assert(config_load(folder.path, &settings, &error), "%s", error.message);
	cr_assert(settings.operators.exists);
	cr_assert_not(settings.observers.exists);
	cr_assert_not(settings.quarantiners.exists);
	cr_assert_str_eq(settings.observers.name, "");
	folder_remove(&folder);
}

/* The text of a file, and a part of the expected error. */
static const struct {
	const char *text;
	const char *expected;
} mistakes[] = {
	{ "", "empty" },
	{ "\n \n", "empty" },
	{ "{", "not JSON" },
	{ "{} {}", "not JSON" },
	{ "[]", "not one JSON object" },
	{ "\xef\xbb\xbf{}", "1:1: the file begins with a byte order mark" },
	{ "{'allowUserMachines': true}", "1:2: the file is not JSON" },
	{ "{\n  \"limits\": {\n    \"contexts\": 5\n", "4:1: the file is not JSON: " },
	{ "{\n\t\"limits\": {\n    \"contexts\": 5,\n    \"pears\": 1 } }", "4:5: limits.pears " },
	{ " \n {\"requireSealedMemory\": true,  \"operatorGroup\": \"no such group\"}",
	  "2:33: operatorGroup: " },
	{ "{\"ä\": {}, \"limits\": {\"contexts\": -1}}", "json:1:2: ä is not a key" },
	{ "{\"operatorGroup\": \"ä\", \"limits\": 5}", "json:1:24: limits is not an object" },
	{ "{\"a\\nREADY=1\": 1}", "json:1:1: a?READY=1 is not a key" },
	{ "{\"allowUserMachines\": true,}", "not JSON" },
	{ "{\"allowUserMachines\": NaN}", "not JSON" },
	{ "{\"allowUserMachines\": 1}", "allowUserMachines is " },
	{ "{\"allowUserMachines\": \"true\"}", "allowUserMachines is " },
	{ "{\"allowusermachines\": true}", "allowusermachines is " },
	{ "{\"operatorGroup\": 5}", "operatorGroup is " },
	{ "{\"operatorGroup\": \"no such group\"}", "operatorGroup: " },
	{ "{\"operatorGroup\": \"nogroup\"}", "operatorGroup: " },
	{ "{\"observersGroup\": \"no such group\"}", "1:2: observersGroup: group \"no such group\" "
						     "does not exist; create it, or name another" },
	{ "{\"observersGroup\": \"nogroup\"}",
	  "observersGroup: group \"nogroup\" has gid 65534, which stands for unknown groups" },
	{ "{\"observersGroup\": \"root\"}",
	  "observersGroup: group \"root\" has gid 0, which many processes in containers have" },
	{ "{\"quarantineGroup\": \"no such group\"}", "1:2: quarantineGroup: group " },
	{ "{\"quarantineGroup\": \"nogroup\"}",
	  "quarantineGroup: group \"nogroup\" has gid 65534" },
	{ "{\"quarantineGroup\": \"root\"}", "quarantineGroup: group \"root\" has gid 0" },
	{ "{\"quarantineGroup\": 5}", "quarantineGroup is not a string, but the number 5" },
	{ "{\"observerGroup\": \"\"}", "did you mean \"observersGroup\"?" },
	{ "{\"limits\": []}", "limits is " },
	{ "{\"limits\": {\"contexts\": -1}}", "limits.contexts is " },
	{ "{\"limits\": {\"contexts\": 1.5}}", "limits.contexts is " },
	{ "{\"limits\": {\"contexts\": \"1\"}}", "limits.contexts is " },
	{ "{\"limits\": {\"contexts\": 1000001}}", "limits.contexts is " },
	{ "{\"limits\": {\"contexts\": null}}", "limits.contexts is " },
	{ "{\"limits\": {\"elephants\": 1}}", "limits.elephants is " },
	{ "{\"limits\": {\"adaptersPerProcess\": 1}}", "limits.adaptersPerProcess is " },
	{ "{\"allowUserMachines\": true, \"allowUserMachines\": false}",
	  "json:1:29: allowUserMachines stands twice" },
	{ "{\"limits\": {\"contexts\": 1, \"pears\": 2, \"contexts\": 1}}",
	  "json:1:40: contexts stands twice" },
	{ "{\"limits\": {\"contexts\": 1, \"\\u0063ontexts\": 1}}",
	  "json:1:28: \\u0063ontexts stands twice" },
	{ "{\"softwareAdapter\": {\"reservations\": [{\"sizeInBytes\": 1, \"sizeInBytes\": 1}]}}",
	  "sizeInBytes stands twice" },
	{ "{\"limits\": {\"connections\": 9}}",
	  "json:1:13: limits.connections would lock operators out" },
	{ "{\"limits\": {\"storeEntries\": 9}}", "limits.storeEntries would lock operators out" },
	{ "{\"limits\": {\"connectionsPerUid\": 0}}",
	  "limits.connectionsPerUid would lock operators out" },
	{ "{\"limits\": {\"storeEntriesPerUid\": 0}}",
	  "limits.storeEntriesPerUid would lock operators out" },
	{ "{\"limits\": {\"quarantines\": 0}}",
	  "limits.quarantines would keep operators from putting VMs in quarantine" },
	{ "{\"limits\": {\"quarantinesPerUid\": 0}}",
	  "limits.quarantinesPerUid would keep operators from putting VMs in quarantine" },
	{ "{\"softwareAdapter\": 1}", "softwareAdapter is not an object" },

	/* Misspelt keys, and keys in the wrong object. */
	{ "{\"operatorgroup\": \"\"}", "1:2: operatorgroup is not a key of the configuration; did "
				       "you mean \"operatorGroup\"?" },
	{ "{\"operator_group\": \"\"}", "did you mean \"operatorGroup\"?" },
	{ "{\"operatorGroups\": \"\"}", "did you mean \"operatorGroup\"?" },
	{ "{\"operatroGroup\": \"\"}", "did you mean \"operatorGroup\"?" },
	{ "{\"limit\": {}}", "did you mean \"limits\"?" },
	{ "{\"limits\": {\"context\": 1}}", "1:13: limits.context is not a key of \"limits\"; did "
					    "you mean \"contexts\"?" },
	{ "{\"limits\": {\"ContextsPerUID\": 1}}", "did you mean \"contextsPerUid\"?" },
	{ "{\"limits\": {\"virtualMachinePerUid\": 1}}",
	  "did you mean \"virtualMachinesPerUid\"?" },
	{ "{\"contexts\": 1}", "1:2: contexts is not a key of the configuration but of \"limits\"; "
			       "move it there" },
	{ "{\"context_per_uid\": 1}", "did you mean \"contextsPerUid\", a key of \"limits\"?" },
	{ "{\"reservations\": []}", "but of \"softwareAdapter\"; move it there" },
	{ "{\"limits\": {\"operatorGroup\": \"\"}}",
	  "1:13: limits.operatorGroup belongs to the outermost object; move it out of \"limits\"" },
	{ "{\"limits\": {\"allowusermachines\": true}}",
	  "did you mean \"allowUserMachines\", a key of the configuration?" },
	{ "{\"softwareAdapter\": {\"systemReservation\": []}}",
	  "did you mean \"systemReservations\"?" },
	{ "{\"softwareAdapter\": {\"sizeInBytes\": 1}}",
	  "but of the items of \"reservations\"; move it there" },
	{ "{\"softwareAdapter\": {\"reservations\": [{\"size\": 1}]}}",
	  "1:40: softwareAdapter.reservations[0].size is not a key of the items of "
	  "\"reservations\"; did you mean \"sizeInBytes\"?" },
	{ "{\"pears\": 1}", "pears is not a key of the configuration; its keys are operatorGroup, "
			    "observersGroup, quarantineGroup, allowUserMachines, "
			    "requireSealedMemory, limits, softwareAdapter" },
	{ "{\"limits\": {\"pears\": 1}}",
	  "limits.pears is not a key of \"limits\"; vaild.json(5) lists its keys" },
	{ "{\"limits.contexts\": 1}", "1:2: limits.contexts is not a key of the configuration; did "
				      "you mean \"contexts\", a key of \"limits\"?" },
	{ "{\"\": 1}", "the configuration has an empty key; remove it" },
	{ "{\"_comment\": \"\"}", "and comments are not allowed; remove it" },
	{ "{\"//\": \"\"}", "and comments are not allowed; remove it" },

	/* Values of the wrong type, or out of range. */
	{ "{\"allowUserMachines\": \"true\"}", "1:2: allowUserMachines is neither true nor false, "
					       "but the string \"true\"; remove the quotes" },
	{ "{\"allowUserMachines\": \"yes\"}", "but the string \"yes\"" },
	{ "{\"allowUserMachines\": 1}", "is neither true nor false, but the number 1" },
	{ "{\"allowUserMachines\": null}", "is neither true nor false, but null" },
	{ "{\"operatorGroup\": [\"a\"]}", "operatorGroup is not a string, but an array" },
	{ "{\"operatorGroup\": false}", "operatorGroup is not a string, but false" },
	{ "{\"limits\": {\"contexts\": \"12\"}}", "limits.contexts is not an integer from 0 to "
						  "1000000, but the string \"12\"; remove the "
						  "quotes" },
	{ "{\"limits\": {\"contexts\": \"\"}}", "but the string \"\"" },
	{ "{\"limits\": {\"contexts\": 1000001}}",
	  "is not an integer from 0 to 1000000, but the number 1000001" },
	{ "{\"limits\": {\"contexts\": 1.5}}", "but the number 1.5" },
	{ "{\"limits\": {\"contexts\": {}}}", "but an object" },
	{ "{\"limits\": {\"contexts\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaäaaaaaa\"}}",
	  "aaaaaaa…\"" },
	{ "{\"limits\": [1]}", "1:2: limits is not an object, but an array" },
	{ "{\"softwareAdapter\": {\"reservations\": [{\"sizeInBytes\": 1, \"alignment\": null}]}}",
	  "alignment is not an integer from 0 to 9223372036854775807, but null" },
	{ "{\"softwareAdapter\": {\"reservations\": [7]}}",
	  "1:39: softwareAdapter.reservations[0] is not an object, but the number 7" },

	/* Syntax. Comments are not allowed in any form or place. */
	{ "// comment\n{}",
	  "1:1: the file is not JSON: comments are not allowed; remove this one" },
	{ "{\n  # comment\n}", "2:3: the file is not JSON: comments are not allowed" },
	{ "{ /* comment */ }", "1:3: the file is not JSON: comments are not allowed" },
	{ "{\"limits\": {}, // comment\n}",
	  "1:16: the file is not JSON: comments are not allowed" },
	{ "{\"limits\": // comment\n{}}", "1:12: the file is not JSON: comments are not allowed" },
	{ "{\"limits\" # comment\n:{}}", "1:11: the file is not JSON: comments are not allowed" },
	{ "{\"limits\": {} } # comment", "1:17: the file is not JSON: comments are not allowed" },
	{ "{\"limits\": {\"contexts\": 5 // comment\n}}",
	  "1:27: the file is not JSON: comments are not allowed" },
	{ "{\"limits\": {\"contexts\": 5},\n}",
	  "1:27: the file is not JSON: no comma is allowed behind the last value; remove it" },
	{ "{\"softwareAdapter\": {\"reservations\": [1 , ]}}",
	  "1:41: the file is not JSON: no comma is allowed behind the last value" },
	{ "{'operatorGroup': 1}",
	  "1:2: the file is not JSON: a string stands between double quotes" },
	{ "{operatorGroup: 1}",
	  "1:2: the file is not JSON: a key in double quotes or } is expected" },
	{ "{\"limits\": {}, a: 1}",
	  "1:16: the file is not JSON: a key in double quotes is expected" },
	{ "{\"limits\" = {}}", "1:11: the file is not JSON: a colon is expected here" },
	{ "{\"limits\": {}\n\"operatorGroup\": 1}",
	  "2:1: the file is not JSON: a comma or } is expected here" },
	{ "{\"softwareAdapter\": {\"reservations\": [{} {}]}}", "a comma or ] is expected here" },
	{ "{\"allowUserMachines\": True}", "1:23: the file is not JSON: a value is expected here: "
					   "true, false," },
	{ "{\"allowUserMachines\": tru}", "only the words true, false and null are allowed" },
	{ "{\"limits\": {\"contexts\": 0x10}}",
	  "1:26: the file is not JSON: a number consists of" },
	{ "{\"limits\": {\"contexts\": 10k}}", "1:27: the file is not JSON: a number consists of" },
	{ "{\"limits\": {\"contexts\": 010}}", "a number consists of decimal digits" },
	{ "{\"operatorGroup\": \"a\n\"}", "a string must end on its line; add the closing quote" },
	{ "{\"operatorGroup\": \"a\\w\"}", "there is no such escape; write \\\\ for a backslash" },
	{ "{\"operatorGroup\": \"a", "the file ends inside a string; add the closing quote" },
	{ "{\"limits\": {}", "the file ends too early; add }" },
	{ "{\"softwareAdapter\": {\"reservations\": [", "the file ends too early; add ]" },
	{ "{\"limits\":", "the file ends too early; complete it" },
	{ "{} {}", "1:4: the file is not JSON: there is text behind the value" },
	{ "{\"softwareAdapter\": {\"reservation\": []}}", "softwareAdapter.reservation " },
	{ "{\"softwareAdapter\": {\"reservations\": {}}}", "softwareAdapter.reservations " },
	{ "{\"softwareAdapter\": {\"reservations\": [{}]}}",
	  "softwareAdapter.reservations[0].sizeInBytes is missing" },
	{ "{\"softwareAdapter\": {\"reservations\": [{\"sizeInBytes\": 4096}]}}",
	  "softwareAdapter.reservations[0]: sizeInBytes " },
	{ "{\"softwareAdapter\": {\"reservations\": [{\"sizeInBytes\": 2097152, "
	  "\"baseAddress\": 1}]}}",
	  "json:1:64: softwareAdapter.reservations[0].baseAddress " },
	{ "{\"softwareAdapter\": {\"systemReservations\": [{\"sizeInBytes\": 4194304, "
	  "\"baseAddress\": \"0x8000000000\"}, {\"sizeInBytes\": 2097152, "
	  "\"baseAddress\": \"0x8000200000\"}]}}",
	  "json:1:102: softwareAdapter.systemReservations[1]: " },
};

Test(config, errors_name_file_and_key)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		Folder folder = folder_make();
		Settings settings = { .limits.per_uid[0] = 12345 };
		ConfigError error;

		folder_write(&folder, "vaild.json.d/50-mistake.json", mistakes[i].text);
		cr_assert_not(config_load(folder.path, &settings, &error), "%s", mistakes[i].text);
		cr_assert_not_null(strstr(error.message, "vaild.json.d/50-mistake.json:"), "%s",
				   error.message);
		cr_assert_not_null(strstr(error.message, mistakes[i].expected), "%s, not %s",
				   error.message, mistakes[i].expected);
		cr_assert_eq(settings.limits.per_uid[0], 12345, "settings changed");
		folder_remove(&folder);
	}
}

/* Without its drop-ins, a configuration could be laxer than its author meant. */
Test(config, unreadable_drop_ins_are_an_error)
{
	Folder folder = folder_make();
	char path[96];
	ConfigError error;
	Settings settings;

	snprintf(path, sizeof(path), "%s/vaild.json.d", folder.path);
	cr_assert_eq(rmdir(path), 0);
	folder_write(&folder, "vaild.json.d", "{}");
	cr_assert_not(config_load(folder.path, &settings, &error));
	cr_assert_not_null(strstr(error.message, "vaild.json.d: cannot be read"), "%s",
			   error.message);
	folder_remove(&folder);
}

Test(config, reservations_of_the_software_adapter)
{
	Folder folder = folder_make();
	Settings settings;
	ConfigError error;

	folder_write(&folder, "vaild.json",
		     "{\"softwareAdapter\": {\"reservations\": [\n"
		     "{\"sizeInBytes\": 4194304, \"alignment\": 4194304,"
		     " \"allowUserModeMapping\": true},\n"
		     "{\"sizeInBytes\": 2097152, \"baseAddress\": \"0x10000000000\"}]},\n"
		     "\"limits\": {\"userRangesPerProcess\": 9}}");
	cr_assert(config_load(folder.path, &settings, &error), "%s", error.message);
	const ConfiguredReservations *reservations = &settings.software_adapter.of_processes;
	cr_assert_eq(reservations->count, 2u);
	cr_assert_eq(reservations->items[0].size, 4194304u);
	cr_assert_eq(reservations->items[0].alignment, 4194304u);
	cr_assert(reservations->items[0].allow_user_mode_mapping);
	cr_assert_eq(reservations->items[1].base_address, UINT64_C(0x10000000000));
	cr_assert_eq(settings.software_adapter.of_system_process.count, 0u);
	cr_assert_eq(settings.limits.per_entity[LIMIT_USER_RANGES], 9u);
	folder_remove(&folder);
}

Test(config, reservations_are_checked_against_the_limits_of_all_files)
{
	static const char *const limits[] = {
		"{\"limits\": {\"driverReservationsPerProcess\": 1}}",
		"{\"limits\": {\"driverReservationsPerUid\": 1}}",
		"{\"limits\": {\"driverReservations\": 1}}",
	};
	Folder folder = folder_make();
	Settings settings;
	ConfigError error;

	folder_write(&folder, "vaild.json",
		     "{\"softwareAdapter\": {\"reservations\": "
		     "[{\"sizeInBytes\": 2097152}, {\"sizeInBytes\": 2097152}]}}");
	cr_assert(config_load(folder.path, &settings, &error), "%s", error.message);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		folder_write(&folder, "vaild.json.d/10.json", limits[i]);
		cr_assert_not(config_load(folder.path, &settings, &error), "%s", limits[i]);
		cr_assert_not_null(strstr(error.message, "reservations[1]"), "%s", error.message);
	}
	folder_remove(&folder);
}

/* Without its target, a link could hide that a configuration is missing. */
Test(config, what_is_no_file_is_an_error)
{
	Folder folder = folder_make();
	char path[96];
	ConfigError error;
	Settings settings;

	snprintf(path, sizeof(path), "%s/vaild.json", folder.path);
	cr_assert_eq(symlink("/nonexistent", path), 0);
	cr_assert_not(config_load(folder.path, &settings, &error));
	cr_assert_not_null(strstr(error.message, "vaild.json: cannot be read"), "%s",
			   error.message);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkdir(path, 0755), 0);
	cr_assert_not(config_load(folder.path, &settings, &error));
	cr_assert_not_null(strstr(error.message, "not a regular file"), "%s", error.message);
	cr_assert_eq(rmdir(path), 0);
	folder_write(&folder, "vaild.json", "");
	cr_assert_eq(truncate(path, 1 << 30), 0);
	cr_assert_not(config_load(folder.path, &settings, &error));
	cr_assert_not_null(strstr(error.message, "larger than"), "%s", error.message);
	cr_assert_not(error.is_temporary);
	folder_remove(&folder);
}

/* Anybody may check a draft, whoever owns it. */
Test(config, one_file_can_be_checked)
{
	Folder folder = folder_make();
	char path[96];
	ConfigError error;

	snprintf(path, sizeof(path), "%s/draft", folder.path);
	folder_write(&folder, "draft", "{\"limits\": {\"contexts\": 7}}");
	cr_assert_eq(chmod(path, 0666), 0);
	cr_assert(config_check_file(path, &error), "%s", error.message);
	folder_write(&folder, "draft", "{\"limits\": {\"contexts\": \"7\"}}");
	cr_assert_not(config_check_file(path, &error));
	cr_assert_not_null(strstr(error.message, "draft:1:13: limits.contexts "), "%s",
			   error.message);
	folder_remove(&folder);
}
