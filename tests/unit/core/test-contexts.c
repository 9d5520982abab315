/* SPDX-License-Identifier: MIT */
/* Proves that graphics contexts end with their process, not with a connection or a registration. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/fake-host.h"

TestSuite(contexts);

#define SUCCESS "STATUS_SUCCESS"

static const char *create(HostFixture *fixture, Caller *caller, char context[64], char process[64])
{
	const char *status = call(fixture->fake_host, caller, CREATE_CONTEXT, NULL);

	strcpy(context, reply_string(fixture->fake_host, "context"));
	strcpy(process, reply_string(fixture->fake_host, "process"));
	return status;
}

static const char *destroy(HostFixture *fixture, Caller *caller, const char *context)
{
	return callf(fixture->fake_host, caller, DESTROY_CONTEXT, "{\"context\":\"%s\"}", context);
}

Test(contexts, contexts_of_a_process_share_a_gpu_process)
{
	char contexts[3][64], processes[3][64];
	HostFixture fixture = host_fixture_new_quiet();
	Caller *second = fake_host_connect(fixture.fake_host, fixture.viewer);

	cr_assert_str_eq(create(&fixture, fixture.client, contexts[0], processes[0]), SUCCESS);
	cr_assert_str_eq(create(&fixture, second, contexts[1], processes[1]), SUCCESS);
	cr_assert_str_eq(create(&fixture, fixture.stranger, contexts[2], processes[2]), SUCCESS);
	cr_assert_str_eq(processes[0], processes[1], "the GPU process belongs to the host process");
	cr_assert_str_neq(processes[0], processes[2]);
	cr_assert_str_neq(contexts[0], contexts[1]);
	cr_assert_eq(strlen(contexts[0]), 32u);
	cr_assert_str_eq(destroy(&fixture, second, contexts[0]), SUCCESS);
	cr_assert_str_eq(destroy(&fixture, second, contexts[0]), "STATUS_INVALID_HANDLE");
	host_fixture_free(&fixture);
}

Test(contexts, gpu_process_outlives_contexts_but_not_its_process)
{
	char context[64], first[64], second[64];
	HostFixture fixture = host_fixture_new_quiet();

	create(&fixture, fixture.client, context, first);
	destroy(&fixture, fixture.client, context);
	cr_assert(fixture.viewer->watched);
	create(&fixture, fixture.client, context, second);
	cr_assert_str_eq(first, second);
	fake_host_exit(fixture.fake_host, fixture.viewer);
	cr_assert_not(fixture.viewer->watched);
	const FakeEvent *event = fake_host_last_event(fixture.fake_host, EVENT_GPU_PROCESS_REMOVED);
	cr_assert_eq(event->pid, 300);
	cr_assert_eq(event->reason, END_PROCESS_EXITED);
	cr_assert_eq(accounts_used(&fixture.fake_host->service.broker->accounts, ORDINARY(1000),
				   LIMIT_CONTEXTS),
		     0u);
	host_fixture_free(&fixture);
}

Test(contexts, registration_outlives_its_context)
{
	char context[64], process[64];
	HostFixture fixture = host_fixture_new();

	fixture.viewer->has_graphics_context = false;
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_INVALID_DISPOSITION");
	create(&fixture, fixture.client, context, process);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A), SUCCESS);
	destroy(&fixture, fixture.client, context);
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_UNREGISTERED), 0u);
	call(fixture.fake_host, fixture.client, UNREGISTER, NAMES_A);
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, REGISTER, NAMES_A),
			 "STATUS_INVALID_DISPOSITION",
			 "a GPU process without contexts does not suffice");
	host_fixture_free(&fixture);
}

Test(contexts, only_the_owning_process_destroys_a_context)
{
	char context[64], process[64];
	HostFixture fixture = host_fixture_new_quiet();

	create(&fixture, fixture.client, context, process);
	cr_assert_str_eq(destroy(&fixture, fixture.stranger, context), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(destroy(&fixture, fixture.admin, context), "STATUS_ACCESS_DENIED");
	cr_assert_str_eq(destroy(&fixture,
				 fake_host_connect(fixture.fake_host,
						   fake_host_process(fixture.fake_host, 301, 1000)),
				 context),
			 "STATUS_ACCESS_DENIED", "another process of the same uid");
	cr_assert_str_eq(destroy(&fixture, fixture.client, context), SUCCESS);
	host_fixture_free(&fixture);
}

Test(contexts, failed_creation_leaves_nothing_behind)
{
	static const struct {
		LimitKind kind;
		const char *name;
	} rows[] = { { LIMIT_CONTEXTS, "contextsPerUid" },
		     { LIMIT_GPU_PROCESSES, "gpuProcessesPerUid" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		HostFixture fixture = host_fixture_new_quiet();
		const Broker *broker = fixture.fake_host->service.broker;

		fixture.fake_host->service.settings.limits.per_uid[rows[i].kind] = 0;
		fake_host_reload(fixture.fake_host);
		cr_assert_str_eq(call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL),
				 "STATUS_QUOTA_EXCEEDED");
		cr_assert_str_eq(reply_string(fixture.fake_host, "limit"), rows[i].name);
		cr_assert_not(fixture.viewer->watched);
		cr_assert_eq(broker->accounts.used[LIMIT_CONTEXTS], 0u);
		cr_assert_eq(broker->accounts.used[LIMIT_GPU_PROCESSES], 0u);
		host_fixture_free(&fixture);
	}
	HostFixture fixture = host_fixture_new_quiet();
	fixture.fake_host->refuse_watch = true;
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL),
			 "STATUS_INSUFFICIENT_RESOURCES");
	cr_assert_eq(fixture.fake_host->service.broker->accounts.used[LIMIT_CONTEXTS], 0u);
	host_fixture_free(&fixture);
}

Test(contexts, namespace_owner_is_charged)
{
	HostFixture fixture = host_fixture_new_quiet();
	Accounts *accounts = &fixture.fake_host->service.broker->accounts;

	fixture.client->account = 1001;
	cr_assert_str_eq(call(fixture.fake_host, fixture.client, CREATE_CONTEXT, NULL), SUCCESS);
	cr_assert_eq(accounts_used(accounts, ORDINARY(1001), LIMIT_CONTEXTS), 1u);
	cr_assert_eq(accounts_used(accounts, ORDINARY(1001), LIMIT_GPU_PROCESSES), 1u);
	cr_assert_eq(accounts_used(accounts, ORDINARY(1000), LIMIT_CONTEXTS), 0u);
	host_fixture_free(&fixture);
}

Test(contexts, software_adapter_matches_its_documentation)
{
	HostFixture fixture = host_fixture_new();

	call(fixture.fake_host, fixture.stranger, LIST_ADAPTERS, NULL);
	cr_assert_eq(reply_count(fixture.fake_host, "adapters"), 1u);
	cr_assert_str_eq(reply_string(fixture.fake_host, "adapters[0].source"), "software");
	cr_assert_eq(reply_number(fixture.fake_host, "adapters[0].virtualAddressBitCount"), 48u);
	cr_assert_eq(reply_count(fixture.fake_host, "adapters[0].pageTableIndexBitCount"), 4u);
	cr_assert_eq(reply_number(fixture.fake_host, "adapters[0].leafCoverageInBytes"), 2u << 20);
	cr_assert_eq(reply_number(fixture.fake_host, "adapters[0].rootEntryCoverageInBytes"),
		     UINT64_C(512) << 30);
	cr_assert_eq(reply_number(fixture.fake_host, "adapters[0].virtualGpus"), 1u);
	char adapter[64];
	strcpy(adapter, reply_string(fixture.fake_host, "adapters[0].adapter"));
	cr_assert_str_eq(callf(fixture.fake_host, fixture.client, CREATE_CONTEXT,
			       "{\"adapter\":\"%s\"}", adapter),
			 SUCCESS);
	host_fixture_free(&fixture);
}

Test(contexts, virtual_gpus_per_adapter_are_limited)
{
	HostFixture fixture = host_fixture_new();
	Adapter *adapter = adapter_software(fixture.fake_host->service.broker);

	adapter->max_virtual_gpus = 2;
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A), SUCCESS);
	cr_assert_str_eq(call(fixture.fake_host, fixture.admin, ASSIGN, NAMES_A),
			 "STATUS_QUOTA_EXCEEDED");
	cr_assert_str_eq(reply_string(fixture.fake_host, "limit"), "maxVirtualGpus");
	cr_assert_eq(reply_number(fixture.fake_host, "maximum"), 2u);
	cr_assert_eq(reply_number(fixture.fake_host, "used"), 2u);
	host_fixture_free(&fixture);
}
