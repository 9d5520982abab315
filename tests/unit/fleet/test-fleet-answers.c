/* SPDX-License-Identifier: MIT */
/* The replies of io.vaild.Fleet: who may call what, wrong requests, and old states with their age.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/server/answer.h"
#include "proto/interfaces.h"
#include "proto/macros.h"
#include "tests/support/varlink-text.h"

#define VM     "01000000-0000-0000-0000-000000000000"
#define HOST_1 "01000000000000000000000000000000"
#define HOST_2 "02000000000000000000000000000000"

static FleetIndex index_of;
static FleetService service;
static Buffer out;
static char changed[256]; /* the reason of the last change, or "lift" */

static const FleetCaller operator_caller = { .uid = 0, .is_operator = true };
static const FleetCaller observer = { .uid = 1, .is_observer = true };
static const FleetCaller stranger = { .uid = 2 };

static bool on_change(void *context, const FleetCaller *caller, const Guid *guid,
		      const char *reason, uint64_t request)
{
	(void)context;
	(void)caller;
	(void)guid;
	(void)request;
	strcpy(changed, reason ? reason : "lift");
	return true;
}

static void on_measure(void *context, FleetMetrics *ret)
{
	(void)context;
	ret->keepalives = 42;
}

/* The stranger is a display client of VM. */
static bool on_is_viewer(void *context, const FleetCaller *caller, const Guid *guid,
			 const char *name)
{
	Guid vm;

	(void)context;
	if (caller->uid != stranger.uid || !guid_parse(VM, &vm))
		return false;
	if (guid)
		return guid_compare(&vm, guid) == 0;
	return fleet_index_has_name(&index_of, &vm, name);
}

static void begin(void)
{
	HostId self;

	cr_assert(host_id_parse(HOST_1, &self));
	cr_assert(fleet_index_init(&index_of, &self));
	fleet_index_reach(&index_of, true, NULL, 1000);
	service = (FleetService){ .index = &index_of,
				  .now = 5000,
				  .version = "1",
				  .change = on_change,
				  .measure = on_measure,
				  .is_viewer = on_is_viewer,
				  .parser = json_parser_new() };
	out = BUFFER_INIT;
	changed[0] = '\0';
}

static void end(void)
{
	fleet_index_deinit(&index_of);
	json_parser_free(service.parser);
	buffer_deinit(&out);
}

TestSuite(fleet_answers, .init = begin, .fini = end);

static FleetCursor rest;

static Answer ask(const FleetCaller *caller, const char *text)
{
	const JsonText message = { text, strlen(text) };

	buffer_truncate(&out, 0);
	Answer answer = answer_message(&service, caller, message, false, '\0', 1, &out, &rest);
	if (answer == ANSWER_WRITTEN)
		cr_assert_eq(buffer_head(&out)[buffer_size(&out) - 1], '\0');
	return answer;
}

static void expect_reply(const FleetCaller *caller, const char *text, const char *part)
{
	cr_assert_eq(ask(caller, text), ANSWER_WRITTEN, "%s", text);
	cr_assert(strstr(buffer_head(&out), part), "%s: %s", text, buffer_head(&out));
}

#define FLEET(method) "{\"method\":\"io.vaild.Fleet." method "\"}"
#define FLEET_WITH(method, params) \
	"{\"method\":\"io.vaild.Fleet." method "\",\"parameters\":" params "}"
#define RELEASE \
	FLEET_WITH("SetQuarantine", "{\"virtualMachineGuid\":\"" VM "\",\"quarantined\":false}")

