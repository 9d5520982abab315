/* SPDX-License-Identifier: MIT */
/*
 * Sends random requests of several callers, some of which cannot be persisted, and restarts the
 * daemon at random moments. A client can see neither a restart, nor a request whose persisted
 * record was refused. After a process has died while no daemon runs, the first restart ends its
 * entities, and the second one changes nothing.
 *
 * VAILD_SEED=N repeats a run, VAILD_STEPS=N sets its length.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/restart-run.h"
#include "tests/support/fake-share.h"

TestSuite(restart_model);

#define STEPS_DEFAULT 6000

static const char *const guids[] = { GUID_A, GUID_B, GUID_C };
static const uid_t uids[] = { 1000, 1000, 1001, 64055 };

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void player_enter(Run *run, Player *player)
{
	uid_t uid = uids[dice_roll(&run->dice, ARRAY_SIZE(uids))];

	player->process = fake_host_process(run->fake_host, ++run->last_pid, uid);
	process_set_context(player->process, GRAPHICS_CONTEXT_DRM);
	player->caller = fake_host_connect(run->fake_host, player->process);
	player->gpu_process[0] = '\0';
}

static void player_replace(Run *run, Player *player, bool reports_exit)
{
	fake_host_disconnect(run->fake_host, player->caller);
	fake_host_kill(run->fake_host, player->process);
	if (reports_exit)
		fake_host_report_exits(run->fake_host);
	player_enter(run, player);
}

const char *run_any_guid(Run *run)
{
	return guids[dice_roll(&run->dice, ARRAY_SIZE(guids))];
}

Player *run_any_player(Run *run)
{
	return &run->players[dice_roll(&run->dice, PLAYERS)];
}

const char *run_any_handle(Run *run, Handles *handles)
{
	return handles->items[dice_roll(&run->dice, HANDLES)];
}

void run_remember(Run *run, Handles *handles, const char *path)
{
	const char *handle = reply_string(run->fake_host, path);

	if (handle[0] != '\0')
		strcpy(handles->items[dice_roll(&run->dice, HANDLES)], handle);
}

/* Returns the operator in two of three cases. */
static Caller *any_caller(Run *run)
{
	return dice_chance(&run->dice, 3) ? run_any_player(run)->caller : run->admin;
}

/* --- requests -------------------------------------------------------------------------------- */

static const char *write_party(Run *run, char text[64])
{
	if (dice_chance(&run->dice, 2))
		snprintf(text, 64, "{\"pid\":%d}", run_any_player(run)->process->pid);
	else
		snprintf(text, 64, "{\"user\":\"%s\"}",
			 dice_chance(&run->dice, 4) ? "bob" : "alice");
	return text;
}

static const char *register_vm(Run *run)
{
	char client[64], agent[64];

	return callf(run->fake_host, any_caller(run), REGISTER_MACHINE,
		     "{\"virtualMachineGuid\":\"%s\",\"vmmPid\":%d,\"displayClients\":[%s],"
		     "\"agent\":%s}",
		     run_any_guid(run), run_any_player(run)->process->pid, write_party(run, client),
		     write_party(run, agent));
}

static const char *update_vm(Run *run)
{
	char party[64];
	bool is_agent = dice_chance(&run->dice, 2);

	return callf(run->fake_host, any_caller(run), UPDATE_MACHINE,
		     "{\"virtualMachineGuid\":\"%s\",\"name\":\"n%d\",%s%s%s}", run_any_guid(run),
		     (int)dice_roll(&run->dice, 9),
		     is_agent ? "\"agent\":" : "\"displayClients\":[", write_party(run, party),
		     is_agent ? "" : "]");
}

static const char *assign(Run *run)
{
	const char *status = callf(run->fake_host, any_caller(run), ASSIGN,
				   "{\"virtualMachineGuid\":\"%s\"}", run_any_guid(run));

	run_remember(run, &run->virtual_gpus, "virtualGpu");
	return status;
}

static const char *remove_virtual_gpu(Run *run)
{
	return callf(run->fake_host, run->admin, REMOVE, "{\"virtualGpu\":\"%s\"}",
		     run_any_handle(run, &run->virtual_gpus));
}

static const char *name_vm(Run *run, Caller *caller, const char *method)
{
	return callf(run->fake_host, caller, method, "{\"virtualMachineGuid\":\"%s\"}",
		     run_any_guid(run));
}

static const char *register_process(Run *run)
{
	return name_vm(run, run_any_player(run)->caller, REGISTER);
}

static const char *unregister_process(Run *run)
{
	return name_vm(run, run_any_player(run)->caller, UNREGISTER);
}

static const char *unregister_vm(Run *run)
{
	return name_vm(run, any_caller(run), UNREGISTER_MACHINE);
}

static const char *set_quarantine(Run *run)
{
	return callf(run->fake_host, run->admin, SET_QUARANTINE,
		     "{\"virtualMachineGuid\":\"%s\",\"quarantined\":%s}", run_any_guid(run),
		     dice_chance(&run->dice, 4) ? "true" : "false");
}

