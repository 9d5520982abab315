/* SPDX-License-Identifier: MIT */
/*
 * Observers list and watch everything, and change and open nothing. Members of the quarantine group
 * impose and lift quarantines, and may do nothing else.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "tests/support/fake-display.h"
#include "tests/support/fake-gpu.h"
#include "tests/support/fake-share.h"

#define GET_STATUS  "io.vaild.Monitor.GetStatus"
#define GET_METRICS "io.vaild.Monitor.GetMetrics"
#define RELOAD      "io.vaild.Monitor.ReloadConfiguration"

#define QUARANTINE_B "{\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":true}"

static HostFixture fixture;
static Caller *observer, *warden; /* a member of each group */
static char object[64], display[64], gpu_process[64], virtual_gpu[64];
static int display_fd;
static FakeAgent agent;

static Caller *connect_member(pid_t pid, uid_t uid, gid_t group)
{
	FakeProcess *process = fake_host_process(fixture.fake_host, pid, uid);

	process_set_groups(process, uid, 1, &group);
	return fake_host_connect(fixture.fake_host, process);
}

/* Creates something of each kind that a list can show. */
static void set_up(void)
{
	fixture = host_fixture_new_sharing();
	FakeHost *fake_host = fixture.fake_host;

	observer = connect_member(500, 1100, FAKE_HOST_OBSERVERS_GROUP);
	warden = connect_member(501, 1101, FAKE_HOST_QUARANTINE_GROUP);
	share_image(&fixture, object);
	size_t fds;
	cr_assert_str_eq(open_and_close_fds(fake_host, fixture.client, object, &fds),
			 "STATUS_SUCCESS");
	fake_agent_serve(&agent, fake_host, fixture.machine, NAMES_A);
	cr_assert_str_eq(open_display(fake_host, fixture.client, NULL, display, &display_fd),
			 "STATUS_SUCCESS");
	cr_assert_str_eq(call(fake_host, fixture.client, CREATE_CONTEXT, NULL), "STATUS_SUCCESS");
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE, QUARANTINE_B),
			 "STATUS_SUCCESS");
	call(fake_host, fixture.client, LIST_PROCESSES, NULL);
	snprintf(gpu_process, sizeof(gpu_process), "%s",
		 reply_string(fake_host, "processes[0].process"));
	call(fake_host, fixture.admin, DESCRIBE, NAMES_A);
	snprintf(virtual_gpu, sizeof(virtual_gpu), "%s",
		 reply_string(fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	cr_assert(gpu_process[0] != '\0' && virtual_gpu[0] != '\0');
}

static void tear_down(void)
{
	fake_host_close(fixture.fake_host, display_fd);
	fake_agent_end(&agent);
	host_fixture_free(&fixture);
}

TestSuite(observers_change_nothing, .init = set_up, .fini = tear_down);

/* Calls the method. Returns a copy of the whole reply. */
static char *reply_to(Caller *caller, const char *method, const char *parameters)
{
	call(fixture.fake_host, caller, method, parameters);
	char *text = strdup(fixture.fake_host->reply_text);

	fake_host_must(text != NULL);
	return text;
}

/* Returns the parameters of a call that reads: the GPU process, the VM or none. */
static const char *parameters_of(const Method *method, char text[static 128])
{
	if (method->subject == SUBJECT_GPU_PROCESS)
		snprintf(text, 128, "{\"process\":\"%s\"}", gpu_process);
	else
		snprintf(text, 128, "%s", method->subject == SUBJECT_VM ? NAMES_A : "{}");
	return text;
}

Test(observers_change_nothing, they_see_each_list_as_operators_do)
{
	size_t lists = 0;

	for (size_t i = 0; i < method_count; i++) {
		const Method *method = &methods[i];
		char name[96], parameters[128], empty[64];

		if (!method->list && strcmp(method->name, "DescribeVirtualMachine") != 0)
			continue;
		snprintf(name, sizeof(name), "%s.%s", method->interface, method->name);
		parameters_of(method, parameters);
		char *of_operator = reply_to(fixture.admin, name, parameters);
		char *of_observer = reply_to(observer, name, parameters);

		cr_assert_null(strstr(of_operator, "error"), "%s: %s", name, of_operator);
		snprintf(empty, sizeof(empty), "%s[]", method->list ? method->list_key : "-");
		cr_assert_null(strstr(of_operator, empty), "%s is empty: %s", name, of_operator);
		cr_assert_str_eq(of_observer, of_operator, "%s", name);
		free(of_operator);
		free(of_observer);
		lists++;
	}
	cr_assert_eq(lists, 10u);
}

Test(observers_change_nothing, they_see_the_use_of_all_users)
{
	FakeHost *fake_host = fixture.fake_host;

	statistics_remark(&fake_host->service.statistics, "a.json", "is no JSON");
	call(fake_host, fixture.admin, GET_STATUS, NULL);
	size_t limits = reply_count(fake_host, "limits");
	call(fake_host, observer, GET_STATUS, NULL);
	cr_assert_eq(reply_count(fake_host, "limits"), limits);
	cr_assert_eq(reply_number(fake_host, "virtualMachines"), 1u);
	cr_assert_eq(reply_number(fake_host, "registrations"), 1u);
	cr_assert_eq(reply_number(fake_host, "sharedObjects"), 1u);
	cr_assert_str_eq(reply_string(fake_host, "remarks[0].message"), "is no JSON");
	cr_assert_str_eq(call(fake_host, observer, GET_METRICS, NULL), "STATUS_SUCCESS");
	cr_assert_str_eq(call(fake_host, warden, GET_METRICS, NULL), "STATUS_ACCESS_DENIED");
}

/* A driver's page tables are addresses in the memory of a GPU. */
Test(observers_change_nothing, they_do_not_see_the_tables_of_a_driver)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeAdapter adapter = fake_running_adapter(fake_host, fixture.admin, "9,9,9,9");
	char process[64];

	create_gpu_process(fake_host, fixture.admin, &adapter, ",\"pid\":300", process);
	reserve_range(fake_host, fixture.admin, process, UINT64_C(2) << 20,
		      ",\"baseAddress\":\"0x8000000000\"");
	complete_process(fake_host, fixture.admin, process);
	cr_assert_str_eq(
		set_entry(fake_host, fixture.admin, process, "0x8000000000", "0x123456000"),
		"STATUS_SUCCESS");
	cr_assert_str_eq(translate(fake_host, fixture.admin, process, "0x8000000000"),
			 "driverPageTable");
	cr_assert_str_neq(reply_string(fake_host, "pageTableAddress"), "");
	cr_assert_str_eq(translate(fake_host, observer, process, "0x8000000000"),
			 "driverPageTable");
	cr_assert_str_eq(reply_string(fake_host, "pageTableAddress"), "");
}

