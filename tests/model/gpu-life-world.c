/* SPDX-License-Identifier: MIT */
/* Random changes besides requests: processes start and end, connections open and close. */
#include "tests/model/gpu-life-model.h"

enum { FIRST_PID = 100, PIDS = 20 };

static FakeProcess *fake_process(FakeHost *fake_host, ProcessKey key)
{
	for (size_t i = 0; i < fake_host->process_count; i++)
		if (fake_host->processes[i].key == key)
			return &fake_host->processes[i];
	return NULL;
}

static void connect_to(Life *life, FakeHost *fake_host, const LifeHost *host)
{
	if (life->connection_count == LIFE_CONNECTIONS || !host->alive)
		return;
	life->connections[life->connection_count++] = (LifeConnection){
		.caller = fake_host_connect(fake_host, fake_process(fake_host, host->key)),
		.key = host->key,
		.pid = host->pid,
		.uid = host->uid,
	};
}

/*
 * There are only a few pids, so that they are reused, also before their former process's exit is
 * reported.
 */
static void begin_process(Life *life, FakeHost *fake_host, Dice *dice)
{
	static const uid_t uids[] = { 0,
				      LIFE_OPERATOR_UID,
				      LIFE_OPERATOR_UID,
				      LIFE_OPERATOR_UID,
				      LIFE_VIEWER_UID,
				      LIFE_VIEWER_UID,
				      LIFE_VIEWER_UID,
				      1001,
				      64055 };
	static const gid_t groups[] = { LIFE_OPERATOR_UID, FAKE_HOST_OPERATOR_GROUP };
	uid_t uid = uids[dice_roll(dice, ARRAY_SIZE(uids))];
	pid_t pid = FIRST_PID + (pid_t)dice_roll(dice, PIDS);

	if (life->host_count == LIFE_HOSTS || life_live_pid(life, (uint64_t)pid))
		return;
	FakeProcess *process = fake_host_process(fake_host, pid, uid);
	if (uid == LIFE_OPERATOR_UID)
		process_set_groups(process, uid, ARRAY_SIZE(groups), groups);
	LifeHost *host = &life->hosts[life->host_count++];
	*host = (LifeHost){ .key = process->key, .pid = pid, .uid = uid, .alive = true };
	for (uint64_t i = 1 + dice_roll(dice, 2); i > 0; i--)
		connect_to(life, fake_host, host);
}

static void kill_one(Life *life, FakeHost *fake_host, Dice *dice)
{
	LifeHost *host;

	if (life->host_count == 0)
		return;
	host = &life->hosts[dice_roll(dice, life->host_count)];
	if (host->alive)
		fake_host_kill(fake_host, fake_process(fake_host, host->key));
	host->alive = false;
}

/* Reports the exits in the order of the fake host, and forgets the processes. */
static void report_exits(Life *life, FakeHost *fake_host)
{
	for (size_t i = 0; i < fake_host->process_count; i++) {
		const LifeHost *host = life_host(life, fake_host->processes[i].key);

		if (host && !host->alive)
			life_process_exited(life, host->key);
	}
	fake_host_report_exits(fake_host);
	for (size_t i = life->host_count; i-- > 0;)
		if (!life->hosts[i].alive)
			life->hosts[i] = life->hosts[--life->host_count];
}

static void close_one(Life *life, FakeHost *fake_host, Dice *dice)
{
	if (life->connection_count == 0)
		return;
	Caller *caller = life->connections[dice_roll(dice, life->connection_count)].caller;
	life_connection_closed(life, caller);
	fake_host_disconnect(fake_host, caller);
}

/* Toggles whether members of the operators' group are operators. Drivers remain drivers. */
static void reload(Life *life, FakeHost *fake_host)
{
	life->group_in_force = !life->group_in_force;
	fake_host->service.settings.has_operator_group = life->group_in_force;
	fake_host_reload(fake_host);
}

/*
 * Closes most connections of ended processes. Some stay open, as if inherited by other processes.
 */
static void close_connections_of_dead(Life *life, FakeHost *fake_host, Dice *dice)
{
	for (size_t i = life->connection_count; i-- > 0;) {
		Caller *caller = life->connections[i].caller;

		if (life_host(life, life->connections[i].key) || dice_chance(dice, 5))
			continue;
		life_connection_closed(life, caller);
		fake_host_disconnect(fake_host, caller);
	}
}

void life_disturb(Life *life, FakeHost *fake_host, Dice *dice)
{
	uint64_t roll = dice_roll(dice, 300);

	if (roll < 15)
		begin_process(life, fake_host, dice);
	else if (roll < 20 && life->host_count > 0)
		connect_to(life, fake_host, &life->hosts[dice_roll(dice, life->host_count)]);
	else if (roll < 23)
		kill_one(life, fake_host, dice);
	else if (roll < 26)
		report_exits(life, fake_host);
	else if (roll < 30)
		close_one(life, fake_host, dice);
	else if (roll < 33)
		close_connections_of_dead(life, fake_host, dice);
	else if (roll < 34 || (roll < 37 && !life->group_in_force))
		reload(life, fake_host);
}
