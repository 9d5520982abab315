/* SPDX-License-Identifier: MIT */
/*
 * Proves the order of RegisterVailProcess's checks: of any set of them that fail together, the
 * earliest gives the answer. And that a registration that is there already is looked at no more.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake-host.h"
#include "methods.h"

TestSuite(register_order);

/* In the order of the contract. */
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

static const char *register_with(Cast *cast, unsigned int failing)
{
	World *world = cast->world;
	Caller *caller = failing & 1 << OTHER_PRIVILEGES ? cast->stranger : cast->client;
	FakeProcess *process = failing & 1 << OTHER_PRIVILEGES ? cast->mallory : cast->viewer;

	if (!(failing & 1 << NOT_RUNNING))
		call(world, cast->admin, REGISTER_MACHINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
		     "\"displayClients\":[{\"user\":\"alice\"}]}");
	if (!(failing & 1 << NO_VIRTUAL_GPU))
		call(world, cast->admin, ASSIGN, NAMES_A);
	if (failing & 1 << QUARANTINED)
		call(world, cast->admin, SET_QUARANTINE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
	process->has_graphics_context = !(failing & 1 << NO_CONTEXT);
	if (failing & 1 << LIMIT)
		world->service.settings.limits.per_uid[LIMIT_REGISTRATIONS] = 0;
	world_reload(world);
	return call(world, caller, REGISTER,
		    failing & 1 << NO_GUID ? "{\"virtualMachineGuid\":\"{" GUID_A "\"}" : NAMES_A);
}

Test(register_order, of_all_checks_that_fail_the_earliest_answers)
{
	for (unsigned int failing = 0; failing < 1u << CHECKS; failing++) {
		Cast cast = cast_new_quiet();
		const char *status = register_with(&cast, failing);
		const FakeRecord *record = world_last_record(cast.world);
		int first = failing ? __builtin_ctz(failing) : CHECKS;
		const char *expected = failing ? checks[first].status : "STATUS_SUCCESS";

		cr_assert_str_eq(status, expected, "failing %#x: %s", failing,
				 failing ? checks[first].name : "");
		cr_assert_str_eq(record->method, REGISTER);
		cr_assert_str_eq(record->reason, failing ? checks[first].reason : "", "failing %#x",
				 failing);
		cr_assert_eq(world_events(cast.world, EVENT_REGISTERED), failing ? 0u : 1u);
		cast_free(&cast);
	}
}

Test(register_order, the_answer_to_a_limit_says_which_and_how_much)
{
	Cast cast = cast_new();

	cast.world->service.settings.limits.per_uid[LIMIT_REGISTRATIONS] = 0;
	world_reload(cast.world);
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(cast.world, "limit"), "registrationsPerUid");
	cr_assert_eq(reply_number(cast.world, "maximum"), 0u);
	cr_assert_eq(reply_number(cast.world, "used"), 0u);
	cast_free(&cast);
}

Test(register_order, again_is_answered_from_the_record)
{
	Cast cast = cast_new();
	World *world = cast.world;

	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert_eq(world->credential_reads, 2u, "the VMM's once, the caller's once");
	size_t reads = world->credential_reads, looks = world->context_reads;
	size_t records = world->record_count, events = world->event_count;

	/* Neither privileges nor context nor limits matter now. */
	process_set_groups(cast.viewer, 1000, 1, (gid_t[]){ 27 });
	cast.viewer->credentials.uids[ID_SAVED] = 0;
	cast.viewer->has_graphics_context = false;
	world->service.settings.limits.per_uid[LIMIT_REGISTRATIONS] = 0;
	world_reload(world);
	world->now += 1000000;
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert_str_eq(reply_string(world, "registration.graphicsContext"), "drm");
	cr_assert_not_null(strstr(world->reply_text, "\"since\":5.000000"));
	cr_assert_eq(world->credential_reads, reads);
	cr_assert_eq(world->context_reads, looks);
	cr_assert_eq(world->record_count, records, "a repeated registration is no record");
	cr_assert_eq(world->event_count, events);
	cr_assert_str_eq(call(world, cast.client, REGISTER, "{\"virtualMachineGuid\":\"x\"}"),
			 "STATUS_INVALID_PARAMETER");
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_B), "STATUS_NOT_FOUND");
	cast_free(&cast);
}

Test(register_order, a_dead_caller_is_told_so)
{
	Cast cast = cast_new();

	world_kill(cast.world, cast.viewer);
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_B), "STATUS_NOT_FOUND");
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A),
			 "STATUS_PROCESS_IS_TERMINATING");
	cr_assert_eq(world_events(cast.world, EVENT_REGISTERED), 0u);
	cast_free(&cast);
}

