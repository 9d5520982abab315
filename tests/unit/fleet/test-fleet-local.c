/* SPDX-License-Identifier: MIT */
/* The facts about a host, from the replies of its vaild and from /sys. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/fleet/local/gpu-types.h"
#include "daemon/fleet/local/quarantine-call.h"
#include "daemon/fleet/local/replies.h"
#include "proto/macros.h"

#define VM "01000000-0000-0000-0000-000000000000"

static Replies replies;
static FleetFacts facts;
static JsonParser *parser;

static void begin(void)
{
	parser = json_parser_new();
	replies = (Replies){ .version = strdup("1.2") };
	facts = (FleetFacts){ .is_known = false };
}

static void end(void)
{
	replies_clear(&replies);
	fleet_facts_deinit(&facts);
	json_parser_free(parser);
}

TestSuite(fleet_local, .init = begin, .fini = end);

static void add(ReplyList *list, const char *text)
{
	const char *error;
	JsonValue *reply = json_parse(parser, text, strlen(text), &error);

	cr_assert_not_null(reply, "%s", text);
	cr_assert(reply_list_add(list, reply));
}

static void read_replies(void)
{
	cr_assert(replies_read(&replies, "here", 100, &facts));
}

static void add_vm(void)
{
	add(&replies.vms,
	    "{\"virtualMachines\":[{\"virtualMachineGuid\":\"" VM "\",\"name\":\"web\","
	    "\"registeredByUid\":1000,\"registeredByOperator\":true,"
	    "\"since\":40.5,\"registrations\":2,\"virtualGpus\":[{\"adapter\":\"aa\","
	    "\"profile\":\"p\"},{\"adapter\":\"bb\"},{\"adapter\":\"aa\"}]}]}");
}

Test(fleet_local, a_vm)
{
	add_vm();
	add(&replies.vms, "{\"virtualMachines\":[]}");
	add(&replies.vms, "{\"virtualMachines\":[{\"virtualMachineGuid\":\"x\"}]}");
	add(&replies.vms, "{}");
	read_replies();
	cr_assert(facts.is_known);
	cr_assert_eq(facts.vm_count, 1);
	cr_assert_str_eq(facts.vms[0].vm.name, "web");
	cr_assert_eq(facts.vms[0].vm.vgpus, 3);
	cr_assert_eq(facts.vms[0].vm.registrations, 2);
	cr_assert_eq(facts.host.vms, 1);
	cr_assert_eq(facts.host.registrations, 2);
	cr_assert_str_eq(facts.host.version, "1.2");
	cr_assert_str_eq(facts.host.name, "here");
}

/* A user's name can be the decimal uid of another, so only the uid that vaild has resolved counts.
 */
Test(fleet_local, users_are_known_by_the_uid_that_vaild_tells)
{
	add(&replies.vms,
	    "{\"virtualMachines\":[{\"virtualMachineGuid\":\"" VM "\",\"displayClients\":["
	    "{\"user\":\"1000\",\"uid\":1001},{\"user\":\"alice\"},{\"pid\":7},"
	    "{\"user\":\"x\",\"uid\":4294967295},{\"user\":\"bob\",\"uid\":1002}]}]}");
	read_replies();
	cr_assert_eq(facts.vms[0].user_count, 2);
	cr_assert_eq(facts.vms[0].users[0], 1001);
	cr_assert_eq(facts.vms[0].users[1], 1002);
}

/* Adds a VM with a vGPU on the adapter aa, and with members about its source. */
static void add_vm_from(const char *guid, const char *source)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"virtualMachines\":[{\"virtualMachineGuid\":\"%s\",%s,\"registrations\":1,"
		 "\"virtualGpus\":[{\"adapter\":\"aa\"}]}]}",
		 guid, source);
	add(&replies.vms, text);
}

