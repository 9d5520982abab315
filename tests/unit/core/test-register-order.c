/* SPDX-License-Identifier: MIT */
/*
 * The order of checks in RegisterVailProcess and other methods. If several checks fail, the
 * earliest one determines the reply. A repeated registration is not checked again.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "tests/support/fake-host.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

static void reset(void)
{
	tear_down();
	set_up();
}

/* Replaces the fixture, which has a VM, by one without. */
static void reset_without_vm(void)
{
	tear_down();
	fixture = host_fixture_new_quiet();
}

TestSuite(register_order, .init = set_up, .fini = tear_down);

/* The checks in the order of the contract. */
enum {
	NO_GUID,
	NOT_RUNNING,
	QUARANTINED,
	OTHER_PRIVILEGES,
	NO_VIRTUAL_GPU,
	NO_CONTEXT,
	LIMIT,
	CHECKS,
};

static const struct {
	const char *name, *status, *reason;
} checks[CHECKS] = {
	[NO_GUID] = { "no GUID", "STATUS_INVALID_PARAMETER", "parameter" },
	[NOT_RUNNING] = { "not running", "STATUS_NOT_FOUND", "virtualMachine" },
	[QUARANTINED] = { "quarantined", "STATUS_ACCESS_DENIED", "quarantined" },
	[OTHER_PRIVILEGES] = { "other privileges", "STATUS_ACCESS_DENIED", "uid" },
	[NO_VIRTUAL_GPU] = { "no vGPU", "STATUS_GRAPHICS_VAIL_STATE_CHANGED", "noVirtualGpu" },
	[NO_CONTEXT] = { "no context", "STATUS_INVALID_DISPOSITION", "graphicsContext" },
	[LIMIT] = { "limit", "STATUS_QUOTA_EXCEEDED", "quota" },
};

static const char *register_with(unsigned int failing)
{
	FakeHost *fake_host = fixture.fake_host;
	Caller *caller = failing & 1 << OTHER_PRIVILEGES ? fixture.stranger : fixture.client;
	FakeProcess *process = failing & 1 << OTHER_PRIVILEGES ? fixture.mallory : fixture.viewer;

	if (!(failing & 1 << NOT_RUNNING))
		call(fake_host, fixture.admin, REGISTER_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
		     "\"displayClients\":[{\"user\":\"alice\"}]}");
	if (!(failing & 1 << NO_VIRTUAL_GPU))
		call(fake_host, fixture.admin, ASSIGN, NAMES_A);
	if (failing & 1 << QUARANTINED)
		call(fake_host, fixture.admin, SET_QUARANTINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	process->has_graphics_context = !(failing & 1 << NO_CONTEXT);
	if (failing & 1 << LIMIT)
		fake_host->service.settings.limits.per_uid[LIMIT_REGISTRATIONS] = 0;
	fake_host_reload(fake_host);
	return call(fake_host, caller, REGISTER,
		    failing & 1 << NO_GUID ? "{\"virtualMachineGuid\":\"{" GUID_A "\"}" : NAMES_A);
}

Test(register_order, the_earliest_failing_check_determines_the_reply)
{
	for (unsigned int failing = 0; failing < 1u << CHECKS; failing++) {
		reset_without_vm();
		const char *status = register_with(failing);
		const FakeAuditRecord *record = fake_host_last_audit_record(fixture.fake_host);
		int first = failing ? __builtin_ctz(failing) : CHECKS;
		const char *expected = failing ? checks[first].status : "STATUS_SUCCESS";

		cr_assert_str_eq(status, expected, "failing %#x: %s", failing,
				 failing ? checks[first].name : "");
		cr_assert_str_eq(record->method, REGISTER);
		cr_assert_str_eq(record->reason, failing ? checks[first].reason : "", "failing %#x",
				 failing);
		cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_REGISTERED),
			     failing ? 0u : 1u);
	}
}

Test(register_order, a_quota_error_names_the_limit_and_the_usage)
{
	fixture.fake_host->service.settings.limits.per_uid[LIMIT_REGISTRATIONS] = 0;
	fake_host_reload(fixture.fake_host);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fixture.fake_host, "limit"), "registrationsPerUid");
	cr_assert_eq(reply_number(fixture.fake_host, "maximum"), 0u);
	cr_assert_eq(reply_number(fixture.fake_host, "used"), 0u);
}