/* Calls that change or open something of others. Those with a member name an entity by its handle.
 */
static const struct {
	const char *method;
	const char *parameters; /* NULL if they are only the handle */
	const char *member, *handle;
} changes[] = {
	{ REGISTER, NAMES_A, NULL, NULL },
	{ UNREGISTER, NAMES_A, NULL, NULL },
	{ REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":300}", NULL, NULL },
	{ UPDATE_OBJECT, NULL, "handle", object },
	{ UNSHARE, NULL, "handle", object },
	{ OPEN, NULL, "handle", object },
	{ CLOSE, NULL, "handle", object },
	{ REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_C "\",\"vmmPid\":500}", NULL, NULL },
	{ UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"x\"}", NULL, NULL },
	{ UNREGISTER_MACHINE, NAMES_A, NULL, NULL },
	{ ASSIGN, NAMES_A, NULL, NULL },
	{ REMOVE, NULL, "virtualGpu", virtual_gpu },
	{ SET_QUARANTINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}", NULL,
	  NULL },
	{ SET_QUARANTINE, "{\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":false}", NULL,
	  NULL },
	{ OPEN_DISPLAY, NAMES_A, NULL, NULL },
	{ CLOSE_DISPLAY, NULL, "display", display },
	{ REGISTER_ADAPTER,
	  "{\"name\":\"x\",\"pageTableLevels\":[{\"indexBits\":9},{\"indexBits\":9}]}", NULL,
	  NULL },
	{ DESTROY_PROCESS, NULL, "process", gpu_process },
	{ RELOAD, "{}", NULL, NULL },
};

/* Makes the call. Copies the reply and the reason of its audit record. */
static void attempt(Caller *caller, size_t row, char ret_reply[static 1024])
{
	char parameters[256];
	const FakeAuditRecord *record;

	snprintf(parameters, sizeof(parameters), "{\"%s\":\"%s\"}",
		 changes[row].member ? changes[row].member : "",
		 changes[row].handle ? changes[row].handle : "");
	char *reply = reply_to(caller, changes[row].method,
			       changes[row].parameters ? changes[row].parameters : parameters);
	record = fake_host_last_audit_record(fixture.fake_host);
	snprintf(ret_reply, 1024, "%s %s", reply, record ? record->reason : "");
	free(reply);
}

static void expect_as_for_strangers(Caller *caller, size_t row)
{
	FakeHost *fake_host = fixture.fake_host;
	char of_stranger[1024], of_caller[1024];
	char *before = fake_host_snapshot(fake_host, fixture.admin);

	attempt(fixture.stranger, row, of_stranger);
	attempt(caller, row, of_caller);
	char *after = fake_host_snapshot(fake_host, fixture.admin);
	cr_assert_not_null(strstr(of_caller, "\"error\""), "%s: %s", changes[row].method,
			   of_caller);
	cr_assert_str_eq(of_caller, of_stranger, "row %zu, %s", row, changes[row].method);
	cr_assert_str_eq(after, before, "row %zu, %s", row, changes[row].method);
	free(before);
	free(after);
}

