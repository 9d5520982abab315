/* SPDX-License-Identifier: MIT */
/* Proves that a record that does not fit is dropped whole, with a reason, and that the rest stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "restart-stage.h"

TestSuite(restart_damage);

/* The kept record of a kind that has the text in it. */
static FakeKept *find_kept(World *world, const char *kind, const char *part)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"kind\":\"%s\"", kind);
	for (size_t i = 0; i < world->kept_count; i++)
		if (strncmp(world->kept[i].text, text, strlen(text)) == 0 &&
		    strstr(world->kept[i].text, part))
			return &world->kept[i];
	cr_assert_fail("no record of %s has %s", kind, part);
	return NULL;
}

/* Puts text in the place of the first part of the record that reads so. */
static void change(FakeKept *kept, const char *part, const char *text)
{
	char *at = strstr(kept->text, part), *changed;

	cr_assert_not_null(at, "%s is not in %s", part, kept->text);
	cr_assert(asprintf(&changed, "%.*s%s%s", (int)(at - kept->text), kept->text, text,
			   at + strlen(part)) > 0);
	free(kept->text);
	kept->text = changed;
}

static void forget(World *world, FakeKept *kept)
{
	free(kept->text);
	memmove(kept, kept + 1,
		(size_t)(world->kept + world->kept_count - kept - 1) * sizeof(*kept));
	world->kept_count--;
}