Test(register_order, what_cannot_be_read_is_not_equal)
{
	static const struct {
		Evidence credentials, context;
		const char *status, *reason;
	} rows[] = {
		{ EVIDENCE_UNREADABLE, EVIDENCE_FOUND, "STATUS_ACCESS_DENIED", "unreadable" },
		{ EVIDENCE_ABSENT, EVIDENCE_FOUND, "STATUS_ACCESS_DENIED", "unreadable" },
		{ EVIDENCE_EXHAUSTED, EVIDENCE_FOUND, "STATUS_INSUFFICIENT_RESOURCES",
		  "exhausted" },
		{ EVIDENCE_GONE, EVIDENCE_FOUND, "STATUS_PROCESS_IS_TERMINATING", "gone" },
		{ EVIDENCE_FOUND, EVIDENCE_UNREADABLE, "STATUS_INVALID_DISPOSITION",
		  "graphicsContext" },
		{ EVIDENCE_FOUND, EVIDENCE_ABSENT, "STATUS_INVALID_DISPOSITION",
		  "graphicsContext" },
		{ EVIDENCE_FOUND, EVIDENCE_EXHAUSTED, "STATUS_INSUFFICIENT_RESOURCES",
		  "exhausted" },
		{ EVIDENCE_FOUND, EVIDENCE_GONE, "STATUS_PROCESS_IS_TERMINATING", "gone" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Cast cast = cast_new();

		cast.viewer->credentials_evidence = rows[i].credentials;
		cast.viewer->context_evidence = rows[i].context;
		cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A), rows[i].status,
				 "row %zu", i);
		cr_assert_str_eq(world_last_record(cast.world)->reason, rows[i].reason, "row %zu",
				 i);
		cast_free(&cast);
	}
}

Test(register_order, contexts_are_looked_for_in_order)
{
	static const char *const names[] = { "vaild", "drm", "nvidia", "kfd", "dxg" };

	for (int kind = GRAPHICS_CONTEXT_DRM; kind < GRAPHICS_CONTEXT_MAX; kind++) {
		Cast cast = cast_new();

		process_set_context(cast.viewer, (GraphicsContextKind)kind);
		call(cast.world, cast.client, REGISTER, NAMES_A);
		cr_assert_str_eq(reply_string(cast.world, "registration.graphicsContext"),
				 names[kind]);
		call(cast.world, cast.client, UNREGISTER, NAMES_A);
		call(cast.world, cast.client, CREATE_CONTEXT, NULL);
		size_t looks = cast.world->context_reads;
		call(cast.world, cast.client, REGISTER, NAMES_A);
		cr_assert_str_eq(reply_string(cast.world, "registration.graphicsContext"), "vaild");
		cr_assert_eq(cast.world->context_reads, looks, "vaild's own is enough");
		cast_free(&cast);
	}
}

Test(register_order, no_room_to_watch_leaves_nothing)
{
	Cast cast = cast_new();

	cast.world->refuse_watch = true;
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(
		accounts_used(&cast.world->service.broker->accounts, 1000, LIMIT_REGISTRATIONS),
		0u);
	cr_assert_not(cast.viewer->watched);
	cast.world->refuse_watch = false;
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A), "STATUS_SUCCESS");
	cr_assert(cast.viewer->watched);
	cast_free(&cast);
}

/* The same order in all methods: shape, then (operators') who, subject, who, then the rest. */
Test(register_order, other_methods)
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
		{ UPDATE_MACHINE, "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":1}",
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
	Cast cast = cast_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(
			call(cast.world, cast.stranger, rows[i].method, rows[i].parameters),
			rows[i].status, "%s %s", rows[i].method, rows[i].parameters);
	cast_free(&cast);
}

Test(register_order, a_dead_caller_changes_nothing)
{
	Cast cast = cast_new();

	call(cast.world, cast.client, REGISTER, NAMES_A);
	world_kill(cast.world, cast.viewer);
	world_kill(cast.world, cast.root);
	for (size_t i = 0; i < method_count; i++) {
		char name[96];

		if (!(methods[i].flags & METHOD_CHANGES_STATE) ||
		    methods[i].rule == RULE_CONTEXT_OWNER)
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
			continue; /* what it names has to be there first */
		cr_assert_str_eq(call(cast.world, cast.admin, name, parameters),
				 "STATUS_PROCESS_IS_TERMINATING", "%s", name);
	}
	cr_assert_eq(world_events(cast.world, EVENT_UNREGISTERED), 0u);
	cast_free(&cast);
}