Test(observers_change_nothing, they_are_refused_as_strangers_are)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		expect_as_for_strangers(observer, i);
}

Test(observers_change_nothing, the_quarantine_group_is_refused_everything_else)
{
	FakeHost *fake_host = fixture.fake_host;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		if (strcmp(changes[i].method, SET_QUARANTINE) != 0)
			expect_as_for_strangers(warden, i);
	cr_assert_str_eq(call(fake_host, warden, DESCRIBE, NAMES_A), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(fake_host, warden, LIST_REGISTRATIONS, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_count(fake_host, "registrations"), 0u);
	cr_assert_str_eq(call(fake_host, warden, LIST_MACHINES, NULL), "STATUS_SUCCESS");
	cr_assert_eq(reply_count(fake_host, "virtualMachines"), 0u);
}

Test(observers_change_nothing, the_quarantine_group_imposes_lists_and_lifts)
{
	FakeHost *fake_host = fixture.fake_host;

	cr_assert_str_eq(call(fake_host, warden, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"quarantined\":true,\"reason\":\"fleet: hung\"}"),
			 "STATUS_SUCCESS");
	cr_assert_eq(fake_host_last_audit_record(fake_host)->uid, 1101u);
	cr_assert_not_null(fake_host_find_quarantine(fake_host, GUID_A));
	call(fake_host, fixture.admin, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fake_host, "registrations"), 0u);
	call(fake_host, warden, LIST_QUARANTINES, NULL);
	cr_assert_eq(reply_count(fake_host, "quarantines"), 2u);
	cr_assert_str_eq(call(fake_host, warden, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":false}"),
			 "STATUS_SUCCESS");
	call(fake_host, warden, LIST_QUARANTINES, NULL);
	cr_assert_eq(reply_count(fake_host, "quarantines"), 1u);
}

/* Its members cannot use up the quarantines that operators need. */
Test(observers_change_nothing, a_tenth_of_the_quarantines_is_reserved_for_operators)
{
	FakeHost *fake_host = fixture.fake_host;
	size_t imposed = 0;

	fake_host->service.settings.limits.host_wide[LIMIT_QUARANTINES] = 20;
	fake_host_reload(fake_host);
	while (strcmp(callf(fake_host, warden, SET_QUARANTINE,
			    "{\"virtualMachineGuid\":\"10000000-0000-4000-8000-%012zu\","
			    "\"quarantined\":true}",
			    imposed),
		      "STATUS_SUCCESS") == 0)
		imposed++;
	cr_assert_eq(imposed, 17u, "18 for others, and one is an operator's");
	cr_assert_str_eq(call(fake_host, fixture.admin, SET_QUARANTINE,
			      "{\"virtualMachineGuid\":\"" GUID_C "\",\"quarantined\":true}"),
			 "STATUS_SUCCESS");
	call(fake_host, fixture.admin, GET_STATUS, NULL);
	cr_assert_not_null(strstr(fake_host->reply_text,
				  "\"name\":\"quarantines\",\"maximum\":20,\"used\":19,"
				  "\"maximumForOthers\":18"));
}

Test(observers_change_nothing, other_namespaces_have_no_group)
{
	static const gid_t groups[] = { FAKE_HOST_OBSERVERS_GROUP, FAKE_HOST_QUARANTINE_GROUP };
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *inner = fake_host_process(fake_host, 510, 1100);

	inner->credentials.user_namespace.inode++;
	process_set_groups(inner, 1100, ARRAY_SIZE(groups), groups);
	Caller *caller = fake_host_connect(fake_host, inner);
	cr_assert_not(caller->is_observer || caller->may_quarantine);
	cr_assert_str_eq(call(fake_host, caller, LIST_QUARANTINES, NULL), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(fake_host, caller, DESCRIBE, NAMES_A), "STATUS_ACCESS_DENIED");
}

