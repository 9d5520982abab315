/* SPDX-License-Identifier: MIT */
/* Audit records tell what was asked for, not only which method was called. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(audit_details);

#define NAMING_A(rest) "{\"virtualMachineGuid\":\"" GUID_A "\"," rest "}"

static const struct {
	bool is_denied; /* asked by a stranger */
	const char *method, *parameters;
	const char *details;
} rows[] = {
	{ false, SET_QUARANTINE,
	  NAMING_A("\"quarantined\":true,\"reason\":\"it is \\u001b infected\""),
	  " quarantined=true quarantineReason=it is \x1b infected" },
	{ true, SET_QUARANTINE, NAMING_A("\"quarantined\":true,\"reason\":\"mine\""),
	  " quarantined=true quarantineReason=mine" },
	{ false, SET_QUARANTINE, NAMING_A("\"quarantined\":false"), " quarantined=false" },
	{ true, REVOKE, NAMING_A("\"pid\":300"), " revokedPid=300" },
	{ false, REVOKE, NAMING_A("\"pid\":300"), " revokedPid=300" },
	{ false, UPDATE_MACHINE,
	  NAMING_A("\"name\":\"web 1\",\"displayClients\":[{\"user\":\"alice\",\"rights\":"
		   "[\"view\",\"input\"]},{\"pid\":100}],\"agent\":{\"user\":\"alice\"}"),
	  " machineName=web 1 displayClients=user alice:view,input; process 100"
	  " agent=user alice" },
	{ true, UPDATE_MACHINE, NAMING_A("\"vmmPid\":7"), " vmmPid=7" },
	{ true, UPDATE_MACHINE, NAMING_A("\"guestState\":\"migrated\""), " guestState=migrated" },
	{ true, ASSIGN, NAMING_A("\"profile\":\"large\",\"adapter\":\"no handle\""),
	  " profile=large" },
	{ true, REGISTER_ADAPTER,
	  "{\"name\":\"card\",\"virtualAddressBitCount\":48,\"pageTableIndexBitCount\":[9,9,9,9]}",
	  " adapter=card" },
	{ false, CREATE_CONTEXT, "{}", "" },
};

Test(audit_details, each_method)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].method, REVOKE) == 0)
			call(fake_host, fixture.client, REGISTER, NAMES_A);
		const char *status =
			call(fake_host, rows[i].is_denied ? fixture.stranger : fixture.admin,
			     rows[i].method, rows[i].parameters);
		const FakeAuditRecord *record = fake_host_last_audit_record(fake_host);

		cr_assert_str_eq(status,
				 rows[i].is_denied ? "STATUS_ACCESS_DENIED" : "STATUS_SUCCESS",
				 "row %zu", i);
		cr_assert_str_eq(record->method, rows[i].method);
		cr_assert_str_eq(record->details, rows[i].details, "row %zu: %s", i,
				 record->details);
	}
	host_fixture_free(&fixture);
}

static void check_handle(const FakeHost *fake_host, const char *name, const char *handle)
{
	char expected[96];

	snprintf(expected, sizeof(expected), " %s=%s", name, handle);
	cr_assert_str_eq(fake_host_last_audit_record(fake_host)->details, expected);
}

/* The record has the handle that the request names. */
Test(audit_details, handles)
{
	HostFixture fixture = host_fixture_new();
	FakeHost *fake_host = fixture.fake_host;
	char handle[64], parameters[128];

	call(fake_host, fixture.admin, ASSIGN, NAMES_A);
	cr_assert_str_empty(fake_host_last_audit_record(fake_host)->details);
	snprintf(handle, sizeof(handle), "%s", reply_string(fake_host, "virtualGpu"));
	snprintf(parameters, sizeof(parameters), "{\"virtualGpu\":\"%s\"}", handle);
	call(fake_host, fixture.stranger, REMOVE, parameters);
	check_handle(fake_host, "virtualGpu", handle);
	call(fake_host, fixture.admin, REMOVE, parameters);
	check_handle(fake_host, "virtualGpu", handle);
	host_fixture_free(&fixture);
}

/* A list that does not fit ends with what says so. */
Test(audit_details, too_many_display_clients)
{
	HostFixture fixture = host_fixture_new();
	char name[200], parameters[1024];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	snprintf(parameters, sizeof(parameters),
		 NAMING_A("\"displayClients\":[{\"user\":\"alice\"},{\"user\":\"%s\"},"
			  "{\"user\":\"%s\"},{\"user\":\"bob\"}]"),
		 name, name);
	call(fixture.fake_host, fixture.stranger, UPDATE_MACHINE, parameters);
	const char *details = fake_host_last_audit_record(fixture.fake_host)->details;
	cr_assert(strncmp(details, " displayClients=user alice; user xx", 34) == 0, "%s", details);
	cr_assert_str_eq(details + strlen(details) - 6, "x; ...");
	host_fixture_free(&fixture);
}
