/* SPDX-License-Identifier: MIT */
/* Audit records: one for each denial, refused registration and change, and none for other calls. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-share.h"

TestSuite(audit_records);

enum { OPERATOR, CLIENT, STRANGER };

static const struct {
	int caller;
	const char *method, *parameters;
	const char *reason; /* NULL for no audit record, "" for that of a success */
} rows[] = {
	{ STRANGER, REGISTER, NAMES_A, "uid" },
	{ STRANGER, REGISTER, NAMES_B, "virtualMachine" },
	{ STRANGER, REGISTER, "{}", "parameter" },
	{ CLIENT, REGISTER, NAMES_A, "" },
	{ CLIENT, REGISTER, NAMES_A, NULL },
	{ CLIENT, LIST_REGISTRATIONS, NULL, NULL },
	{ CLIENT, UNREGISTER, NAMES_B, NULL },
	{ CLIENT, UNREGISTER, NAMES_A, "" },
	{ CLIENT, UNREGISTER, NAMES_A, NULL },
	{ STRANGER, REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":1}", "notRegistrar" },
	{ OPERATOR, REVOKE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":1}", NULL },
	{ STRANGER, REGISTER_MACHINE, NAMES_B, "notOperator" },
	{ STRANGER, UPDATE_MACHINE, NAMES_A, "notRegistrar" },
	{ OPERATOR, UPDATE_MACHINE, NAMES_A, "" },
	{ STRANGER, ASSIGN, NAMES_A, "notRegistrar" },
	{ OPERATOR, ASSIGN, NAMES_A, "" },
	{ STRANGER, DESCRIBE, NAMES_A, "notViewer" },
	{ OPERATOR, DESCRIBE, NAMES_A, NULL },
	{ STRANGER, LIST_QUARANTINES, NULL, "notOperator" },
	{ OPERATOR, LIST_QUARANTINES, NULL, NULL },
	{ STRANGER, LIST_MACHINES, NULL, NULL },
	{ STRANGER, SET_QUARANTINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}",
	  "notOperator" },
	{ OPERATOR, SET_QUARANTINE, "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}",
	  "" },
	{ CLIENT, CREATE_CONTEXT, NULL, "" },
	{ CLIENT, CREATE_CONTEXT, "{\"adapter\":\"x\"}", NULL },
	{ STRANGER, UNREGISTER_MACHINE, NAMES_A, "notRegistrar" },
	{ OPERATOR, UNREGISTER_MACHINE, NAMES_A, "" },
};

Test(audit_records, calls_with_and_without_a_record)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;
	Caller *const callers[] = { fixture.admin, fixture.client, fixture.stranger };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t before = fake_host->record_count;
		const char *status = call(fake_host, callers[rows[i].caller], rows[i].method,
					  rows[i].parameters);
		const FakeAuditRecord *record = fake_host_last_audit_record(fake_host);

		cr_assert_eq(fake_host->record_count - before, rows[i].reason ? 1u : 0u,
			     "row %zu: %s %s", i, rows[i].method, status);
		if (!rows[i].reason)
			continue;
		cr_assert_str_eq(record->method, rows[i].method);
		cr_assert_str_eq(record->reason, rows[i].reason, "row %zu", i);
		cr_assert_eq(record->status == STATUS_SUCCESS, rows[i].reason[0] == '\0');
		cr_assert_eq(record->uid, callers[rows[i].caller]->credentials.uid);
		cr_assert_eq(record->has_guid, rows[i].parameters && rows[i].parameters[1] == '"',
			     "row %zu", i);
	}
	host_fixture_free(&fixture);
}

/* Each audit record about an object contains the object's handle. */
Test(audit_records, object_records_contain_the_handle)
{
	static const char *const asked[] = { OPEN, CLOSE, UNSHARE };
	HostFixture fixture = host_fixture_new_sharing();
	FakeHost *fake_host = fixture.fake_host;
	char handle[64];

	share_image(&fixture, handle);
	cr_assert(record_names(fake_host, handle));
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		Caller *caller = i < 2 ? fixture.client : fixture.machine;
		size_t before = fake_host->record_count;

		cr_assert_str_eq(with_handle(fake_host, fixture.stranger, asked[i], handle),
				 "STATUS_ACCESS_DENIED");
		cr_assert(record_names(fake_host, handle), "%s, denied", asked[i]);
		if (i == 0)
			open_and_close_fds(fake_host, caller, handle, NULL);
		else
			with_handle(fake_host, caller, asked[i], handle);
		cr_assert_eq(fake_host->record_count - before, 2u);
		cr_assert_eq(fake_host_last_audit_record(fake_host)->status, STATUS_SUCCESS);
		cr_assert(record_names(fake_host, handle), "%s, allowed", asked[i]);
	}
	cr_assert_str_eq(with_handle(fake_host, fixture.client, OPEN, handle),
			 "STATUS_INVALID_HANDLE");
	cr_assert_not(fake_host_last_audit_record(fake_host)->has_object,
		      "the record contains a handle");
	host_fixture_free(&fixture);
}

/* A message refused for its foreign bytes, before dispatch, is recorded like a denial. */
Test(audit_records, foreign_bytes_are_recorded)
{
	static const char request[] = "{\"method\":\"" REGISTER "\",\"parameters\":" NAMES_A "}\n";
	HostFixture fixture = host_fixture_new();
	Buffer out = BUFFER_INIT;
	Session session;
	size_t before = fixture.fake_host->record_count;

	session_init(&session, &fixture.fake_host->service, fixture.client);
	buffer_append(&session.input, request, strlen(request));
	session_arrived(&session, &(InputMetadata){ .foreign = true });
	session_pump(&session, &out);
	cr_assert_eq(fixture.fake_host->record_count, before + 1);
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, "foreign");
	cr_assert_eq(fake_host_last_audit_record(fixture.fake_host)->status, STATUS_ACCESS_DENIED);
	session_deinit(&session);
	buffer_deinit(&out);
	host_fixture_free(&fixture);
}