/* A number that is a uid, or that of no group, gives nothing. */
Test(observers_change_nothing, rights_by_group_and_configuration)
{
	static const struct {
		uid_t uid;
		gid_t group;
		bool has_groups, is_observer, may_quarantine;
	} rows[] = {
		{ 1000, FAKE_HOST_OBSERVERS_GROUP, true, true, false },
		{ 1000, FAKE_HOST_QUARANTINE_GROUP, true, false, true },
		{ 1000, FAKE_HOST_OBSERVERS_GROUP, false, false, false },
		{ 1000, FAKE_HOST_QUARANTINE_GROUP, false, false, false },
		{ 1000, FAKE_HOST_OPERATOR_GROUP, true, false, false },
		{ FAKE_HOST_OBSERVERS_GROUP, 27, true, false, false },
		{ FAKE_HOST_QUARANTINE_GROUP, 27, true, false, false },
		{ 1000, 0, true, false, false },
		{ 1000, 0, false, false, false },
		{ 65534, 65534, true, false, false },
		{ 0, 0, true, false, false }, /* an operator, who needs neither */
	};
	Settings *settings = &fixture.fake_host->service.settings;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		settings->observers.exists = settings->quarantiners.exists = rows[i].has_groups;
		settings->observers.gid = rows[i].has_groups ? FAKE_HOST_OBSERVERS_GROUP : 0;
		settings->quarantiners.gid = rows[i].has_groups ? FAKE_HOST_QUARANTINE_GROUP : 0;
		FakeProcess *process =
			fake_host_process(fixture.fake_host, 520 + (pid_t)i, rows[i].uid);
		process_set_groups(process, 5, 1, &rows[i].group);
		const Caller *caller = fake_host_connect(fixture.fake_host, process);
		cr_assert_eq(caller->is_observer, rows[i].is_observer, "row %zu", i);
		cr_assert_eq(caller->may_quarantine, rows[i].may_quarantine, "row %zu", i);
	}
}

/* A group may have several of these rights. */
Test(observers_change_nothing, one_group_of_all_three_keys)
{
	FakeHost *fake_host = fixture.fake_host;
	Settings *settings = &fake_host->service.settings;

	settings->observers.gid = settings->quarantiners.gid = FAKE_HOST_OPERATOR_GROUP;
	Caller *caller = connect_member(540, 1000, FAKE_HOST_OPERATOR_GROUP);
	cr_assert(caller->is_operator && caller->is_observer && caller->may_quarantine);
	cr_assert_eq(payer_of(caller).is_operator, true);
	snprintf(settings->operators.name, sizeof(settings->operators.name), "vaild");
	snprintf(settings->observers.name, sizeof(settings->observers.name), "vaild");
	snprintf(settings->quarantiners.name, sizeof(settings->quarantiners.name), "vaild");
	call(fake_host, fixture.stranger, LIST_QUARANTINES, NULL);
	cr_assert_not_null(strstr(fake_host->reply_text, "a member of the group vaild\""), "%s",
			   fake_host->reply_text);
}

Test(observers_change_nothing, a_reload_takes_and_gives_the_rights)
{
	FakeHost *fake_host = fixture.fake_host;
	Settings *settings = &fake_host->service.settings;

	settings->observers.exists = settings->quarantiners.exists = false;
	fake_host_reload(fake_host);
	cr_assert_str_eq(call(fake_host, observer, DESCRIBE, NAMES_A), "STATUS_ACCESS_DENIED");
	call(fake_host, observer, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fake_host, "registrations"), 0u);
	cr_assert_str_eq(call(fake_host, warden, LIST_QUARANTINES, NULL), "STATUS_ACCESS_DENIED");
	settings->observers.exists = settings->quarantiners.exists = true;
	fake_host_reload(fake_host);
	cr_assert_str_eq(call(fake_host, observer, DESCRIBE, NAMES_A), "STATUS_SUCCESS");
	cr_assert_str_eq(call(fake_host, warden, LIST_QUARANTINES, NULL), "STATUS_SUCCESS");
}

/* The daemon cannot know who they are then. */
Test(observers_change_nothing, without_a_configuration_only_operators_are_served)
{
	FakeHost *fake_host = fixture.fake_host;

	fake_host->service.settings.operators_only = true;
	cr_assert_str_eq(call(fake_host, observer, LIST_MACHINES, NULL), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(call(fake_host, warden, LIST_QUARANTINES, NULL), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(fake_host_last_audit_record(fake_host)->reason, "noConfiguration");
}

/* An observer who is a display client registers like any other, and pays as a user. */
Test(observers_change_nothing, the_group_takes_no_right)
{
	FakeHost *fake_host = fixture.fake_host;
	FakeProcess *process = fake_host_process(fake_host, 550, 1100);
	const gid_t group = FAKE_HOST_OBSERVERS_GROUP;

	process_set_groups(process, 1100, 1, &group);
	process_set_context(process, GRAPHICS_CONTEXT_DRM);
	cr_assert_str_eq(call(fake_host, fixture.admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A
			      "\",\"displayClients\":[{\"user\":\"alice\"},{\"pid\":550}]}"),
			 "STATUS_SUCCESS");
	Caller *caller = fake_host_connect(fake_host, process);
	cr_assert_str_eq(call(fake_host, caller, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert_eq(accounts_used(&fake_host->service.broker->accounts, ORDINARY(1100),
				   LIMIT_REGISTRATIONS),
		     1u);
}