Test(fleet_local, a_vm_of_a_user_is_not_published)
{
	add_vm_from(VM, "\"registeredByUid\":1000,\"registeredByOperator\":false");
	add_vm_from("02000000-0000-0000-0000-000000000000", "\"registeredByUid\":0");
	add_vm_from("03000000-0000-0000-0000-000000000000",
		    "\"registeredByUid\":1000,\"registeredByOperator\":1");
	add_vm_from("04000000-0000-0000-0000-000000000000", "\"source\":\"machined\"");
	add(&replies.adapters, "{\"adapters\":[{\"adapter\":\"aa\",\"source\":\"drm\","
			       "\"pciAddress\":\"ffff:ff:1f.7\",\"maxVirtualFunctions\":8}]}");
	read_replies();
	cr_assert_eq(facts.vm_count, 1);
	cr_assert_eq(facts.vms[0].guid.bytes[0], 4);
	cr_assert_eq(facts.host.vms, 1);
	cr_assert_eq(facts.host.registrations, 1);
	cr_assert_eq(facts.gpus[0].gpu.holder_count, 1, "the GUIDs of users' VMs stay here");
	cr_assert_eq(facts.gpus[0].gpu.used, 4, "their vGPUs are in use");
}

Test(fleet_local, the_date_of_a_vm_stays)
{
	add_vm();
	read_replies();
	free(facts.vms[0].vm.date);
	facts.vms[0].vm.date = strdup("first");
	read_replies();
	cr_assert_str_eq(facts.vms[0].vm.date, "first");
	facts.vms[0].since = 39;
	read_replies();
	cr_assert_str_neq(facts.vms[0].vm.date, "first");
}

Test(fleet_local, adapters)
{
	static const struct {
		const char *item, *address;
		uint64_t capacity, used;
		bool takes_any_type;
	} rows[] = {
		{ "{\"adapter\":\"aa\",\"source\":\"software\",\"maxVirtualGpus\":9,"
		  "\"virtualGpus\":2}",
		  "software", 9, 2, true },
		{ "{\"adapter\":\"bb\",\"source\":\"client\",\"maxVirtualGpus\":4,"
		  "\"virtualGpus\":1}",
		  "client-bb", 4, 1, true },
		{ "{\"adapter\":\"aa\",\"source\":\"drm\",\"pciAddress\":\"ffff:ff:1f.7\","
		  "\"maxVirtualFunctions\":8,\"maxVirtualGpus\":0}",
		  "ffff:ff:1f.7", 8, 2, false },
		{ "{\"adapter\":\"cc\",\"source\":\"drm\",\"devicePath\":\"faux/vgem\"}",
		  "faux!vgem", 0, 0, false },
	};

	add_vm();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];

		snprintf(text, sizeof(text), "{\"adapters\":[%s]}", rows[i].item);
		add(&replies.adapters, text);
	}
	add(&replies.adapters, "{\"adapters\":[{\"source\":\"drm\",\"devicePath\":\"a b\"}]}");
	read_replies();
	cr_assert_eq(facts.gpu_count, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const FleetGpu *gpu = &facts.gpus[i].gpu;

		cr_assert_str_eq(facts.gpus[i].address, rows[i].address);
		cr_assert_eq(gpu->capacity, rows[i].capacity, "%s", rows[i].address);
		cr_assert_eq(gpu->used, rows[i].used, "%s", rows[i].address);
		cr_assert_eq(gpu->takes_any_type, rows[i].takes_any_type, "%s", rows[i].address);
	}
	cr_assert_eq(facts.gpus[0].gpu.holder_count, 2);
	cr_assert_str_eq(facts.gpus[0].gpu.holders[0].type, "p");
}

Test(fleet_local, quarantines)
{
	add(&replies.quarantines,
	    "{\"quarantines\":[{\"virtualMachineGuid\":\"" VM "\",\"reason\":\"r\"}]}");
	read_replies();
	cr_assert_eq(facts.quarantine_count, 1);
	cr_assert_str_eq(facts.quarantines[0].reason, "r");
}

