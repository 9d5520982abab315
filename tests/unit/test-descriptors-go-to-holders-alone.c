/* SPDX-License-Identifier: MIT */
/*
 * Proves that a descriptor of an object goes to nobody but a process that is registered for its VM
 * and has a display client's privileges then, and that none is lost, whatever becomes of the
 * message that it came with.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake-share.h"

TestSuite(descriptors_go_to_holders_alone);

static void refused(Cast *cast, Caller *caller, const char *handle, const char *reason)
{
	size_t count;

	cr_assert_str_eq(open_and_drop(cast->world, caller, handle, &count),
			 "STATUS_ACCESS_DENIED");
	cr_assert_eq(count, 0u);
	cr_assert_str_eq(world_last_record(cast->world)->reason, reason);
	cr_assert(record_names(cast->world, handle));
	cr_assert_eq(world_events(cast->world, EVENT_OPENED), 0u);
}

Test(descriptors_go_to_holders_alone, not_to_who_is_not_registered)
{
	char handle[64];
	Cast cast = cast_new_sharing();

	share_image(&cast, handle);
	refused(&cast, cast.stranger, handle, "notRegistered");
	refused(&cast, cast.admin, handle, "notRegistered");
	refused(&cast, cast.machine, handle, "notRegistered");
	cast_free(&cast);
}

Test(descriptors_go_to_holders_alone, nor_to_who_is_registered_for_another_vm)
{
	char handle[64];
	Cast cast = cast_new_sharing();
	World *world = cast.world;

	share_image(&cast, handle);
	call(world, cast.client, UNREGISTER, NAMES_A);
	call(world, cast.admin, REGISTER_MACHINE,
	     "{\"virtualMachineGuid\":\"" GUID_B "\",\"vmmPid\":200,"
	     "\"displayClients\":[{\"user\":\"alice\"}]}");
	call(world, cast.admin, ASSIGN, NAMES_B);
	cr_assert_str_eq(call(world, cast.client, REGISTER, NAMES_B), "STATUS_SUCCESS");
	refused(&cast, cast.client, handle, "notRegistered");
	cast_free(&cast);
}

Test(descriptors_go_to_holders_alone, nor_to_who_has_other_groups_by_now)
{
	static const gid_t more[] = { 1000, 27 };
	char handle[64];
	Cast cast = cast_new_sharing();

	share_image(&cast, handle);
	process_set_groups(cast.viewer, 1000, 2, more);
	refused(&cast, cast.client, handle, "groups");
	cr_assert_eq(world_last_event(cast.world, EVENT_UNREGISTERED)->reason,
		     END_PRIVILEGES_CHANGED);
	cast_free(&cast);
}

Test(descriptors_go_to_holders_alone, only_the_vmm_and_its_agent_share)
{
	Cast cast = cast_new_sharing();
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
	cast_free(&cast);
}

/* Whatever message they come with, none is kept by mistake. */
Test(descriptors_go_to_holders_alone, none_stays_of_what_nobody_asked_for)
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
	Cast cast = cast_new_sharing();
	World *world = cast.world;

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		Descriptor sent[2] = { sealed_memory(world),
				       world_descriptor(world, DESCRIPTOR_OTHER, 1) };

		world->sent = sent;
		world->sent_count = 2;
		exchange(world, cast.machine, messages[i]);
		cr_assert_eq(world_open_descriptors(world), 0u, "%s", messages[i]);
	}
	cast_free(&cast);
}

/* A reply that nobody wants takes its descriptors back. */
Test(descriptors_go_to_holders_alone, an_open_without_an_answer_brings_none)
{
	char handle[64], request[192];
	Cast cast = cast_new_sharing();
	World *world = cast.world;

	share_image(&cast, handle);
	snprintf(request, sizeof(request),
		 "{\"method\":\"" OPEN "\",\"oneway\":true,\"parameters\":{\"handle\":\"%s\"}}\n",
		 handle);
	exchange(world, cast.client, request);
	cr_assert_eq(world->offered.count, 0u);
	cr_assert_eq(world_open_descriptors(world), 1u);
	cast_free(&cast);
}

/* --- at random ------------------------------------------------------------------------------- */

#define STEPS   20000
#define HANDLES 24

static unsigned int next_random(uint64_t *state, unsigned int bound)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(*state >> 33) % bound;
}

typedef struct Play {
	Cast cast;
	uint64_t random;
	char handles[HANDLES][64];
	bool is_registered;
	size_t opened, refused;
} Play;

static void play_open(Play *play, const char *handle)
{
	Caller *callers[] = { play->cast.client, play->cast.client, play->cast.stranger,
			      play->cast.admin };
	Caller *caller = callers[next_random(&play->random, ARRAY_SIZE(callers))];
	size_t count;
	bool opened = strcmp(open_and_drop(play->cast.world, caller, handle, &count),
			     "STATUS_SUCCESS") == 0;

	cr_assert_eq(opened, count == 1);
	cr_assert(!opened || (caller == play->cast.client && play->is_registered));
	play->opened += opened;
	play->refused += !opened;
}

static void play_step(Play *play)
{
	World *world = play->cast.world;
	char *handle = play->handles[next_random(&play->random, HANDLES)];

	switch (next_random(&play->random, 9)) {
	case 0:
	case 1:
		if (handle[0] == '\0')
			share_image(&play->cast, handle);
		break;
	case 2:
		with_handle(world,
			    next_random(&play->random, 4) ? play->cast.machine
							  : play->cast.stranger,
			    UNSHARE, handle);
		if (strcmp(reply_string(world, "status"), "STATUS_SUCCESS") == 0)
			handle[0] = '\0';
		break;
	case 3:
		with_handle(world, play->cast.client, CLOSE, handle);
		break;
	case 4:
		call(world, play->cast.client, play->is_registered ? UNREGISTER : REGISTER,
		     NAMES_A);
		play->is_registered = !play->is_registered;
		break;
	default:
		play_open(play, handle);
	}
}

static size_t count_shared(const Play *play)
{
	size_t count = 0;

	for (size_t i = 0; i < HANDLES; i++)
		count += play->handles[i][0] != '\0';
	return count;
}

Test(descriptors_go_to_holders_alone, at_random_none_is_lost_and_none_goes_astray)
{
	const char *seed = getenv("VAILD_SEED");
	Play play = { .cast = cast_new_sharing(), .is_registered = true };

	play.random = seed ? strtoull(seed, NULL, 10) : 20261121;
	for (int step = 0; step < STEPS; step++) {
		play_step(&play);
		cr_assert_eq(world_open_descriptors(play.cast.world), count_shared(&play),
			     "VAILD_SEED=%s, step %d", seed ? seed : "20261121", step);
		if (step % 16 == 0)
			broker_check(play.cast.world->service.broker);
	}
	cr_assert_gt(play.opened, STEPS / 20u);
	cr_assert_gt(play.refused, STEPS / 20u);
	cast_free(&play.cast);
}