Test(fleet_answers, each_method_has_its_callers)
{
	static const char *const for_observers[] = {
		FLEET("ListHosts"),       FLEET("ListVirtualMachines"),
		FLEET("ListGpus"),        FLEET_WITH("Where", "{\"name\":\"x\"}"),
		FLEET("ListQuarantines"), FLEET_WITH("Place", "{\"type\":\"x\"}"),
		FLEET("GetMetrics"),
	};
	const char *denied = "\"error\":\"io.vaild.Fleet.AccessDenied\"";

	for (size_t i = 0; i < ARRAY_SIZE(for_observers); i++) {
		expect_reply(&stranger, for_observers[i], denied);
		cr_assert_eq(ask(&observer, for_observers[i]), ANSWER_WRITTEN);
		cr_assert_null(strstr(buffer_head(&out), denied), "%s", for_observers[i]);
		cr_assert_eq(ask(&operator_caller, for_observers[i]), ANSWER_WRITTEN);
		cr_assert_null(strstr(buffer_head(&out), denied), "%s", for_observers[i]);
	}
	expect_reply(&stranger, RELEASE, denied);
	expect_reply(&observer, RELEASE, denied);
	cr_assert_str_eq(changed, "");
	cr_assert_eq(ask(&operator_caller, RELEASE), ANSWER_LATER);
	cr_assert_str_eq(changed, "lift");
}

#define OTHER_VM "02000000-0000-0000-0000-000000000000"

/* Other users do not even learn whether the fleet has a VM. */
Test(fleet_answers, a_display_client_hears_where_its_vm_is)
{
	const char *denied = "\"error\":\"io.vaild.Fleet.AccessDenied\"";

	expect_reply(&stranger, FLEET_WITH("Where", "{\"virtualMachineGuid\":\"" VM "\"}"),
		     "io.vaild.Fleet.NotFound");
	fleet_index_put(&index_of, "where/" VM,
			"{\"host\":\"" HOST_2 "\",\"name\":\"there\","
			"\"virtualMachineName\":\"web\"}",
			3, 1000);
	fleet_index_put(&index_of, "where/" OTHER_VM,
			"{\"host\":\"" HOST_2 "\",\"virtualMachineName\":\"other\"}", 3, 1000);
	expect_reply(&stranger, FLEET_WITH("Where", "{\"virtualMachineGuid\":\"" VM "\"}"),
		     "\"hostName\":\"there\"");
	expect_reply(&stranger, FLEET_WITH("Where", "{\"name\":\"web\"}"),
		     "\"hostName\":\"there\"");
	expect_reply(&stranger, FLEET_WITH("Where", "{\"name\":\"other\"}"), denied);
	expect_reply(&stranger, FLEET_WITH("Where", "{\"name\":\"none\"}"), denied);
	expect_reply(&stranger, FLEET_WITH("Where", "{\"virtualMachineGuid\":\"" OTHER_VM "\"}"),
		     denied);
	expect_reply(&stranger, FLEET_WITH("Where", "{\"virtualMachineGuid\":1}"), denied);
	fleet_index_put(&index_of, "where/" OTHER_VM,
			"{\"host\":\"" HOST_2 "\",\"virtualMachineName\":\"web\"}", 4, 1000);
	expect_reply(&stranger, FLEET_WITH("Where", "{\"name\":\"web\"}"), denied);
}

Test(fleet_answers, bytes_of_another_process_are_refused)
{
	const char *text = RELEASE;
	const JsonText message = { text, strlen(text) };

	cr_assert_eq(
		answer_message(&service, &operator_caller, message, true, '\0', 1, &out, &rest),
		ANSWER_WRITTEN);
	cr_assert(strstr(buffer_head(&out), "AccessDenied"));
	cr_assert_str_eq(changed, "");
}