Test(fleet_local, a_failure_that_concerns_the_whole_host_does_not_refuse_a_quarantine)
{
	static const struct {
		NTSTATUS status;
		QuarantineOutcome outcome;
	} rows[] = {
		{ STATUS_SUCCESS, QUARANTINE_DONE },
		{ STATUS_INVALID_PARAMETER, QUARANTINE_REFUSED },
		{ STATUS_INVALID_DEVICE_STATE, QUARANTINE_OVERTAKEN },
		{ STATUS_ACCESS_DENIED, QUARANTINE_HINDERED },
		{ STATUS_INSUFFICIENT_RESOURCES, QUARANTINE_HINDERED },
		{ STATUS_QUOTA_EXCEEDED, QUARANTINE_HINDERED },
		{ STATUS_NO_MEMORY, QUARANTINE_HINDERED },
		{ STATUS_CONNECTION_DISCONNECTED, QUARANTINE_UNKNOWN },
		{ STATUS_IO_TIMEOUT, QUARANTINE_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(quarantine_outcome(rows[i].status), rows[i].outcome, "row %zu", i);
}

Test(fleet_local, a_change_of_a_quarantine_contains_the_reason_that_it_replaces)
{
	Guid vm;

	cr_assert(guid_parse(VM, &vm));
	_cleanup_free_ char *first = quarantine_parameters(&facts, &vm, "fleet: r");
	cr_assert_str_eq(first, "{\"virtualMachineGuid\":\"" VM "\",\"quarantined\":true,"
				"\"reason\":\"fleet: r\",\"expectedReason\":\"fleet: \"}");
	add(&replies.quarantines,
	    "{\"quarantines\":[{\"virtualMachineGuid\":\"" VM "\",\"reason\":\"fleet: r\"}]}");
	read_replies();
	_cleanup_free_ char *second = quarantine_parameters(&facts, &vm, NULL);
	cr_assert_str_eq(second, "{\"virtualMachineGuid\":\"" VM "\",\"quarantined\":false,"
				 "\"expectedReason\":\"fleet: r\"}");
}

/* --- /sys ------------------------------------------------------------------------------------ */

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

Test(fleet_local, types_of_mediated_devices)
{
	char folder[] = "/tmp/vaild-types-XXXXXX", path[512];
	FleetValue value = { .kind = FLEET_KEY_GPU };
	static const char *const parts[] = { "0000:01:00.0", "0000:01:00.0/mdev_supported_types",
					     "0000:01:00.0/mdev_supported_types/nvidia-63" };

	cr_assert_not_null(mkdtemp(folder));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, parts[i]);
		cr_assert_eq(mkdir(path, 0700), 0);
	}
	strcat(path, "/available_instances");
	write_file(path, "4\n");
	cr_assert(gpu_types_read_at(folder, "0000:01:00.0", &value.gpu));
	cr_assert_eq(value.gpu.type_count, 1);
	cr_assert_str_eq(value.gpu.types[0].name, "nvidia-63");
	cr_assert_eq(value.gpu.types[0].free, 4);
	fleet_value_deinit(&value);
	cr_assert(gpu_types_read_at(folder, "0000:02:00.0", &value.gpu));
	cr_assert(gpu_types_read_at(folder, "../x", &value.gpu));
	cr_assert_eq(value.gpu.type_count, 0);
	unlink(path);
	for (size_t i = ARRAY_SIZE(parts); i > 0; i--) {
		snprintf(path, sizeof(path), "%s/%s", folder, parts[i - 1]);
		rmdir(path);
	}
	rmdir(folder);
}

Test(fleet_local, the_guest_of_a_vm)
{
	static const struct {
		const char *member;
		FleetGuest guest;
	} rows[] = {
		{ "", FLEET_GUEST_UNKNOWN },
		{ ",\"guestState\":\"running\"", FLEET_GUEST_RUNNING },
		{ ",\"guestState\":\"incoming\"", FLEET_GUEST_INCOMING },
		{ ",\"guestState\":\"migrated\"", FLEET_GUEST_MIGRATED },
		{ ",\"guestState\":\"of a later version\"", FLEET_GUEST_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"virtualMachines\":[{\"virtualMachineGuid\":\"" VM "\"%s}]}",
			 rows[i].member);
		add(&replies.vms, text);
	}
	read_replies();
	cr_assert_eq(facts.vm_count, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(facts.vms[i].guest, rows[i].guest, "%s", rows[i].member);
}
