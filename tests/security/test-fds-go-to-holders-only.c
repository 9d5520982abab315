/* SPDX-License-Identifier: MIT */
/*
 * Only a process that is registered for an object's VM, and that still has the privileges of a
 * display client, receives the object's fds. No fd leaks, whatever happens to the message that
 * carried it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-share.h"

static HostFixture fixture;

static void set_up(void)
{
	fixture = host_fixture_new_sharing();
}

static void tear_down(void)
{
	host_fixture_free(&fixture);
}

TestSuite(fds_go_to_holders_only, .init = set_up, .fini = tear_down);

static void assert_refused(Caller *caller, const char *handle, const char *reason)
{
	size_t count;

	cr_assert_str_eq(open_and_close_fds(fixture.fake_host, caller, handle, &count),
			 "STATUS_ACCESS_DENIED");
	cr_assert_eq(count, 0u);
	cr_assert_str_eq(fake_host_last_audit_record(fixture.fake_host)->reason, reason);
	cr_assert(record_names(fixture.fake_host, handle));
	cr_assert_eq(fake_host_events(fixture.fake_host, EVENT_OPENED), 0u);
}

Test(fds_go_to_holders_only, an_unregistered_process_is_refused)
{
	char handle[64];

	share_image(&fixture, handle);
	assert_refused(fixture.stranger, handle, "notRegistered");
	assert_refused(fixture.admin, handle, "notRegistered");
	assert_refused(fixture.machine, handle, "notRegistered");
}

Test(fds_go_to_holders_only, a_process_registered_for_another_vm_is_refused)
{
	char handle[64];
	FakeHost *fake_host = fixture.fake_host;

	share_image(&fixture, handle);
	call(fake_host, fixture.client, UNREGISTER, NAMES_A);
	call(fake_host, fixture.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
	     "\"displayClients\":[{\"user\":\"alice\"}]}");
	call(fake_host, fixture.admin, ASSIGN, NAMES_B);
	cr_assert_str_eq(call(fake_host, fixture.client, REGISTER, NAMES_B), "STATUS_SUCCESS");
	assert_refused(fixture.client, handle, "notRegistered");
}

Test(fds_go_to_holders_only, a_process_whose_groups_changed_is_refused)
{
	static const gid_t more[] = { 1000, 27 };
	char handle[64];

	share_image(&fixture, handle);
	process_set_groups(fixture.viewer, 1000, 2, more);
	assert_refused(fixture.client, handle, "groups");
	cr_assert_eq(fake_host_last_event(fixture.fake_host, EVENT_UNREGISTERED)->reason,
		     END_PRIVILEGES_CHANGED);
}

Test(fds_go_to_holders_only, only_the_vmm_and_its_agent_share)
{
	FakeHost *fake_host = fixture.fake_host;
	Caller *callers[] = { fixture.client, fixture.stranger, fixture.admin };

	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		int memory = sealed_memory(fake_host);

		cr_assert_str_eq(share(fake_host, callers[i], IMAGE, &memory, 1, NULL),
				 "STATUS_ACCESS_DENIED");
	}
	call(fake_host, fixture.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	int memory = sealed_memory(fake_host);
	cr_assert_str_eq(share(fake_host, fixture.stranger, IMAGE, &memory, 1, NULL),
			 "STATUS_SUCCESS");
}

Test(fds_go_to_holders_only, unused_fds_are_closed)
{
	static const char *const messages[] = {
		"{\"method\":\"" LIST_MACHINES "\"}\n",
		"{\"method\":\"no.such.Method\"}\n",
		"{\"method\":7}\n",
		"{]\n",
		"[]\n",
		"{\"method\":\"" SHARE "\"}\n",
		"{\"method\":\"" SHARE "\",\"oneway\":true}\n",
		"{\"method\":\"" LIST_MACHINES "\"}\n{\"method\":\"" LIST_MACHINES "\"}\n",
		"{\"method\":\"" LIST_MACHINES "\"}\n{\"method\"",
		" \n \n",
		"{\"method\":\"" LIST_MACHINES "\"",
		"",
	};
	FakeHost *fake_host = fixture.fake_host;

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		int sent[2] = { sealed_memory(fake_host), fake_host_fd(fake_host, FD_OTHER, 1) };

		fake_host->sent = sent;
		fake_host->sent_count = 2;
		exchange(fake_host, fixture.machine, messages[i]);
		cr_assert_eq(fake_host_open_fds(fake_host), 0u, "%s", messages[i]);
	}
}

/* Its reply is not sent, and the fds are released with it. */
Test(fds_go_to_holders_only, a_oneway_open_sends_no_fds)
{
	char handle[64], request[192];
	FakeHost *fake_host = fixture.fake_host;

	share_image(&fixture, handle);
	snprintf(request, sizeof(request),
		 "{\"method\":\"" OPEN "\",\"oneway\":true,\"parameters\":{\"handle\":\"%s\"}}\n",
		 handle);
	exchange(fake_host, fixture.client, request);
	cr_assert_eq(fake_host->offered.count, 0u);
	cr_assert_eq(fake_host_open_fds(fake_host), 1u);
}