Test(register_order, a_repeated_registration_is_not_checked_again)
{
	FakeHost *fake_host = fixture.fake_host;

	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert_eq(fake_host->credential_reads, 2u,
		     "the credentials of the VMM and of the caller are read once each");
	size_t reads = fake_host->credential_reads, looks = fake_host->context_reads;
	size_t records = fake_host->record_count, events = fake_host->event_count;

	/* Change everything that a first registration checks. */
	process_set_groups(fixture.viewer, 1000, 1, (gid_t[]){ 27 });
	fixture.viewer->credentials.uids[ID_SAVED] = 0;
	fixture.viewer->has_graphics_context = false;
	fake_host->service.settings.limits.per_uid[LIMIT_REGISTRATIONS] = 0;
	fake_host_reload(fake_host);
	fake_host->now += 1000000;
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert_str_eq(reply_string(fake_host, "registration.graphicsContext"), "drm");
	cr_assert_not_null(strstr(fake_host->reply_text, "\"since\":5.000000"));
	cr_assert_eq(fake_host->credential_reads, reads);
	cr_assert_eq(fake_host->context_reads, looks);
	cr_assert_eq(fake_host->record_count, records, "a repeated registration is audited");
	cr_assert_eq(fake_host->event_count, events);
	cr_assert_str_eq(
		call(fake_host, fixture.client, REGISTER, "{\"virtualMachineGuid\":\"x\"}"),
		"STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_B), "STATUS_NOT_FOUND");
}

Test(register_order, a_dead_caller_gets_process_is_terminating)
{
	fake_host_kill(fixture.fake_host, fixture.viewer);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_B),
			 "STATUS_NOT_FOUND");
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_PROCESS_IS_TERMINATING");
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_REGISTERED), 0u);
}

Test(register_order, unreadable_facts_are_refused)
{
	static const struct {
		Lookup credentials, context;
		const char *status, *reason;
	} rows[] = {
		{ LOOKUP_UNREADABLE, LOOKUP_FOUND, "STATUS_ACCESS_DENIED", "unreadable" },
		{ LOOKUP_ABSENT, LOOKUP_FOUND, "STATUS_ACCESS_DENIED", "unreadable" },
		{ LOOKUP_EXHAUSTED, LOOKUP_FOUND, "STATUS_INSUFFICIENT_RESOURCES", "exhausted" },
		{ LOOKUP_GONE, LOOKUP_FOUND, "STATUS_PROCESS_IS_TERMINATING", "gone" },
		{ LOOKUP_FOUND, LOOKUP_UNREADABLE, "STATUS_INVALID_DISPOSITION",
		  "graphicsContext" },
		{ LOOKUP_FOUND, LOOKUP_ABSENT, "STATUS_INVALID_DISPOSITION", "graphicsContext" },
		{ LOOKUP_FOUND, LOOKUP_EXHAUSTED, "STATUS_INSUFFICIENT_RESOURCES", "exhausted" },
		{ LOOKUP_FOUND, LOOKUP_GONE, "STATUS_PROCESS_IS_TERMINATING", "gone" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fixture.viewer->credentials_lookup = rows[i].credentials;
		fixture.viewer->context_lookup = rows[i].context;
		cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
				 rows[i].status, "row %zu", i);
		cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason,
				 rows[i].reason, "row %zu", i);
		reset();
	}
}

Test(register_order, a_context_of_vaild_precedes_those_of_the_kernel)
{
	static const char *const names[] = { "vaild", "drm", "nvidia", "kfd", "dxg" };

	for (int kind = GRAPHICS_CONTEXT_DRM; kind < GRAPHICS_CONTEXT_MAX; kind++) {
		process_set_context(fixture.viewer, (GraphicsContextKind)kind);
		call(fixture.fake_host, fixture.client, REGISTER, NAMES_A);
		cr_assert_str_eq(reply_string(fixture.fake_host, "registration.graphicsContext"),
				 names[kind]);
		call(fixture.fake_host, fixture.client, UNREGISTER, NAMES_A);
		call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL);
		size_t looks = fixture.fake_host->context_reads;
		call(fixture.fake_host, fixture.client, REGISTER, NAMES_A);
		cr_assert_str_eq(reply_string(fixture.fake_host, "registration.graphicsContext"),
				 "vaild");
		cr_assert_eq(fixture.fake_host->context_reads, looks,
			     "the kernel is asked although a context of vaild exists");
		reset();
	}
}

Test(register_order, a_failed_watch_leaves_no_registration)
{
	fixture.fake_host->refuse_watch = true;
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(accounts_used(&fixture.fake_host->service.broker->accounts, ORDINARY(1000),
				   LIMIT_REGISTRATIONS),
		     0u);
	cr_assert_not(fixture.viewer->watched);
	fixture.fake_host->refuse_watch = false;
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_SUCCESS");
	cr_assert(fixture.viewer->watched);
}

/*
 * All methods check in the same order: form of the parameters, operators (for operators' methods),
 * existence of the subject, the caller's rights to it, then everything else.
 */
