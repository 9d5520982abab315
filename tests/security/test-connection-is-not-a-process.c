/* SPDX-License-Identifier: MIT */
/*
 * Proves that an inherited or passed socket grants no rights. Three things count: the process that
 * connected, its credentials at that time, and its credentials now.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "tests/support/fake-host.h"

TestSuite(connection_is_not_a_process);

/* Bytes sent by another process reach no handler, for any method. */
Test(connection_is_not_a_process, no_method_is_served_to_foreign_bytes)
{
	for (size_t i = 0; i < method_count; i++) {
		HostFixture fixture = host_fixture_new();
		Session session;
		Buffer out = BUFFER_INIT;
		char *request;
		size_t records = fixture.fake_host->record_count,
		       events = fixture.fake_host->event_count;

		cr_assert_gt(
			asprintf(&request,
				 "{\"method\":\"%s.%s\",\"parameters\":{\"virtualMachineGuid\":"
				 "\"" GUID_A "\"}}\n",
				 methods[i].interface, methods[i].name),
			0);
		session_init(&session, &fixture.fake_host->service, fixture.admin);
		buffer_append(&session.input, request, strlen(request));
		session_arrived(&session, &(InputMetadata){ .foreign = true });
		session_pump(&session, &out);
		buffer_append(&out, "", 1);
		cr_assert_not_null(strstr(buffer_head(&out), "STATUS_ACCESS_DENIED"), "%s",
				   methods[i].name);
		cr_assert_eq(fixture.fake_host->event_count, events);
		cr_assert_leq(fixture.fake_host->record_count, records + 1);
		session_deinit(&session);
		buffer_deinit(&out);
		free(request);
		host_fixture_free(&fixture);
	}
}

/* A privileged process that connects and then drops its privileges no longer matches. */
Test(connection_is_not_a_process, credentials_at_connect_and_now_are_compared)
{
	static const struct {
		uid_t then, now;
		const char *status;
	} rows[] = {
		{ 1000, 1000, "STATUS_SUCCESS" },       { 1000, 1001, "STATUS_ACCESS_DENIED" },
		{ 1001, 1000, "STATUS_ACCESS_DENIED" }, { 0, 1000, "STATUS_ACCESS_DENIED" },
		{ 1000, 0, "STATUS_ACCESS_DENIED" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		HostFixture fixture = host_fixture_new();
		FakeProcess *process = fake_host_process(fixture.fake_host, 500, rows[i].then);
		Caller *caller;

		process->credentials.permitted = process->credentials.effective = 0;
		process_set_context(process, GRAPHICS_CONTEXT_KFD);
		caller = fake_host_connect(fixture.fake_host, process);
		for (int kind = 0; kind < ID_MAX; kind++)
			process->credentials.uids[kind] = rows[i].now;
		process_set_groups(process, rows[i].now, 0, NULL);
		cr_assert_str_eq(call(fixture.fake_host, caller, REGISTER, NAMES_A), rows[i].status,
				 "row %zu", i);
		host_fixture_free(&fixture);
	}
}

/* A process that became root after connecting cannot name root's processes as its own. */
Test(connection_is_not_a_process, a_changed_uid_cannot_name_processes)
{
	static const char *const members[] = { "", ",\"vmmPid\":100", ",\"vmmPid\":300" };

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		HostFixture fixture = host_fixture_new_quiet();

		fixture.fake_host->service.settings.allow_user_machines = true;
		for (int kind = 0; kind < ID_MAX; kind++)
			fixture.viewer->credentials.uids[kind] = 0;
		fixture.viewer->credentials.permitted = fixture.root->credentials.permitted;
		fixture.viewer->credentials.effective = fixture.root->credentials.effective;
		cr_assert_str_eq(callf(fixture.fake_host, fixture.client, REGISTER_MACHINE,
				       "{\"virtualMachineGuid\":\"" GUID_B "\"%s}", members[i]),
				 "STATUS_INVALID_PARAMETER", "%s", members[i]);
		host_fixture_free(&fixture);
	}
}

/* A connection can outlive its process, but then changes nothing. */
Test(connection_is_not_a_process, a_connection_of_a_dead_process_registers_nothing)
{
	HostFixture fixture = host_fixture_new();

	fake_host_exit(fixture.fake_host, fixture.viewer);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_PROCESS_IS_TERMINATING");
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL),
			 "STATUS_PROCESS_IS_TERMINATING");
	host_fixture_free(&fixture);
}

/* A peer without a known process has no rights, whatever its uid. */
Test(connection_is_not_a_process, a_peer_without_a_process_has_no_rights)
{
	HostFixture fixture = host_fixture_new();

	fixture.client->process = PROCESS_KEY_NONE;
	fixture.client->pid = 0;
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_PROCESS_IS_TERMINATING");
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL),
			 "STATUS_PROCESS_IS_TERMINATING");
	call(fixture.fake_host, fixture.client, LIST_REGISTRATIONS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "registrations"), 0u);
	host_fixture_free(&fixture);
}