Test(fleet_answers, wrong_requests)
{
	static const struct {
		const char *text, *reply;
	} rows[] = {
		{ "[]", "\"parameter\":\"method\"" },
		{ "{}", "\"parameter\":\"method\"" },
		{ "{\"method\":7}", "\"parameter\":\"method\"" },
		{ "{\"method\":\"x\"}", "InterfaceNotFound" },
		{ "{\"method\":\"io.vaild.ListRegistrations\"}", "InterfaceNotFound" },
		{ FLEET("Nothing"), "MethodNotFound" },
		{ "{\"method\":\"org.varlink.service.Nothing\"}", "MethodNotFound" },
		{ "{\"method\":\"io.vaild.Fleet.ListHosts\",\"parameters\":[]}",
		  "is not an object" },
		{ "{\"method\":\"a\",\"method\":\"b\"}", "a name twice" },
		{ FLEET_WITH("ListHosts", "{\"x\":1}"), "\"parameter\":\"x\"" },
		{ FLEET_WITH("Where", "{}"), "alternatives" },
		{ FLEET_WITH("Where", "{\"name\":\"x\",\"virtualMachineGuid\":\"" VM "\"}"),
		  "alternatives" },
		{ FLEET_WITH("Where", "{\"name\":1}"), "is not a string" },
		{ FLEET_WITH("Where", "{\"virtualMachineGuid\":\"x\"}"), "is not a GUID" },
		{ FLEET_WITH("Where", "{\"virtualMachineGuid\":\"" VM "\"}"), "NotFound" },
		{ FLEET_WITH("Where", "{\"name\":\"x\"}"), "NotFound" },
		{ FLEET("Place"), "\"parameter\":\"type\"" },
		{ FLEET("SetQuarantine"), "\"parameter\":\"virtualMachineGuid\"" },
		{ FLEET_WITH("SetQuarantine", "{\"virtualMachineGuid\":\"" VM "\"}"),
		  "\"parameter\":\"quarantined\"" },
		{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
		  "org.varlink.service.InvalidParameter" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		expect_reply(&operator_caller, rows[i].text, rows[i].reply);
		cr_assert(strstr(buffer_head(&out), "\"error\":"), "%s", rows[i].text);
	}
	cr_assert_str_eq(changed, "");
}

Test(fleet_answers, oneway_gets_no_answer)
{
	cr_assert_eq(
		ask(&operator_caller, "{\"method\":\"io.vaild.Fleet.ListHosts\",\"oneway\":true}"),
		ANSWER_NONE);
	cr_assert_eq(buffer_size(&out), 0);
}

Test(fleet_answers, an_old_state_has_its_age)
{
	fleet_index_put(&index_of, "where/" VM, "{\"host\":\"" HOST_2 "\",\"name\":\"b\"}", 9,
			2000);
	expect_reply(&observer, FLEET("ListHosts"), "\"current\":true,");
	fleet_index_reach(&index_of, false, "it is dark", 3500);
	expect_reply(&observer, FLEET("ListHosts"),
		     "\"current\":false,\"age\":1.500000,\"problem\":\"etcd cannot be reached: it "
		     "is dark\"");
	expect_reply(&observer, FLEET_WITH("Where", "{\"virtualMachineGuid\":\"" VM "\"}"),
		     "\"age\":1.500000");
	expect_reply(&observer, FLEET_WITH("Where", "{\"virtualMachineGuid\":\"" VM "\"}"),
		     "\"hostName\":\"b\",\"self\":false,\"epoch\":9,\"unreachable\":3.000000");
	expect_reply(&observer, FLEET_WITH("Place", "{\"type\":\"x\"}"), "InvalidDeviceState");
	expect_reply(&operator_caller, RELEASE, "InvalidDeviceState");
	cr_assert_str_eq(changed, "");
}

/* The vGPUs of a software adapter are no reason to choose a host. */
Test(fleet_answers, the_software_adapter_is_nothing_free)
{
	fleet_index_put(&index_of, "hosts/" HOST_2, "{}", 1, 1000);
	fleet_index_put(&index_of, "gpus/" HOST_2 "/a", "{\"capacity\":4,\"used\":1}", 2, 1000);
	fleet_index_put(&index_of, "gpus/" HOST_2 "/software",
			"{\"source\":\"software\",\"capacity\":4096,\"takesAnyType\":true}", 3,
			1000);
	expect_reply(&observer, FLEET("ListHosts"), "\"adapters\":2,\"free\":3}");
}

Test(fleet_answers, with_an_alarm_the_state_has_its_age)
{
	fleet_index_put(&index_of, "hosts/" HOST_2, "{}", 9, 2000);
	fleet_index_alarm(&index_of, "NOSPACE", 3500);
	expect_reply(&observer, FLEET("ListHosts"),
		     "\"current\":false,\"age\":1.500000,\"problem\":\"etcd takes no changes, "
		     "because it has an alarm: NOSPACE\"");
	expect_reply(&observer, FLEET_WITH("Place", "{\"type\":\"x\"}"),
		     "because it has an alarm: NOSPACE; try again when it has none any more\"");
	/* etcd itself says whether it does this. */
	cr_assert_eq(ask(&operator_caller, RELEASE), ANSWER_LATER);
	fleet_index_reach(&index_of, false, "it is dark", 4000);
	expect_reply(&observer, FLEET("ListHosts"),
		     "\"age\":1.500000,\"problem\":\"etcd cannot be reached: it is dark\"");
	fleet_index_reach(&index_of, true, NULL, 4500);
	expect_reply(&observer, FLEET("ListHosts"), "\"current\":false,\"age\":1.500000");
	fleet_index_alarm(&index_of, NULL, 5000);
	expect_reply(&observer, FLEET("ListHosts"), "\"current\":true,\"hosts\"");
	fleet_index_alarm(&index_of, "NOSPACE", 0);
	expect_reply(&observer, FLEET("ListHosts"), "\"current\":false,\"problem\"");
}

Test(fleet_answers, before_etcd_was_reached_there_is_no_age)
{
	fleet_index_reach(&index_of, false, NULL, 0);
	expect_reply(&observer, FLEET("ListHosts"),
		     "\"current\":false,\"problem\":\"etcd was not reached yet\"");
}

Test(fleet_answers, the_interface_file_is_valid_and_declares_each_method)
{
	cr_assert_str_eq(fleet_interfaces[1].name, "io.vaild.Fleet");
	VarlinkText *text = varlink_parse(fleet_interfaces[1].description);
	size_t methods = 0;

	cr_assert_not_null(text);
	for (size_t i = 0; i < text->count; i++) {
		char request[128];

		if (text->definitions[i].word != VARLINK_METHOD)
			continue;
		methods++;
		snprintf(request, sizeof(request), "{\"method\":\"io.vaild.Fleet.%s\"}",
			 text->definitions[i].name);
		ask(&stranger, request);
		cr_assert(strstr(buffer_head(&out), "AccessDenied"), "%s", request);
	}
	cr_assert_eq(methods, 8);
	varlink_free(text);
}

Test(fleet_answers, a_reply_has_a_bound)
{
	char key[128];

	for (unsigned int i = 0; i < 8000; i++) {
		snprintf(key, sizeof(key), "quarantine/%08x-0000-0000-0000-000000000001", i);
		fleet_index_put(&index_of, key,
				"{\"reason\":\"a reason that takes some bytes of the reply, and "
				"these, and these\",\"who\":\"somebody\"}",
				i + 1, 1);
	}
	expect_reply(&observer, FLEET("ListQuarantines"), "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_lt(buffer_size(&out), 1000);
	expect_reply(&observer, FLEET("ListHosts"), "STATUS_SUCCESS");
}

Test(fleet_answers, metrics_are_one_text)
{
	expect_reply(&observer, FLEET("GetMetrics"),
		     "\"openMetrics\":\"# TYPE vaild_fleet_build_info");
	expect_reply(&observer, FLEET("GetMetrics"), "vaild_fleet_keepalives_total 42\\n");
	expect_reply(&observer, FLEET("GetMetrics"), "# EOF\\n\"");
}

/* ---- Lists in several replies ---- */

#define MANY      6000 /* VMs, whose list does not fit into one reply */
#define LIST_MORE "{\"method\":\"io.vaild.Fleet.ListVirtualMachines\",\"more\":true}"

static const char *vm_key(unsigned int number, char key[static FLEET_KEY_SIZE])
{
	snprintf(key, FLEET_KEY_SIZE, "vms/%08x-1111-4111-8111-111111111111/" HOST_1, number);
	return key;
}

static void put_vm(unsigned int number)
{
	char key[FLEET_KEY_SIZE];

	fleet_index_put(&index_of, vm_key(number, key), "{\"state\":\"running\"}", 1, 1000);
}

static void put_many(void)
{
	for (unsigned int i = 0; i < MANY; i++)
		put_vm(2 * i);
}

/* Counts in seen how often the reply has each VM. Returns how many VMs it has. */
static size_t read_part(unsigned char seen[static 2 * MANY])
{
	static const char member[] = "\"virtualMachineGuid\":\"";
	const char *at = buffer_head(&out);
	size_t count = 0;

	for (; (at = strstr(at, member)); count++) {
		at += strlen(member);
		unsigned long number = strtoul(at, NULL, 16);
		cr_assert_lt(number, 2 * MANY);
		seen[number]++;
	}
	return count;
}

static bool reply_continues(void)
{
	return strstr(buffer_head(&out), "},\"continues\":true}") != NULL;
}

/* Entries that come or go between two replies may be missing. All others are there once. */
Test(fleet_answers, a_list_in_parts_is_whole)
{
	unsigned char seen[2 * MANY] = { 0 };
	char key[FLEET_KEY_SIZE];
	size_t parts = 1, count;

	put_many();
	Answer answer = ask(&observer, LIST_MORE);
	cr_assert_eq(answer, ANSWER_CONTINUES);
	count = read_part(seen);
	fleet_index_delete(&index_of, vm_key((unsigned int)(2 * count), key), 2, 1000);
	put_vm((unsigned int)(2 * count) - 1); /* before the rest */
	put_vm((unsigned int)(2 * count) + 1);
	while (answer == ANSWER_CONTINUES) {
		cr_assert(reply_continues());
		cr_assert(strstr(buffer_head(&out), "\"current\":true"));
		cr_assert_leq(buffer_size(&out), FLEET_PART_SIZE + 4096u);
		buffer_truncate(&out, 0);
		answer = answer_rest(&service, &rest, '\0', &out);
		read_part(seen);
		parts++;
	}
	cr_assert_eq(answer, ANSWER_WRITTEN);
	cr_assert_not(reply_continues());
	cr_assert_geq(parts, 10u);
	for (size_t i = 0; i < 2 * MANY; i++)
		cr_assert_eq(seen[i], i == 2 * count + 1 || (i % 2 == 0 && i != 2 * count),
			     "VM %zu", i);
}

Test(fleet_answers, a_list_in_one_reply_has_a_bound)
{
	put_many();
	expect_reply(&observer, FLEET("ListVirtualMachines"), "send \\\"more\\\": true");
	cr_assert_leq(buffer_size(&out), 4096u);
}

Test(fleet_answers, a_short_list_is_one_reply_also_with_more)
{
	put_vm(0);
	cr_assert_eq(ask(&observer, LIST_MORE), ANSWER_WRITTEN);
	cr_assert_not(reply_continues());
	cr_assert(strstr(buffer_head(&out), "00000000-1111"));
}

Test(fleet_answers, the_rest_of_a_list_may_have_gone)
{
	char key[FLEET_KEY_SIZE];

	put_many();
	cr_assert_eq(ask(&observer, LIST_MORE), ANSWER_CONTINUES);
	for (unsigned int i = 0; i < MANY; i++)
		fleet_index_delete(&index_of, vm_key(2 * i, key), 2, 1000);
	buffer_truncate(&out, 0);
	cr_assert_eq(answer_rest(&service, &rest, '\0', &out), ANSWER_WRITTEN);
	cr_assert(strstr(buffer_head(&out), "\"virtualMachines\":[]"));
}
