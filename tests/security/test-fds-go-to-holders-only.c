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

static Cast cast;

static void set_up(void)
{
	cast = cast_new_sharing();
}

static void tear_down(void)
{
	cast_free(&cast);
}

TestSuite(descriptors_go_to_holders_alone, .init = set_up, .fini = tear_down);

static void assert_refused(Caller *caller, const char *handle, const char *reason)
{
	size_t count;

	cr_assert_str_eq(open_and_drop(cast.world, caller, handle, &count), "STATUS_ACCESS_DENIED");
	cr_assert_eq(count, 0u);
	cr_assert_str_eq(world_last_record(cast.world)->reason, reason);
	cr_assert(record_names(cast.world, handle));
	cr_assert_eq(world_events(cast.world, EVENT_OPENED), 0u);
}

Test(descriptors_go_to_holders_alone, an_unregistered_process_is_refused)
{
	char handle[64];

	share_image(&cast, handle);
	assert_refused(cast.stranger, handle, "notRegistered");
	assert_refused(cast.admin, handle, "notRegistered");
	assert_refused(cast.machine, handle, "notRegistered");
}

Test(descriptors_go_to_holders_alone, a_process_registered_for_another_vm_is_refused)
{
	char handle[64];
	World *world = cast.world;

	share_image(&cast, handle);
	call(world, cast.client, UNREGISTER, NAMES_A);
	call(world, cast.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
	     "\"displayClients\":[{\"user\":\"alice\"}]}");
	call(world, cast.admin, ASSIGN, NAMES_B);
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_B), "STATUS_SUCCESS");
	assert_refused(cast.client, handle, "notRegistered");
}

Test(descriptors_go_to_holders_alone, a_process_whose_groups_changed_is_refused)
{
	static const gid_t more[] = { 1000, 27 };
	char handle[64];

	share_image(&cast, handle);
	process_set_groups(cast.viewer, 1000, 2, more);
	assert_refused(cast.client, handle, "groups");
	cr_assert_eq(world_last_event(cast.world, EVENT_UNREGISTERED)->reason,
		     END_PRIVILEGES_CHANGED);
}

Test(descriptors_go_to_holders_alone, only_the_vmm_and_its_agent_share)
{
	World *world = cast.world;
	Caller *callers[] = { cast.client, cast.stranger, cast.admin };

	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		Descriptor memory = sealed_memory(world);

		cr_assert_str_eq(share(world, callers[i], IMAGE, &memory, 1, NULL),
				 "STATUS_ACCESS_DENIED");
	}
	call(world, cast.admin, UPDATE_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_A "\",\"agent\":{\"pid\":400}}");
	Descriptor memory = sealed_memory(world);
	cr_assert_str_eq(share(world, cast.stranger, IMAGE, &memory, 1, NULL), "STATUS_SUCCESS");
}

Test(descriptors_go_to_holders_alone, unused_descriptors_are_closed)
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
	World *world = cast.world;

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		Descriptor sent[2] = { sealed_memory(world),
				       world_descriptor(world, DESCRIPTOR_OTHER, 1) };

		world->sent = sent;
		world->sent_count = 2;
		exchange(world, cast.machine, messages[i]);
		cr_assert_eq(world_open_descriptors(world), 0u, "%s", messages[i]);
	}
}

/* Its reply is not sent, and the fds are released with it. */
Test(descriptors_go_to_holders_alone, a_oneway_open_sends_no_descriptors)
{
	char handle[64], request[192];
	World *world = cast.world;

	share_image(&cast, handle);
	snprintf(request, sizeof(request),
		 "{\"method\":\"" OPEN "\",\"oneway\":true,\"parameters\":{\"handle\":\"%s\"}}\n",
		 handle);
	exchange(world, cast.client, request);
	cr_assert_eq(world->offered.count, 0u);
	cr_assert_eq(world_open_descriptors(world), 1u);
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
	Caller *callers[] = { cast.client, cast.client, cast.stranger, cast.admin };
	Caller *caller = callers[next_random(&run->random, ARRAY_SIZE(callers))];
	size_t count;
	bool opened =
		strcmp(open_and_drop(cast.world, caller, handle, &count), "STATUS_SUCCESS") == 0;

	cr_assert_eq(opened, count == 1);
	cr_assert(!opened || (caller == cast.client && run->is_registered));
	run->opened += opened;
	run->refused += !opened;
}

static void random_request(Run *run)
{
	World *world = cast.world;
	char *handle = run->handles[next_random(&run->random, HANDLES)];

	switch (next_random(&run->random, 9)) {
	case 0:
	case 1:
		if (handle[0] == '\0')
			share_image(&cast, handle);
		break;
	case 2:
		with_handle(world, next_random(&run->random, 4) ? cast.machine : cast.stranger,
			    UNSHARE, handle);
		if (strcmp(reply_string(world, "status"), "STATUS_SUCCESS") == 0)
			handle[0] = '\0';
		break;
	case 3:
		with_handle(world, cast.client, CLOSE, handle);
		break;
	case 4:
		call(world, cast.client, run->is_registered ? UNREGISTER : REGISTER, NAMES_A);
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

Test(descriptors_go_to_holders_alone, random_requests_neither_leak_nor_misdirect_descriptors)
{
	const char *seed = getenv("VAILD_SEED");
	Run run = { .is_registered = true };

	run.random = seed ? strtoull(seed, NULL, 10) : 20261121;
	for (int step = 0; step < STEPS; step++) {
		random_request(&run);
		cr_assert_eq(world_open_descriptors(cast.world), count_shared(&run),
			     "VAILD_SEED=%s, step %d", seed ? seed : "20261121", step);
		if (step % 16 == 0)
			broker_check(cast.world->service.broker);
	}
	cr_assert_gt(run.opened, STEPS / 20u);
	cr_assert_gt(run.refused, STEPS / 20u);
}