/* Each of them in a world of its own. total: that are dropped with it, itself included. */
Test(restart_damage, a_record_that_is_not_so_is_dropped)
{
	static const struct {
		StoreKind kind;
		const char *part, *is, *becomes, *reason;
		size_t total;
	} rows[] = {
		{ STORE_CONTEXT, "", "{\"kind\":\"context\",", "{\"kind\":\"context\",\"new\":1,",
		  "new is not as it has to be", 1 },
		{ STORE_CONTEXT, "", "\"account\":1000", "\"account\":4294967296",
		  "account is not as it has to be", 1 },
		{ STORE_CONTEXT, "", ",\"account\":1000", "", "account is not as it has to be", 1 },
		{ STORE_CONTEXT, "", "\"handle\":\"", "\"handle\":\"g",
		  "handle is not as it has to be", 1 },
		{ STORE_CONTEXT, "", "\"gpuProcess\":", "\"gpuProcess\":9",
		  "its GPU process is gone", 1 },
		{ STORE_CONTEXT, "", "\"serial\":", "\"serial\":9",
		  "it names another serial than its own", 1 },
		{ STORE_HOLDER, "", "\"object\":\"", "\"object\":\"0000000000000000000000000000000",
		  "object is not as it has to be", 1 },
		{ STORE_REGISTRATION, "", "\"groups\":[1000]", "\"groups\":[1000,1000]",
		  "connection is not as it has to be", 1 },
		{ STORE_REGISTRATION, "", "\"graphicsContext\":1", "\"graphicsContext\":5",
		  "graphicsContext is not as it has to be", 1 },
		{ STORE_REGISTRATION, "", "\"uids\":[1000,", "\"uids\":[",
		  "credentials is not as it has to be", 1 },
		{ STORE_REGISTRATION, "", "\"key\":", "\"key\":77", "its process is gone", 1 },
		{ STORE_MAPPING, "\"hasAllocation\":false", "\"protection\":3", "\"protection\":0",
		  "it fits nowhere", 1 },
		{ STORE_MAPPING, "\"hasAllocation\":false", "\"protection\":3", "\"protection\":4",
		  "protection is not as it has to be", 1 },
		{ STORE_MAPPING, "\"isInside\":true", "\"isInside\":true", "\"isInside\":false",
		  "what is around it is not what was", 1 },
		{ STORE_MAPPING, "", "\"first\":", "\"first\":9000000",
		  "it is no range of the address space", 1 },
		{ STORE_RESERVATION, "\"first\":536870912", "\"first\":536870912", "\"first\":1",
		  "what is around it is not what was", 3 },
		{ STORE_GPU_PROCESS, "", "\"first\":268435456", "\"first\":0", "it fits nowhere",
		  10 },
		{ STORE_GPU_PROCESS, "", "\"first\":268435456", "\"first\":4503599627370496",
		  "it fits nowhere", 10 },
		{ STORE_GPU_PROCESS, "", "\"adapter\":2", "\"adapter\":3", "its adapter is gone",
		  10 },
		{ STORE_OBJECT, "scanout", "\"type\":2", "\"type\":0",
		  "its descriptors are not those of its description", 2 },
		{ STORE_OBJECT, "scanout", "\"format\":\"NV12\"", "\"format\":\"NV1\"",
		  "description is not as it has to be", 2 },
		{ STORE_OBJECT, "scanout", "\"planes\":[", "\"planes\":[{},",
		  "description is not as it has to be", 2 },
		{ STORE_SHARING, "", "\"descriptors\":[1]", "\"descriptors\":[1,2]",
		  "its object is gone", 1 },
		{ STORE_SHARING, "", "\"virtualMachine\":", "\"virtualMachine\":9",
		  "its VM is gone", 1 },
		{ STORE_VIRTUAL_MACHINE, GUID_A, "\"displayClients\":[{", "\"displayClients\":[7,{",
		  "displayClients is not as it has to be", 6 },
		{ STORE_VIRTUAL_MACHINE, GUID_B, "\"uid\":1000", "\"uid\":-1",
		  "vmm is not as it has to be", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Stage stage = stage_new();
		FakeKept *kept =
			find_kept(stage.world, store_kind_name(rows[i].kind), rows[i].part);

		world_stop(stage.world);
		change(kept, rows[i].is, rows[i].becomes);
		world_start(stage.world);
		const StoreReport *report = &stage.world->report;
		cr_expect_eq(stage_dropped(&stage, rows[i].kind, rows[i].reason), 1u,
			     "%zu: dropped since %s", i, report->drops[0].reason);
		cr_expect_eq(report->drop_count, rows[i].total, "%zu: %zu are gone", i,
			     report->drop_count);
		stage_restart_unseen(&stage);
		stage_free(&stage);
	}
}

Test(restart_damage, what_is_no_record_is_dropped)
{
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"[]",
		"{\"kind\":\"spaceship\",\"serial\":5000}",
		"{\"serial\":5000}",
		"{\"kind\":7,\"serial\":5000}",
	};
	Stage stage = stage_new();
	World *world = stage.world;
	char *before = world_picture(world, stage.cast.admin);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		world_stop(world);
		world_write_record(world, 5000, texts[i], strlen(texts[i]));
		world_start(world);
		cr_assert_eq(world->report.dropped[STORE_KIND_MAX], 1u, "%s", texts[i]);
		cr_assert_eq(world->report.drop_count, 1u);
		char *after = world_picture(world, stage.cast.admin);
		cr_assert_str_eq(before, after);
		free(after);
	}
	free(before);
	stage_free(&stage);
}

