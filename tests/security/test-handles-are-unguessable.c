/* SPDX-License-Identifier: MIT */
/* Proves that a handle names one entity of one type during its life, and nothing otherwise. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(handles_are_not_guessed);

enum { ADAPTER, VIRTUAL_GPU, CONTEXT, GPU_PROCESS, TYPES };

typedef char Handles[TYPES][64];

static void collect(Cast *cast, Handles handles)
{
	call(cast->world, cast->admin, DESCRIBE, NAMES_A);
	strcpy(handles[ADAPTER],
	       reply_string(cast->world, "virtualMachine.virtualGpus[0].adapter"));
	strcpy(handles[VIRTUAL_GPU],
	       reply_string(cast->world, "virtualMachine.virtualGpus[0].virtualGpu"));
	call(cast->world, cast->client, CREATE_CONTEXT, NULL);
	strcpy(handles[CONTEXT], reply_string(cast->world, "context"));
	strcpy(handles[GPU_PROCESS], reply_string(cast->world, "process"));
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
static const char *use(Cast *cast, size_t user, const char *handle)
{
	Caller *caller = users[user].type == CONTEXT ? cast->client : cast->admin;

	return callf(cast->world, caller, users[user].method, users[user].parameters, handle);
}
#pragma GCC diagnostic pop

Test(handles_are_not_guessed, handles_of_the_wrong_type_are_invalid)
{
	for (size_t user = 0; user < ARRAY_SIZE(users); user++)
		for (int type = 0; type < TYPES; type++) {
			Handles handles;
			Cast cast = cast_new();

			collect(&cast, handles);
			cr_assert_str_eq(use(&cast, user, handles[type]),
					 type == users[user].type ? "STATUS_SUCCESS"
								  : "STATUS_INVALID_HANDLE",
					 "%s with handle of type %d", users[user].method, type);
			cast_free(&cast);
		}
}

Test(handles_are_not_guessed, handles_of_ended_entities_are_invalid)
{
	Handles handles;
	Cast cast = cast_new();

	collect(&cast, handles);
	call(cast.world, cast.admin, UNREGISTER_MACHINE, NAMES_A);
	cr_assert_str_eq(use(&cast, 2, handles[VIRTUAL_GPU]), "STATUS_INVALID_HANDLE");
	world_exit(cast.world, cast.viewer);
	for (size_t user = 0; user < ARRAY_SIZE(users); user++)
		for (int type = VIRTUAL_GPU; type < TYPES; type++)
			if (user != 1) /* its VM has ended as well */
				cr_assert_str_eq(use(&cast, user, handles[type]),
						 "STATUS_INVALID_HANDLE");
	cast_free(&cast);
}

Test(handles_are_not_guessed, any_other_string_is_invalid)
{
	Handles handles;
	Cast cast = cast_new();

	collect(&cast, handles);
	for (size_t user = 0; user < ARRAY_SIZE(users); user++) {
		const char *own = handles[users[user].type];
		char upper[64], other[64], longer[80];

		strcpy(upper, own);
		for (char *c = upper; *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
		if (strcmp(upper, own) != 0)
			cr_assert_str_eq(use(&cast, user, upper), "STATUS_INVALID_HANDLE");
		for (size_t i = 0; i < 32; i++) {
			strcpy(other, own);
			other[i] = other[i] == '0' ? '1' : '0';
			cr_assert_str_eq(use(&cast, user, other), "STATUS_INVALID_HANDLE");
		}
		snprintf(longer, sizeof(longer), "%s0", own);
		cr_assert_str_eq(use(&cast, user, longer), "STATUS_INVALID_HANDLE");
		cr_assert_str_eq(use(&cast, user, ""), "STATUS_INVALID_HANDLE");
		cr_assert_str_eq(use(&cast, user, "00000000000000000000000000000000"),
				 "STATUS_INVALID_HANDLE");
		cr_assert_str_eq(use(&cast, user, GUID_A), "STATUS_INVALID_HANDLE");
	}
	cast_free(&cast);
}

/* If the random numbers repeat, two entities still get different handles. */
Test(handles_are_not_guessed, no_two_entities_share_a_handle)
{
	Handles handles;
	char again[64];
	Cast cast = cast_new();
	uint64_t before = cast.world->random;

	call(cast.world, cast.admin, ASSIGN, NAMES_A);
	strcpy(handles[0], reply_string(cast.world, "virtualGpu"));
	cast.world->random = before;
	call(cast.world, cast.admin, ASSIGN, NAMES_A);
	strcpy(again, reply_string(cast.world, "virtualGpu"));
	cr_assert_str_neq(handles[0], again);
	cast.world->random = before;
	call(cast.world, cast.client, CREATE_CONTEXT, NULL);
	cr_assert_str_neq(reply_string(cast.world, "process"), handles[0]);
	cr_assert_str_neq(reply_string(cast.world, "context"), handles[0]);
	cast_free(&cast);
}

Test(handles_are_not_guessed, all_bits_are_random)
{
	uint8_t any[16] = { 0 }, all[16];
	Cast cast = cast_new();

	memset(all, 0xff, sizeof(all));
	for (int i = 0; i < 200; i++) {
		Handle handle;

		call(cast.world, cast.client, CREATE_CONTEXT, NULL);
		cr_assert(handle_parse(reply_string(cast.world, "context"), &handle));
		for (size_t j = 0; j < 16; j++) {
			any[j] |= handle.bytes[j];
			all[j] &= handle.bytes[j];
		}
	}
	for (size_t j = 0; j < 16; j++)
		cr_assert(any[j] == 0xff && all[j] == 0, "byte %zu has bits that never change", j);
	cast_free(&cast);
}