static const char *create_context(Run *run)
{
	Player *player = run_any_player(run);
	const char *status = call(run->fake_host, player->caller, CREATE_CONTEXT, NULL);

	run_remember(run, &run->contexts, "context");
	if (strcmp(status, "STATUS_SUCCESS") == 0)
		strcpy(player->gpu_process, reply_string(run->fake_host, "process"));
	return status;
}

static const char *destroy_context(Run *run)
{
	return callf(run->fake_host, run_any_player(run)->caller, DESTROY_CONTEXT,
		     "{\"context\":\"%s\"}", run_any_handle(run, &run->contexts));
}

/* Returns an address in a narrow window, so that ranges collide. */
static const char *any_address(Run *run, char text[32])
{
	snprintf(text, 32, "0x%" PRIx64,
		 UINT64_C(0x10000000000) + (dice_roll(&run->dice, 2) << 23) +
			 (dice_roll(&run->dice, 128) << (dice_chance(&run->dice, 2) ? 12 : 16)));
	return text;
}

static const char *reserve(Run *run)
{
	const Player *player = run_any_player(run);
	char address[32];

	return callf(run->fake_host, player->caller, RESERVE_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%d,\"baseAddress\":\"%s\"}",
		     player->gpu_process, (int)(1 + dice_roll(&run->dice, 16)) << 16,
		     any_address(run, address));
}

static const char *map(Run *run)
{
	const Player *player = run_any_player(run);
	char address[32];

	return callf(run->fake_host, player->caller, MAP_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%d,\"protection\":\"read\","
		     "\"allocation\":%d,\"offsetInBytes\":8192,\"baseAddress\":\"%s\"}",
		     player->gpu_process, (int)(1 + dice_roll(&run->dice, 40)) << 12,
		     (int)dice_roll(&run->dice, 99), any_address(run, address));
}

static const char *free_some(Run *run)
{
	const Player *player = run_any_player(run);
	char address[32];

	return callf(run->fake_host, player->caller, FREE_ADDRESS,
		     "{\"process\":\"%s\",\"sizeInBytes\":%d,\"baseAddress\":\"%s\"}",
		     player->gpu_process, (int)(1 + dice_roll(&run->dice, 60)) << 12,
		     any_address(run, address));
}

#define RESOURCE                                                                \
	"\"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32," \
	"\"format\":\"XR24\",\"planes\":[{\"fileDescriptor\":0,\"offset\":0,"   \
	"\"stride\":256}]"

static const char *share_something(Run *run)
{
	char parameters[512];
	int fd = sealed_memory(run->fake_host);

	fake_host_fd_of(run->fake_host, fd)->facts.size_is_sealed = dice_chance(&run->dice, 2);
	if (fake_host_open_fds(run->fake_host) > 300)
		run->fake_host->fd_limit = 300;
	snprintf(parameters, sizeof(parameters),
		 "{\"virtualMachineGuid\":\"%s\",\"object\":{" RESOURCE "}}", run_any_guid(run));
	const char *status = call_with_fds(run->fake_host, run_any_player(run)->caller, SHARE,
					   parameters, &fd, 1, NULL);
	run_remember(run, &run->objects, "sharedObject.handle");
	return status;
}

/*
 * Sometimes grows unsealed memory before it is opened. The daemon remembers the new size even if
 * the request fails later, so a refusal must already apply to the first record.
 */
static const char *open_something(Run *run)
{
	FakeFd *fake = &run->fake_host->fds[dice_roll(&run->dice, 40)];

	if (fake->open && !fake->facts.size_is_sealed)
		fake->facts.size += dice_roll(&run->dice, 3u << 20);
	run->fake_host->persists_before_refusal = 0;
	return open_and_close_fds(run->fake_host, run_any_player(run)->caller,
				  run_any_handle(run, &run->objects), NULL);
}

static const char *close_something(Run *run)
{
	return with_handle(run->fake_host, run_any_player(run)->caller, CLOSE,
			   run_any_handle(run, &run->objects));
}

static const char *unshare_something(Run *run)
{
	return with_handle(run->fake_host, any_caller(run), UNSHARE,
			   run_any_handle(run, &run->objects));
}

static const struct {
	const char *(*request)(Run *run);
	unsigned int weight;
} requests[] = {
	{ register_vm, 4 },        { update_vm, 3 },         { assign, 4 },
	{ remove_virtual_gpu, 1 }, { register_process, 10 }, { unregister_process, 1 },
	{ unregister_vm, 1 },      { set_quarantine, 1 },    { create_context, 4 },
	{ destroy_context, 2 },    { reserve, 8 },           { map, 14 },
	{ free_some, 12 },         { share_something, 8 },   { open_something, 10 },
	{ close_something, 3 },    { unshare_something, 2 }, { run_driver_request, 34 },
};

static const char *any_request(Run *run)
{
	unsigned int sum = 0;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		sum += requests[i].weight;
	for (uint64_t roll = dice_roll(&run->dice, sum); roll >= requests[at].weight; at++)
		roll -= requests[at].weight;
	return requests[at].request(run);
}

/* --- invariants ------------------------------------------------------------------------------ */

