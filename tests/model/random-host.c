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

static FakeProcess *random_process(FakeHost *fake_host, Dice *dice)
{
	return &fake_host->processes[dice_roll(dice, fake_host->process_count)];
}

static Lookup random_lookup(Dice *dice)
{
	static const Lookup bad[] = { LOOKUP_UNREADABLE, LOOKUP_EXHAUSTED };

	return dice_chance(dice, 12) ? bad[dice_roll(dice, 2)] : LOOKUP_FOUND;
}

static void random_groups(FakeProcess *process, Dice *dice)
{
	static const gid_t more[] = { 27,
				      44,
				      FAKE_HOST_OPERATOR_GROUP,
				      FAKE_HOST_OBSERVERS_GROUP,
				      FAKE_HOST_QUARANTINE_GROUP,
				      65534,
				      (gid_t)-1 };
	gid_t primary = process->credentials.gids[ID_EFFECTIVE];
	size_t count = 0;
	gid_t groups[2];

	if (dice_chance(dice, 3))
		groups[count++] = more[dice_roll(dice, dice_chance(dice, 6) ? 7 : 5)];
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
		credentials->user_namespace.inode = FAKE_HOST_NAMESPACE + dice_roll(dice, 2);
		break;
	case 5:
		process->credentials_lookup = random_lookup(dice);
		break;
	case 6:
		process->context_lookup = random_lookup(dice);
		process->context_turns = (unsigned int)dice_roll(dice, 3);
		process->has_graphics_context = dice_chance(dice, 2);
		process->graphics_context = (GraphicsContextKind)(1 + dice_roll(dice, 4));
		break;
	default:
		random_groups(process, dice);
		break;
	}
}

static bool pid_is_free(const FakeHost *fake_host, pid_t pid)
{
	for (size_t i = 0; i < fake_host->process_count; i++)
		if (fake_host->processes[i].alive && fake_host->processes[i].pid == pid)
			return false;
	return true;
}

static void add_process(FakeHost *fake_host, Dice *dice)
{
	static const uid_t uids[] = { 0, 1000, 1000, 1000, 1001, 1001, 1002, 64055, 65534 };
	pid_t pid = (pid_t)(200 + dice_roll(dice, 24));
	size_t alive = 0;

	for (size_t i = 0; i < fake_host->process_count; i++)
		alive += fake_host->processes[i].alive;
	if (alive >= ALIVE_MAX || !pid_is_free(fake_host, pid))
		return;
	FakeProcess *process =
		fake_host_process(fake_host, pid, uids[dice_roll(dice, ARRAY_SIZE(uids))]);
	process->has_graphics_context = !dice_chance(dice, 3);
	process->graphics_context = (GraphicsContextKind)(1 + dice_roll(dice, 4));
	if (dice_chance(dice, 4))
		change_privileges(process, dice);
}

static void connect_or_disconnect(FakeHost *fake_host, Dice *dice)
{
	const FakeProcess *process = random_process(fake_host, dice);

	if (fake_host->caller_count >= CALLER_MAX) {
		fake_host_disconnect(fake_host,
				     fake_host->callers[dice_roll(dice, fake_host->caller_count)]);
		return;
	}
	if (!process->alive)
		return;
	Caller *caller = fake_host_connect(fake_host, process);
	/* The owner of that user namespace is charged, unless it is root. */
	if (!caller->in_initial_user_namespace && dice_chance(dice, 2))
		caller->account = 1000;
	if (dice_chance(dice, 30)) { /* the peer exited before it was identified */
		caller->process = PROCESS_KEY_NONE;
		caller->pid = 0;
	}
	if (dice_chance(dice, 10)) {
		free(caller->credentials.label);
		caller->credentials.label = NULL; /* a kernel without labels for sockets */
	}
}

static void change_user(FakeHost *fake_host, Dice *dice)
{
	FakeUser *user = &fake_host->users[dice_roll(dice, fake_host->user_count)];
	gid_t *ids = malloc(2 * sizeof(*ids));

	user->lookup = dice_chance(dice, 8) ? LOOKUP_UNREADABLE : LOOKUP_FOUND;
	ids[0] = 27;
	groups_deinit(&user->credentials.groups);
	user->credentials.groups = groups_take(ids, dice_roll(dice, 4) == 0, user->uid);
}

static void change_settings(FakeHost *fake_host, Dice *dice)
{
	Limits *limits = &fake_host->service.settings.limits;

	fake_host->service.settings.allow_user_machines = !dice_chance(dice, 3);
	for (int kind = 0; kind < LIMIT_MAX; kind++) {
		limits->per_uid[kind] = dice_chance(dice, 2) ? dice_roll(dice, 6) : 1000;
		limits->host_wide[kind] = dice_chance(dice, 3) ? dice_roll(dice, 12) : 1000;
	}
	fake_host_reload(fake_host);
}

void random_host_change(FakeHost *fake_host, Model *model, Dice *dice)
{
	fake_host->now += dice_roll(dice, 1000);
	if (dice_chance(dice, 8))
		add_process(fake_host, dice);
	if (dice_chance(dice, 3))
		connect_or_disconnect(fake_host, dice);
	if (dice_chance(dice, 25))
		fake_host_kill(fake_host, random_process(fake_host, dice));
	if (dice_chance(dice, 15))
		change_privileges(random_process(fake_host, dice), dice);
	if (dice_chance(dice, 60))
		change_user(fake_host, dice);
	if (dice_chance(dice, 150))
		change_settings(fake_host, dice);
	if (dice_chance(dice, 10))
		fake_host->refuse_watch = dice_chance(dice, 10);
	if (dice_chance(dice, 10))
		fake_host->refuse_quarantine = dice_chance(dice, 8);
	if (dice_chance(dice, 10))
		fake_host->exhaust_find = dice_chance(dice, 20);
	if (dice_chance(dice, 20)) {
		fake_host_report_exits(fake_host);
		model_report_exits(model);
	}
}
