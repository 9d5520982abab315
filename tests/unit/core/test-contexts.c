/* SPDX-License-Identifier: MIT */
/* Proves that graphics contexts end with their process, not with a connection or a registration. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(contexts);

#define SUCCESS "STATUS_SUCCESS"

static const char *create(Cast *cast, Caller *caller, char context[64], char process[64])
{
	const char *status = call(cast->world, caller, CREATE_CONTEXT, NULL);

	strcpy(context, reply_string(cast->world, "context"));
	strcpy(process, reply_string(cast->world, "process"));
	return status;
}

static const char *destroy(Cast *cast, Caller *caller, const char *context)
{
	return callf(cast->world, caller, DESTROY_CONTEXT, "{\"context\":\"%s\"}", context);
}

Test(contexts, contexts_of_a_process_share_a_gpu_process)
{
	char contexts[3][64], processes[3][64];
	Cast cast = cast_new_quiet();
	Caller *second = world_connect(cast.world, cast.viewer);

	cr_assert_str_eq(create(&cast, cast.client, contexts[0], processes[0]), SUCCESS);
	cr_assert_str_eq(create(&cast, second, contexts[1], processes[1]), SUCCESS);
	cr_assert_str_eq(create(&cast, cast.stranger, contexts[2], processes[2]), SUCCESS);
	cr_assert_str_eq(processes[0], processes[1], "the GPU process belongs to the host process");
	cr_assert_str_neq(processes[0], processes[2]);
	cr_assert_str_neq(contexts[0], contexts[1]);
	cr_assert_eq(strlen(contexts[0]), 32u);
	cr_assert_str_eq(destroy(&cast, second, contexts[0]), SUCCESS);
	cr_assert_str_eq(destroy(&cast, second, contexts[0]), "STATUS_INVALID_HANDLE");
	cast_free(&cast);
}

Test(contexts, gpu_process_outlives_contexts_but_not_its_process)
{
	char context[64], first[64], second[64];
	Cast cast = cast_new_quiet();

	create(&cast, cast.client, context, first);
	destroy(&cast, cast.client, context);
	cr_assert(cast.viewer->watched);
	create(&cast, cast.client, context, second);
	cr_assert_str_eq(first, second);
	world_exit(cast.world, cast.viewer);
	cr_assert_not(cast.viewer->watched);
	const FakeEvent *event = world_last_event(cast.world, EVENT_GPU_PROCESS_REMOVED);
	cr_assert_eq(event->pid, 300);
	cr_assert_eq(event->reason, END_PROCESS_EXITED);
	cr_assert_eq(accounts_used(&cast.world->service.broker->accounts, 1000, LIMIT_CONTEXTS),
		     0u);
	cast_free(&cast);
}

Test(contexts, registration_outlives_its_context)
{
	char context[64], process[64];
	Cast cast = cast_new();

	cast.viewer->has_graphics_context = false;
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A),
			 "STATUS_INVALID_DISPOSITION");
	create(&cast, cast.client, context, process);
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A), SUCCESS);
	destroy(&cast, cast.client, context);
	cr_assert_eq(world_events(cast.world, EVENT_UNREGISTERED), 0u);
	call(cast.world, cast.client, UNREGISTER, NAMES_A);
	cr_assert_str_eq(call(cast.world, cast.client, REGISTER, NAMES_A),
			 "STATUS_INVALID_DISPOSITION",
			 "a GPU process without contexts does not suffice");
	cast_free(&cast);
}

Test(contexts, only_the_owning_process_destroys_a_context)
{
	char context[64], process[64];
	Cast cast = cast_new_quiet();

	create(&cast, cast.client, context, process);
	cr_assert_str_eq(destroy(&cast, cast.stranger, context), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(destroy(&cast, cast.admin, context), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(destroy(&cast,
				 world_connect(cast.world, world_process(cast.world, 301, 1000)),
				 context),
			 "STATUS_ACCESS_DENIED", "another process of the same uid");
	cr_assert_str_eq(destroy(&cast, cast.client, context), SUCCESS);
	cast_free(&cast);
}

Test(contexts, failed_creation_leaves_nothing_behind)
{
	static const struct {
		LimitKind kind;
		const char *name;
	} rows[] = { { LIMIT_CONTEXTS, "contextsPerUid" },
		     { LIMIT_GPU_PROCESSES, "gpuProcessesPerUid" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Cast cast = cast_new_quiet();
		const Broker *broker = cast.world->service.broker;

		cast.world->service.settings.limits.per_uid[rows[i].kind] = 0;
		world_reload(cast.world);
		cr_assert_str_eq(call(cast.world, cast.client, CREATE_CONTEXT, NULL),
				 "STATUS_QUOTA_EXCEEDED");
		cr_assert_str_eq(reply_string(cast.world, "limit"), rows[i].name);
		cr_assert_not(cast.viewer->watched);
		cr_assert_eq(broker->accounts.used[LIMIT_CONTEXTS], 0u);
		cr_assert_eq(broker->accounts.used[LIMIT_GPU_PROCESSES], 0u);
		cast_free(&cast);
	}
	Cast cast = cast_new_quiet();
	cast.world->refuse_watch = true;
	cr_assert_str_eq(call(cast.world, cast.client, CREATE_CONTEXT, NULL),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(cast.world->service.broker->accounts.used[LIMIT_CONTEXTS], 0u);
	cast_free(&cast);
}

Test(contexts, namespace_owner_is_charged)
{
	Cast cast = cast_new_quiet();
	Accounts *accounts = &cast.world->service.broker->accounts;

	cast.client->account = 1001;
	cr_assert_str_eq(call(cast.world, cast.client, CREATE_CONTEXT, NULL), SUCCESS);
	cr_assert_eq(accounts_used(accounts, 1001, LIMIT_CONTEXTS), 1u);
	cr_assert_eq(accounts_used(accounts, 1001, LIMIT_GPU_PROCESSES), 1u);
	cr_assert_eq(accounts_used(accounts, 1000, LIMIT_CONTEXTS), 0u);
	cast_free(&cast);
}

Test(contexts, software_adapter_matches_its_documentation)
{
	Cast cast = cast_new();

	call(cast.world, cast.stranger, LIST_ADAPTERS, NULL);
	cr_assert_eq(reply_count(cast.world, "adapters"), 1u);
	cr_assert_str_eq(reply_string(cast.world, "adapters[0].source"), "software");
	cr_assert_eq(reply_number(cast.world, "adapters[0].virtualAddressBitCount"), 48u);
	cr_assert_eq(reply_count(cast.world, "adapters[0].pageTableIndexBitCount"), 4u);
	cr_assert_eq(reply_number(cast.world, "adapters[0].leafCoverageInBytes"), 2u << 20);
	cr_assert_eq(reply_number(cast.world, "adapters[0].rootEntryCoverageInBytes"),
		     UINT64_C(512) << 30);
	cr_assert_eq(reply_number(cast.world, "adapters[0].virtualGpus"), 1u);
	char adapter[64];
	strcpy(adapter, reply_string(cast.world, "adapters[0].adapter"));
	cr_assert_str_eq(
		callf(cast.world, cast.client, CREATE_CONTEXT, "{\"adapter\":\"%s\"}", adapter),
		SUCCESS);
	cast_free(&cast);
}

Test(contexts, virtual_gpus_per_adapter_are_limited)
{
	Cast cast = cast_new();
	Adapter *adapter = adapter_software(cast.world->service.broker);

	adapter->max_virtual_gpus = 2;
	cr_assert_str_eq(call(cast.world, cast.admin, ASSIGN, NAMES_A), SUCCESS);
	cr_assert_str_eq(call(cast.world, cast.admin, ASSIGN, NAMES_A), "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(cast.world, "limit"), "maxVirtualGpus");
	cr_assert_eq(reply_number(cast.world, "maximum"), 2u);
	cr_assert_eq(reply_number(cast.world, "used"), 2u);
	cast_free(&cast);
}