Test(register_order, other_methods_check_in_the_same_order)
{
	static const struct {
		const char *method, *parameters, *status;
	} rows[] = {
		{ SET_QUARANTINE, "{\"virtualMachineGuid\":\"x\",\"quarantined\":true}",
		  "STATUS_INVALID_PARAMETER" },
		{ SET_QUARANTINE, "{\"virtualMachineGuid\":\"" GUID_B "\",\"quarantined\":true}",
		  "STATUS_ACCESS_DENIED" },
		{ LIST_QUARANTINES, "{\"x\":1}", "STATUS_INVALID_PARAMETER" },
		{ LIST_QUARANTINES, "{}", "STATUS_ACCESS_DENIED" },
		{ UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":-1}",
		  "STATUS_INVALID_PARAMETER" },
		{ UPDATE_MACHINE, NAMES_B, "STATUS_NOT_FOUND" },
		{ UPDATE_MACHINE,
		  "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":99999}}",
		  "STATUS_ACCESS_DENIED" },
		{ UNREGISTER_MACHINE, NAMES_B, "STATUS_NOT_FOUND" },
		{ UNREGISTER_MACHINE, NAMES_A, "STATUS_ACCESS_DENIED" },
		{ ASSIGN, "{\"virtualMachineGuid\":\"" GUID_B "\",\"adapter\":\"x\"}",
		  "STATUS_NOT_FOUND" },
		{ ASSIGN, "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"x\"}",
		  "STATUS_ACCESS_DENIED" },
		{ REMOVE, "{\"virtualGpu\":\"x\"}", "STATUS_INVALID_HANDLE" },
		{ REMOVE, "{\"virtualGpu\":7}", "STATUS_INVALID_PARAMETER" },
		{ DESCRIBE, NAMES_B, "STATUS_NOT_FOUND" },
		{ DESCRIBE, NAMES_A, "STATUS_ACCESS_DENIED" },
		{ REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\"}", "STATUS_INVALID_PARAMETER" },
		{ REVOKE, "{\"virtualMachineGuid\":\"" GUID_B "\",\"pid\":300}",
		  "STATUS_NOT_FOUND" },
		{ REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":99999}",
		  "STATUS_ACCESS_DENIED" },
		{ UNREGISTER, NAMES_B, "STATUS_NOT_FOUND" },
		{ UNREGISTER, NAMES_A, "STATUS_NOT_FOUND" },
		{ REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":-1}",
		  "STATUS_INVALID_PARAMETER" },
		{ REGISTER_MACHINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":99999}",
		  "STATUS_ACCESS_DENIED" },
		{ DESTROY_CONTEXT, "{\"context\":\"x\"}", "STATUS_INVALID_HANDLE" },
		{ CREATE_CONTEXT, "{\"adapter\":\"x\"}", "STATUS_INVALID_HANDLE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(call(fixture.fake_host, fixture.stranger, rows[i].method,
				      rows[i].parameters),
				 rows[i].status, "%s %s", rows[i].method, rows[i].parameters);
}

Test(register_order, a_dead_caller_changes_nothing)
{
	call(fixture.fake_host, fixture.client, REGISTER, NAMES_A);
	fake_host_kill(fixture.fake_host, fixture.viewer);
	fake_host_kill(fixture.fake_host, fixture.root);
	for (size_t i = 0; i < method_count; i++) {
		char name[96];

		if (!(methods[i].flags & METHOD_CHANGES_STATE) ||
		    methods[i].rule == RULE_CONTEXT_OWNER || methods[i].flags & METHOD_STREAMS)
			continue;
		snprintf(name, sizeof(name), "%s.%s", methods[i].interface, methods[i].name);
		const char *parameters =
			methods[i].params == &params_revoke ? "{\"virtualMachineGuid\":\"" GUID_A
							      "\",\"pid\":300}"
			: methods[i].params == &params_quarantine
				? "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}"
			: methods[i].params == &params_share
				? "{\"virtualMachineGuid\":\"" GUID_A "\",\"object\":{"
				  "\"type\":\"fence\",\"access\":\"read\"}}"
			: methods[i].params == &params_register_adapter
				? "{\"name\":\"x\",\"virtualAddressBitCount\":32,"
				  "\"pageTableIndexBitCount\":[10,10]}"
			: methods[i].params == &params_adapter || methods[i].params == &params_none
				? "{}"
				: NAMES_A;
		if (methods[i].params->fields && methods[i].params->fields[0].is_required &&
		    param_is_handle(&methods[i].params->fields[0]))
			continue; /* the entity must exist before the caller is checked */
		cr_assert_str_eq(call(fixture.fake_host, fixture.admin, name, parameters),
				 "STATUS_PROCESS_IS_TERMINATING", "%s", name);
	}
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_UNREGISTERED), 0u);
}
