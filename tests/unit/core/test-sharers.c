/* SPDX-License-Identifier: MIT */
/*
 * The daemon knows without a look at all VMs who may share objects. It announces each change of
 * that by an event that concerns the caller.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/api/dispatch.h"
#include "tests/support/fake-host.h"

TestSuite(sharers);

#define CALLERS 4

typedef struct Sharers {
	HostFixture fixture;
	Caller *callers[CALLERS];
	bool may_share[CALLERS];
	void (*event)(void *self, const Event *event);
	size_t changes;
} Sharers;

static Sharers sharers;

/* The definition: the caller is the VMM, the incoming VMM or an agent of a listed VM. */
static bool is_sharer_of_any(const Caller *caller)
{
	Broker *broker = sharers.fixture.fake_host->service.broker;
	const VirtualMachine *vm = vm_after(broker, 0);

	while (vm && !vm_is_run_by(vm, caller->process) && !caller_is_agent(caller, vm))
		vm = vm_after(broker, vm->entity.serial);
	return vm;
}

/* Checks each caller when the daemon reports an event. */
static void check_event(void *self, const Event *event)
{
	FakeHost *fake_host = self;

	for (size_t i = 0; i < CALLERS; i++) {
		const Caller *caller = sharers.callers[i];
		bool may_share = caller_may_share(&fake_host->service, caller);

		cr_assert_eq(may_share, is_sharer_of_any(caller), "caller %zu", i);
		if (may_share != sharers.may_share[i]) {
			cr_assert(event->changes_sharers);
			cr_assert(event_may_change_sharing(event, caller), "caller %zu", i);
			sharers.changes++;
		}
		sharers.may_share[i] = may_share;
	}
	sharers.event(self, event);
}

static void set_up_sharers(void)
{
	HostFixture *fixture = &sharers.fixture;

	*fixture = host_fixture_new_quiet();
	sharers.callers[0] = fixture->admin;
	sharers.callers[1] = fixture->machine;
	sharers.callers[2] = fixture->client;
	sharers.callers[3] = fixture->stranger;
	sharers.event = fixture->fake_host->host.event;
	fixture->fake_host->host.event = check_event;
}

/* Writes one of no agent, an agent process, and an agent user. */
static const char *random_agent(char *text, size_t size)
{
	static const char *const users[] = { "alice", "bob" };

	if (random() % 3 == 0)
		return "";
	if (random() % 2 == 0)
		snprintf(text, size, ",\"agent\":{\"pid\":%ld}", 100 * (2 + random() % 3));
	else
		snprintf(text, size, ",\"agent\":{\"user\":\"%s\"}", users[random() % 2]);
	return text;
}

static void change_at_random(void)
{
	FakeHost *fake_host = sharers.fixture.fake_host;
	Caller *admin = sharers.fixture.admin;
	long number = random() % 4;
	char text[64];
	const char *agent = random_agent(text, sizeof(text));

	switch (random() % 3) {
	case 0:
		callf(fake_host, admin, REGISTER_MACHINE,
		      "{\"virtualMachineGuid\":\"10000000-0000-0000-0000-00000000000%ld\","
		      "\"vmmPid\":%ld,\"displayClients\":[{\"user\":\"alice\"}]%s}",
		      number, 100 * (2 + random() % 3), agent);
		return;
	case 1:
		callf(fake_host, admin, UPDATE_MACHINE,
		      "{\"virtualMachineGuid\":\"10000000-0000-0000-0000-00000000000%ld\","
		      "\"name\":\"another\"%s}",
		      number, agent);
		return;
	case 2:
		callf(fake_host, admin, UNREGISTER_MACHINE,
		      "{\"virtualMachineGuid\":\"10000000-0000-0000-0000-00000000000%ld\"}",
		      number);
	}
}

Test(sharers, each_change_is_announced, .init = set_up_sharers)
{
	srandom(21);
	for (int i = 0; i < 3000; i++) {
		change_at_random();
		if (i % 100 == 0)
			broker_check(sharers.fixture.fake_host->service.broker);
	}
	cr_assert_gt(sharers.changes, 300u);
	fake_host_exit(sharers.fixture.fake_host, sharers.fixture.viewer); /* an agent or a VMM */
	fake_host_exit(sharers.fixture.fake_host, sharers.fixture.vmm);
	host_fixture_free(&sharers.fixture);
}

static void expect_changes_sharers(void *self, const Event *event)
{
	if (event->kind == EVENT_VIRTUAL_MACHINE_CHANGED)
		sharers.changes += event->changes_sharers;
	sharers.event(self, event);
}

/* Otherwise the daemon would look at all connections. */
Test(sharers, new_name_changes_no_sharers, .init = set_up_sharers)
{
	HostFixture *fixture = &sharers.fixture;

	fixture->fake_host->host.event = expect_changes_sharers;
	call(fixture->fake_host, fixture->admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"vmmPid\":200,"
	     "\"displayClients\":[{\"user\":\"alice\"}],\"agent\":{\"user\":\"bob\"}}");
	cr_assert_str_eq(call(fixture->fake_host, fixture->admin, UPDATE_MACHINE,
			      "{\"virtualMachineGuid\":\"" GUID_A "\",\"name\":\"new\"}"),
			 "STATUS_SUCCESS");
	cr_assert_eq(sharers.changes, 0u);
	host_fixture_free(fixture);
}
