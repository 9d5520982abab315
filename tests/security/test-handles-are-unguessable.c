/* SPDX-License-Identifier: MIT */
/* Proves that a handle names one entity of one type during its life, and nothing otherwise. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(handles_are_unguessable);

enum { ADAPTER, VIRTUAL_GPU, CONTEXT, GPU_PROCESS, TYPES };

typedef char Handles[TYPES][64];

static void collect(HostFixture *fixture, Handles handles)
{
	call(fixture->fake_host, fixture->admin, DESCRIBE, NAMES_A);
	strcpy(handles[ADAPTER],
	       reply_string(fixture->fake_host, "virtualMachine.virtualGpus[0].adapter"));
	strcpy(handles[VIRTUAL_GPU],
	       reply_string(fixture->fake_host, "virtualMachine.virtualGpus[0].virtualGpu"));
	call(fixture->fake_host, fixture->client, CREATE_CONTEXT, NULL);
	strcpy(handles[CONTEXT], reply_string(fixture->fake_host, "context"));
	strcpy(handles[GPU_PROCESS], reply_string(fixture->fake_host, "process"));
}

static const struct {
	const char *method, *parameters;
	int type;
} users[] = {
	{ CREATE_CONTEXT, "{\"adapter\":\"%s\"}", ADAPTER },
	{ ASSIGN, "{\"virtualMachineGuid\":\"" GUID_A "\",\"adapter\":\"%s\"}", ADAPTER },
	{ REMOVE, "{\"virtualGpu\":\"%s\"}", VIRTUAL_GPU },
	{ DESTROY_CONTEXT, "{\"context\":\"%s\"}", CONTEXT },
	{ DESCRIBE_SPACE, "{\"process\":\"%s\"}", GPU_PROCESS },
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static const char *use(HostFixture *fixture, size_t user, const char *handle)
{
	Caller *caller = users[user].type == CONTEXT ? fixture->client : fixture->admin;

	return callf(fixture->fake_host, caller, users[user].method, users[user].parameters,
		     handle);
}
#pragma GCC diagnostic pop

Test(handles_are_unguessable, handles_of_the_wrong_type_are_invalid)
{
	for (size_t user = 0; user < ARRAY_SIZE(users); user++)
		for (int type = 0; type < TYPES; type++) {
			Handles handles;
			HostFixture fixture = host_fixture_new();

			collect(&fixture, handles);
			cr_assert_str_eq(use(&fixture, user, handles[type]),
					 type == users[user].type ? "STATUS_SUCCESS"
								  : "STATUS_INVALID_HANDLE",
					 "%s with handle of type %d", users[user].method, type);
			host_fixture_free(&fixture);
		}
}

Test(handles_are_unguessable, handles_of_ended_entities_are_invalid)
{
	Handles handles;
	HostFixture fixture = host_fixture_new();

	collect(&fixture, handles);
	call(fixture.fake_host, fixture.admin, UNREGISTER_MACHINE, NAMES_A);
	cr_assert_str_eq(use(&fixture, 2, handles[VIRTUAL_GPU]), "STATUS_INVALID_HANDLE");
	fake_host_exit(fixture.fake_host, fixture.viewer);
	for (size_t user = 0; user < ARRAY_SIZE(users); user++)
		for (int type = VIRTUAL_GPU; type < TYPES; type++)
			if (user != 1) /* its VM has ended as well */
				cr_assert_str_eq(use(&fixture, user, handles[type]),
						 "STATUS_INVALID_HANDLE");
	host_fixture_free(&fixture);
}

Test(handles_are_unguessable, any_other_string_is_invalid)
{
	Handles handles;
	HostFixture fixture = host_fixture_new();

	collect(&fixture, handles);
	for (size_t user = 0; user < ARRAY_SIZE(users); user++) {
		const char *own = handles[users[user].type];
		char upper[64], other[64], longer[80];

		strcpy(upper, own);
		for (char *c = upper; *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
		if (strcmp(upper, own) != 0)
			cr_assert_str_eq(use(&fixture, user, upper), "STATUS_INVALID_HANDLE");
		for (size_t i = 0; i < 32; i++) {
			strcpy(other, own);
			other[i] = other[i] == '0' ? '1' : '0';
			cr_assert_str_eq(use(&fixture, user, other), "STATUS_INVALID_HANDLE");
		}
		snprintf(longer, sizeof(longer), "%s0", own);
		cr_assert_str_eq(use(&fixture, user, longer), "STATUS_INVALID_HANDLE");
		cr_assert_str_eq(use(&fixture, user, ""), "STATUS_INVALID_HANDLE");
		cr_assert_str_eq(use(&fixture, user, "00000000000000000000000000000000"),
				 "STATUS_INVALID_HANDLE");
		cr_assert_str_eq(use(&fixture, user, GUID_A), "STATUS_INVALID_HANDLE");
	}
	host_fixture_free(&fixture);
}

/* If the random numbers repeat, two entities still get different handles. */
Test(handles_are_unguessable, no_two_entities_share_a_handle)
{
	Handles handles;
	char again[64];
	HostFixture fixture = host_fixture_new();
	uint64_t before = fixture.fake_host->random;

	call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A);
	strcpy(handles[0], reply_string(fixture.fake_host, "virtualGpu"));
	fixture.fake_host->random = before;
	call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A);
	strcpy(again, reply_string(fixture.fake_host, "virtualGpu"));
	cr_assert_str_neq(handles[0], again);
	fixture.fake_host->random = before;
	call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL);
	cr_assert_str_neq(reply_string(fixture.fake_host, "process"), handles[0]);
	cr_assert_str_neq(reply_string(fixture.fake_host, "context"), handles[0]);
	host_fixture_free(&fixture);
}

Test(handles_are_unguessable, all_bits_are_random)
{
	uint8_t any[16] = { 0 }, all[16];
	HostFixture fixture = host_fixture_new();

	memset(all, 0xff, sizeof(all));
	for (int i = 0; i < 200; i++) {
		Handle handle;

		call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL);
		cr_assert(handle_parse(reply_string(fixture.fake_host, "context"), &handle));
		for (size_t j = 0; j < 16; j++) {
			any[j] |= handle.bytes[j];
			all[j] &= handle.bytes[j];
		}
	}
	for (size_t j = 0; j < 16; j++)
		cr_assert(any[j] == 0xff && all[j] == 0, "byte %zu has bits that never change", j);
	host_fixture_free(&fixture);
}