void run_must_be_same(const Run *run, char *before, char *after, const char *what)
{
	cr_assert_str_eq(before, after, "%s, step %" PRIu64 "; repeat with VAILD_SEED=%" PRIu64,
			 what, run->step, run->seed);
	free(before);
	free(after);
}

static void restart_unseen(Run *run)
{
	run_settle_creations(run);
	char *before = fake_host_snapshot(run->fake_host, run->admin);

	fake_host_restart(run->fake_host);
	run_must_be_same(run, before, fake_host_snapshot(run->fake_host, run->admin), "a restart");
	cr_assert_eq(run->fake_host->report.drop_count, 0u, "%s",
		     run->fake_host->report.drops[0].reason);
	run->restarts++;
	run_drivers_come_back(run);
}

/* A process dies while no daemon runs. */
static void restart_with_a_death(Run *run)
{
	fake_host_stop(run->fake_host);
	fake_host_kill(run->fake_host, run_any_player(run)->process);
	fake_host_start(run->fake_host);
	run->drops += run->fake_host->report.drop_count;
	for (size_t i = 0; i < PLAYERS; i++)
		if (!run->players[i].process->alive)
			player_replace(run, &run->players[i], true);
	restart_unseen(run);
}

/*
 * Refuses some records of a random request, and asserts that a refused request changes nothing. If
 * there were events, the request has noticed an unrelated change, such as a dead process.
 */
static void request_with_refusal(Run *run)
{
	FakeHost *fake_host = run->fake_host;

	char *before = fake_host_snapshot(fake_host, run->admin);
	size_t events = fake_host->event_count;
	fake_host->refuse_persist = true;
	fake_host->persists_before_refusal = dice_roll(&run->dice, 3);
	const char *status = any_request(run);
	fake_host->refuse_persist = false;
	bool is_refused = strcmp(status, "STATUS_INSUFFICIENT_RESOURCES") == 0;
	char *after = fake_host_snapshot(fake_host, run->admin);
	if (is_refused && fake_host->event_count == events) {
		run->refusals++;
		run_must_be_same(run, before, after, "a refusal");
		return;
	}
	free(before);
	free(after);
}

static void step(Run *run)
{
	run->fake_host->now += dice_roll(&run->dice, 1000);
	switch (dice_roll(&run->dice, 60)) {
	case 0:
		restart_unseen(run);
		break;
	case 1:
		player_replace(run, run_any_player(run), true);
		break;
	case 2:
		if (dice_chance(&run->dice, 3))
			restart_with_a_death(run);
		break;
	case 3:
		if (dice_chance(&run->dice, 4))
			run_driver_replace(run);
		break;
	case 4 ... 12:
		request_with_refusal(run);
		break;
	default:
		run->successes += strcmp(any_request(run), "STATUS_SUCCESS") == 0;
	}
	if (dice_chance(&run->dice, 2))
		broker_reap(run->fake_host->service.broker, dice_roll(&run->dice, 6));
	broker_check(run->fake_host->service.broker);
}

static void run_begin(Run *run)
{
	FakeHost *fake_host = fake_host_new();
	ConfiguredReservations *configured =
		&fake_host->service.settings.software_adapter.of_processes;

	run->fake_host = fake_host;
	run->seed = number_from("VAILD_SEED", (uint64_t)time(NULL));
	run->dice.state = fake_host->random = run->seed;
	run->last_pid = 1000;
	fake_host->service.settings.allow_user_machines = true;
	*configured = (ConfiguredReservations){
		.count = 1,
		.items = { { .size = 4u << 20,
			     .base_address = UINT64_C(0x10000000000),
			     .allow_user_mode_mapping = true } },
	};
	fake_host_reload(fake_host);
	fake_host_user(fake_host, "root", 0);
	fake_host_user(fake_host, "alice", 1000);
	fake_host_user(fake_host, "bob", 1001);
	run->admin = fake_host_connect(fake_host, fake_host_process(fake_host, 100, 0));
	for (size_t i = 0; i < PLAYERS; i++)
		player_enter(run, &run->players[i]);
	run_drivers_enter(run);
}

Test(restart_model, restarts_are_invisible)
{
	Run run = { 0 };
	uint64_t steps = number_from("VAILD_STEPS", STEPS_DEFAULT);

	run_begin(&run);
	fprintf(stderr, "restart: VAILD_SEED=%" PRIu64 ", %" PRIu64 " steps\n", run.seed, steps);
	for (run.step = 0; run.step < steps; run.step++)
		step(&run);
	fprintf(stderr, "restart: %zu restarts, %zu refusals, %zu successes, %zu drops\n",
		run.restarts, run.refusals, run.successes, run.drops);
	fprintf(stderr, "restart: %zu adapters taken over, %zu ended\n", run.restored_adapters,
		run.ended_adapters);
	if (steps >= STEPS_DEFAULT)
		cr_assert(run.restarts > 50 && run.refusals > 20 && run.drops > 20 &&
			  run.successes > steps / 8 && run.restored_adapters > 20 &&
			  run.ended_adapters > 5);
	fake_host_free(run.fake_host);
}