/* --- random requests ------------------------------------------------------------------------- */

#define STEPS   20000
#define HANDLES 24

static unsigned int next_random(uint64_t *state, unsigned int bound)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(*state >> 33) % bound;
}

typedef struct Run {
	uint64_t random;
	char handles[HANDLES][64];
	bool is_registered;
	size_t opened, refused;
} Run;

static void random_open(Run *run, const char *handle)
{
	Caller *callers[] = { fixture.client, fixture.client, fixture.stranger, fixture.admin };
	Caller *caller = callers[next_random(&run->random, ARRAY_SIZE(callers))];
	size_t count;
	bool opened = strcmp(open_and_close_fds(fixture.fake_host, caller, handle, &count),
			     "STATUS_SUCCESS") == 0;

	cr_assert_eq(opened, count == 1);
	cr_assert(!opened || (caller == fixture.client && run->is_registered));
	run->opened += opened;
	run->refused += !opened;
}

static void random_request(Run *run)
{
	FakeHost *fake_host = fixture.fake_host;
	char *handle = run->handles[next_random(&run->random, HANDLES)];

	switch (next_random(&run->random, 9)) {
	case 0:
	case 1:
		if (handle[0] == '\0')
			share_image(&fixture, handle);
		break;
	case 2:
		with_handle(fake_host,
			    next_random(&run->random, 4) ? fixture.machine : fixture.stranger,
			    UNSHARE, handle);
		if (strcmp(reply_string(fake_host, "status"), "STATUS_SUCCESS") == 0)
			handle[0] = '\0';
		break;
	case 3:
		with_handle(fake_host, fixture.client, CLOSE, handle);
		break;
	case 4:
		call(fake_host, fixture.client, run->is_registered ? UNREGISTER : REGISTER,
		     NAMES_A);
		run->is_registered = !run->is_registered;
		break;
	default:
		random_open(run, handle);
	}
}

static size_t count_shared(const Run *run)
{
	size_t count = 0;

	for (size_t i = 0; i < HANDLES; i++)
		count += run->handles[i][0] != '\0';
	return count;
}

Test(fds_go_to_holders_only, random_requests_neither_leak_nor_misdirect_fds)
{
	const char *seed = getenv("VAILD_SEED");
	Run run = { .is_registered = true };

	run.random = seed ? strtoull(seed, NULL, 10) : 20261121;
	for (int step = 0; step < STEPS; step++) {
		random_request(&run);
		cr_assert_eq(fake_host_open_fds(fixture.fake_host), count_shared(&run),
			     "VAILD_SEED=%s, step %d", seed ? seed : "20261121", step);
		if (step % 16 == 0)
			broker_check(fixture.fake_host->service.broker);
	}
	cr_assert_gt(run.opened, STEPS / 20u);
	cr_assert_gt(run.refused, STEPS / 20u);
}
