/* SPDX-License-Identifier: MIT */
/* Random changes of the fake host: processes, privileges, users, settings and failures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/random.h"

#define ALIVE_MAX  12
#define CALLER_MAX 20

uint64_t dice_roll(Dice *dice, uint64_t sides)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % sides;
}

bool dice_chance(Dice *dice, unsigned int one_in)
{
	return dice_roll(dice, one_in) == 0;
}

static FakeProcess *random_process(World *world, Dice *dice)
{
	return &world->processes[dice_roll(dice, world->process_count)];
}

static Evidence random_evidence(Dice *dice)
{
	static const Evidence bad[] = { EVIDENCE_UNREADABLE, EVIDENCE_EXHAUSTED };

	return dice_chance(dice, 12) ? bad[dice_roll(dice, 2)] : EVIDENCE_FOUND;
}

static void random_groups(FakeProcess *process, Dice *dice)
{
	static const gid_t more[] = { 27, 44, WORLD_OPERATOR_GROUP, 65534, (gid_t)-1 };
	gid_t primary = process->credentials.gids[ID_EFFECTIVE];
	size_t count = 0;
	gid_t groups[2];

	if (dice_chance(dice, 3))
		groups[count++] = more[dice_roll(dice, dice_chance(dice, 6) ? 5 : 3)];
	if (dice_chance(dice, 20))
		primary = (gid_t)(1000 + dice_roll(dice, 3));
	process_set_groups(process, primary, count, groups);
}

/* Changes privileges of the process, as setuid() or a security policy would. */
static void change_privileges(FakeProcess *process, Dice *dice)
{
	static const uint64_t capabilities[] = { 0, UINT64_C(1) << 35, 1, UINT64_C(1) << 35 | 2 };
	static const uid_t uids[] = { 0, 1000, 1001, 1002, 64055, 65534 };
	Credentials *credentials = &process->credentials;

	switch (dice_roll(dice, 8)) {
	case 0:
		credentials->uids[dice_roll(dice, ID_MAX)] = uids[dice_roll(dice, 6)];
		break;
	case 1:
		credentials->gids[dice_roll(dice, ID_MAX)] = uids[dice_roll(dice, 6)];
		break;
	case 2:
		credentials->permitted = capabilities[dice_roll(dice, 4)];
		credentials->effective = capabilities[dice_roll(dice, 4)];
		break;
	case 3:
		free(credentials->label);
		credentials->label = strdup(dice_chance(dice, 2) ? "" : "confined");
		break;
	case 4:
		credentials->user_namespace.inode = WORLD_NAMESPACE + dice_roll(dice, 2);
		break;
	case 5:
		process->credentials_evidence = random_evidence(dice);
		break;
	case 6:
		process->context_evidence = random_evidence(dice);
		process->has_graphics_context = dice_chance(dice, 2);
		process->graphics_context = (GraphicsContextKind)(1 + dice_roll(dice, 4));
		break;
	default:
		random_groups(process, dice);
		break;
	}
}

static bool pid_is_free(const World *world, pid_t pid)
{
	for (size_t i = 0; i < world->process_count; i++)
		if (world->processes[i].alive && world->processes[i].pid == pid)
			return false;
	return true;
}

static void add_process(World *world, Dice *dice)
{
	static const uid_t uids[] = { 0, 1000, 1000, 1000, 1001, 1001, 1002, 64055, 65534 };
	pid_t pid = (pid_t)(200 + dice_roll(dice, 24));
	size_t alive = 0;

	for (size_t i = 0; i < world->process_count; i++)
		alive += world->processes[i].alive;
	if (alive >= ALIVE_MAX || !pid_is_free(world, pid))
		return;
	FakeProcess *process = world_process(world, pid, uids[dice_roll(dice, ARRAY_SIZE(uids))]);
	process->has_graphics_context = !dice_chance(dice, 3);
	process->graphics_context = (GraphicsContextKind)(1 + dice_roll(dice, 4));
	if (dice_chance(dice, 4))
		change_privileges(process, dice);
}

static void connect_or_disconnect(World *world, Dice *dice)
{
	const FakeProcess *process = random_process(world, dice);

	if (world->caller_count >= CALLER_MAX) {
		world_disconnect(world, world->callers[dice_roll(dice, world->caller_count)]);
		return;
	}
	if (!process->alive)
		return;
	Caller *caller = world_connect(world, process);
	if (!caller->in_initial_user_namespace)
		caller->account = 1000; /* the owner of that user namespace is charged */
	if (dice_chance(dice, 30)) {    /* the peer exited before it was identified */
		caller->process = PROCESS_KEY_NONE;
		caller->pid = 0;
	}
	if (dice_chance(dice, 10)) {
		free(caller->credentials.label);
		caller->credentials.label = NULL; /* a kernel without labels for sockets */
	}
}

static void change_user(World *world, Dice *dice)
{
	FakeUser *user = &world->users[dice_roll(dice, world->user_count)];
	gid_t *ids = malloc(2 * sizeof(*ids));

	user->evidence = dice_chance(dice, 8) ? EVIDENCE_UNREADABLE : EVIDENCE_FOUND;
	ids[0] = 27;
	groups_deinit(&user->credentials.groups);
	user->credentials.groups = groups_take(ids, dice_roll(dice, 4) == 0, user->uid);
}

static void change_settings(World *world, Dice *dice)
{
	Limits *limits = &world->service.settings.limits;

	world->service.settings.allow_user_machines = !dice_chance(dice, 3);
	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		limits->per_uid[kind] = dice_chance(dice, 2) ? dice_roll(dice, 6) : 1000;
		limits->in_all[kind] = dice_chance(dice, 3) ? dice_roll(dice, 12) : 1000;
	}
	world_reload(world);
}

void random_host_change(World *world, Model *model, Dice *dice)
{
	world->now += dice_roll(dice, 1000);
	if (dice_chance(dice, 8))
		add_process(world, dice);
	if (dice_chance(dice, 3))
		connect_or_disconnect(world, dice);
	if (dice_chance(dice, 25))
		world_kill(world, random_process(world, dice));
	if (dice_chance(dice, 15))
		change_privileges(random_process(world, dice), dice);
	if (dice_chance(dice, 60))
		change_user(world, dice);
	if (dice_chance(dice, 150))
		change_settings(world, dice);
	if (dice_chance(dice, 10))
		world->refuse_watch = dice_chance(dice, 10);
	if (dice_chance(dice, 10))
		world->refuse_store = dice_chance(dice, 8);
	if (dice_chance(dice, 10))
		world->exhaust_find = dice_chance(dice, 20);
	if (dice_chance(dice, 20)) {
		world_tell_exits(world);
		model_tell_exits(model);
	}
}
