/* SPDX-License-Identifier: MIT */
/*
 * Proves which records may wait for their removal when something ends, and that a restart in
 * between brings nothing back and reports nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/restart-stage.h"

TestSuite(restart_ends);

static void end_vmm(Stage *stage)
{
	fake_host_exit(stage->fake_host, stage->fixture.vmm);
}

static void end_client(Stage *stage)
{
	fake_host_exit(stage->fake_host, stage->fixture.viewer);
}

static void end_other_client(Stage *stage)
{
	fake_host_exit(stage->fake_host, stage->fixture.mallory);
}

static void end_agent(Stage *stage)
{
	fake_host_exit(stage->fake_host, stage->helper);
}

static void end_other_vmm(Stage *stage)
{
	fake_host_exit(stage->fake_host, stage->other_vmm);
}

static void end_all_processes(Stage *stage)
{
	end_vmm(stage);
	end_client(stage);
	end_other_client(stage);
	end_agent(stage);
	end_other_vmm(stage);
}

static void unregister_vm(Stage *stage)
{
	cr_assert_str_eq(call(stage->fake_host, stage->fixture.admin, UNREGISTER_MACHINE, NAMES_A),
			 SUCCESS);
}

/* The process has exited before its VM loses the vGPU, and its registration is still recorded. */
static void end_client_and_remove_vgpu(Stage *stage)
{
	end_client(stage);
	end_other_client(stage);
	cr_assert_str_eq(callf(stage->fake_host, stage->fixture.admin, REMOVE,
			       "{\"virtualGpu\":\"%s\"}", stage->virtual_gpu),
			 SUCCESS);
}

static const struct {
	const char *name;
	void (*end)(Stage *stage);
} inherited[] = {
	{ "VMM", end_vmm },
	{ "client", end_client },
	{ "other client", end_other_client },
	{ "agent", end_agent },
	{ "other VMM", end_other_vmm },
	{ "all processes", end_all_processes },
	{ "VM", unregister_vm },
	{ "client, and then the vGPU", end_client_and_remove_vgpu },
};

static void restart_after_some_removals(size_t index, size_t written)
{
	Stage stage = stage_new();
	FakeHost *fake_host = stage.fake_host;

	inherited[index].end(&stage);
	fake_host_write_ended(fake_host, written);
	char *before = fake_host_snapshot(fake_host, stage.fixture.admin);
	fake_host_restart(fake_host);
	char *after = fake_host_snapshot(fake_host, stage.fixture.admin);
	cr_expect_str_eq(after, before, "%s, %zu written", inherited[index].name, written);
	cr_expect_eq(fake_host->report.drop_count, 0u, "%s, %zu written: %s", inherited[index].name,
		     written, fake_host->report.drops[0].reason);
	free(before);
	free(after);
	stage_restart_unchanged(&stage);
	stage_free(&stage);
}

Test(restart_ends, unwritten_removals_are_not_noticed)
{
	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++) {
		Stage stage = stage_new();

		inherited[i].end(&stage);
		size_t count = stage.fake_host->ended_count;
		cr_expect(count > 0 || inherited[i].end == end_agent, "%s", inherited[i].name);
		stage_free(&stage);
		for (size_t written = 0; written <= count; written++)
			restart_after_some_removals(i, written);
	}
}

static const char *quarantine(Stage *stage)
{
	return call(stage->fake_host, stage->fixture.admin, SET_QUARANTINE,
		    "{\"virtualMachineGuid\":\"" GUID_A "\",\"quarantined\":true}");
}

static const char *unregister(Stage *stage)
{
	return call(stage->fake_host, stage->fixture.client, UNREGISTER, NAMES_A);
}

static const char *revoke(Stage *stage)
{
	return callf(stage->fake_host, stage->fixture.admin, REVOKE,
		     "{\"virtualMachineGuid\":\"" GUID_A "\",\"pid\":%d}",
		     stage->fixture.viewer->pid);
}

static const char *unshare(Stage *stage)
{
	return with_handle(stage->fake_host, stage->fixture.machine, UNSHARE, stage->image);
}

static const char *close_object(Stage *stage)
{
	return with_handle(stage->fake_host, stage->fixture.client, CLOSE, stage->taken_back);
}

static const char *remove_vgpu(Stage *stage)
{
	return callf(stage->fake_host, stage->fixture.admin, REMOVE, "{\"virtualGpu\":\"%s\"}",
		     stage->virtual_gpu);
}

static const char *name_other_client(Stage *stage)
{
	return call(stage->fake_host, stage->fixture.admin, UPDATE_MACHINE,
		    "{\"virtualMachineGuid\":\"" GUID_A
		    "\",\"displayClients\":[{\"user\":\"bob\"}]}");
}

static const struct {
	const char *name;
	const char *(*end)(Stage *stage);
} requested[] = {
	{ "quarantine", quarantine },
	{ "unregister", unregister },
	{ "revoke", revoke },
	{ "unshare", unshare },
	{ "close", close_object },
	{ "remove vGPU", remove_vgpu },
	{ "update VM", name_other_client },
};

/* The answer promises that a crash does not undo them. Only unused objects may wait. */
Test(restart_ends, requested_ends_do_not_wait)
{
	for (size_t i = 0; i < ARRAY_SIZE(requested); i++) {
		Stage stage = stage_new();
		size_t before = stage.fake_host->persisted_count;

		cr_assert_str_eq(requested[i].end(&stage), SUCCESS, "%s", requested[i].name);
		cr_expect_lt(stage.fake_host->persisted_count, before, "%s", requested[i].name);
		for (size_t k = 0; k < stage.fake_host->ended_count; k++)
			cr_expect_not_null(
				strstr(stage.fake_host->ended[k].text, "{\"kind\":\"object\""),
				"%s: %s", requested[i].name, stage.fake_host->ended[k].text);
		stage_restart_unchanged(&stage);
		stage_free(&stage);
	}
}

/*
 * The agent of a VM is charged to the operator who registered it. After the end of the VM it shares
 * again, and pays itself, but the record of the first sharing is still there at the restart.
 */
Test(restart_ends, a_process_keeps_the_payer_that_it_has_had_last)
{
	Stage stage = stage_new();
	int fd = sealed_memory(stage.fake_host);

	cr_assert_str_eq(call_with_fds(stage.fake_host, stage.helping, SHARE,
				       "{\"virtualMachineGuid\":\"" GUID_B "\",\"object\":{" IMAGE
				       "}}",
				       &fd, 1, NULL),
			 SUCCESS);
	end_other_vmm(&stage);
	fd = sealed_memory(stage.fake_host);
	cr_assert_str_eq(share(stage.fake_host, stage.helping, IMAGE, &fd, 1, NULL), SUCCESS);
	stage_restart_unchanged(&stage);
	stage_free(&stage);
}