/* Which others go with it, and that all else stays. */
Test(restart_damage, what_hangs_on_a_record_that_is_missing_goes_with_it)
{
	static const struct {
		const char *kind, *part;
		size_t total;
	} rows[] = {
		{ "adapter", "", 0 },            /* it has another handle then */
		{ "virtualMachine", GUID_A, 5 }, /* vGPU, registration, what is shared, fence */
		{ "virtualGpu", "half", 2 },
		{ "gpuProcess", "", 9 },
		{ "reservation", "\"first\":536870912", 2 },
		{ "object", "scanout", 1 },
		{ "sharing", "\"descriptors\":[1]", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Stage stage = stage_new();

		world_stop(stage.world);
		forget(stage.world, find_kept(stage.world, rows[i].kind, rows[i].part));
		world_start(stage.world);
		cr_expect_eq(stage.world->report.drop_count, rows[i].total, "%s: %zu", rows[i].kind,
			     stage.world->report.drop_count);
		stage_restart_unseen(&stage);
		stage_free(&stage);
	}
}

/* Of the mapping that begins there; of the reservation, with ends of two mappings and all of
 * another that lie in it; of all of the reservation. */
static const struct {
	const char *base;
	uint64_t size;
	size_t drops;
} frees[] = {
	{ "0x20000010000", 4096, 1 },
	{ "0x2000001f000", 0x3000, 3 },
	{ "0x2000001f000", 0x4000, 4 },
	{ STAGE_OWN, 0x28000, 4 },
};

/* One more mapping between the two that there are. */
static Stage stage_with_three_mappings(void)
{
	Stage stage = stage_new();

	cr_assert_str_eq(
		map(stage.world, stage.cast.client, stage.gpu_process, 4096, "0x20000020000"),
		SUCCESS);
	return stage;
}

/* Both pictures are the caller's to free. */
static void free_with_crash(size_t number, size_t drops, char *ret_pictures[3])
{
	Stage stage = stage_with_three_mappings();
	World *world = stage.world;

	ret_pictures[0] = world_picture(world, stage.cast.admin);
	world->crashes = true;
	world->drops_before_crash = drops;
	cr_assert_str_eq(free_addresses(world, stage.cast.client, stage.gpu_process,
					frees[number].base, frees[number].size),
			 SUCCESS);
	ret_pictures[1] = world_picture(world, stage.cast.admin);
	cr_assert_eq(world->drops_before_crash, 0u, "%zu: it drops more than %zu", number, drops);
	world_restart(world);
	ret_pictures[2] = world_picture(world, stage.cast.admin);
	stage_restart_unseen(&stage);
	stage_free(&stage);
}

/* A crash between the records of one operation leaves it as before or as after: what is kept of a
 * free comes first, then goes what it cuts, and then what lay in that. */
Test(restart_damage, a_free_that_is_cut_short_is_made_or_not)
{
	for (size_t i = 0; i < ARRAY_SIZE(frees); i++)
		for (size_t drops = 0; drops <= frees[i].drops; drops++) {
			char *pictures[3];

			free_with_crash(i, drops, pictures);
			cr_expect_str_eq(pictures[2], pictures[drops > 0],
					 "%zu: cut short behind %zu drops", i, drops);
			for (size_t at = 0; at < ARRAY_SIZE(pictures); at++)
				free(pictures[at]);
		}
}

/* Both pictures are the caller's to free. */
static bool unregister_with_crash(const char *machine, size_t drops, char *ret_pictures[3])
{
	Stage stage = stage_new();
	World *world = stage.world;

	ret_pictures[0] = world_picture(world, stage.cast.admin);
	world->crashes = true;
	world->drops_before_crash = drops;
	cr_assert_str_eq(call(world, stage.cast.admin, UNREGISTER_MACHINE, machine), SUCCESS);
	bool was_cut_short = world->drops_before_crash == 0;
	ret_pictures[1] = world_picture(world, stage.cast.admin);
	world_restart(world);
	ret_pictures[2] = world_picture(world, stage.cast.admin);
	stage_restart_unseen(&stage);
	stage_free(&stage);
	return was_cut_short;
}

/* A VM does not go on without the registrations and virtual GPUs that it had. */
Test(restart_damage, the_end_of_a_vm_that_is_cut_short_is_whole_or_none)
{
	bool was_cut_short = true;

	for (size_t drops = 0; was_cut_short; drops++) {
		char *pictures[3];

		was_cut_short = unregister_with_crash(NAMES_B, drops, pictures);
		cr_expect_str_eq(pictures[2], pictures[drops > 0], "cut short behind %zu drops",
				 drops);
		for (size_t at = 0; at < ARRAY_SIZE(pictures); at++)
			free(pictures[at]);
	}
}
