/* SPDX-License-Identifier: MIT */
/* Random changes besides requests: processes start and end, connections open and close. */
#include "tests/model/gpu-model.h"

enum { FIRST_PID = 100, PIDS = 20 };

static FakeProcess *fake_process(FakeHost *fake_host, ProcessKey key)
{
	for (size_t i = 0; i < fake_host->process_count; i++)
		if (fake_host->processes[i].key == key)
			return &fake_host->processes[i];
	return NULL;
}

static void connect_to(GpuModel *model, FakeHost *fake_host, const GpuModelHost *host)
{
	if (model->connection_count == GPU_MODEL_CONNECTIONS || !host->alive)
		return;
	model->connections[model->connection_count++] = (GpuModelConnection){
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
static void begin_process(GpuModel *model, FakeHost *fake_host, Dice *dice)
{
	static const uid_t uids[] = { 0,
				      GPU_MODEL_OPERATOR_UID,
				      GPU_MODEL_OPERATOR_UID,
				      GPU_MODEL_OPERATOR_UID,
				      GPU_MODEL_VIEWER_UID,
				      GPU_MODEL_VIEWER_UID,
				      GPU_MODEL_VIEWER_UID,
				      1001,
				      64055 };
	static const gid_t groups[] = { GPU_MODEL_OPERATOR_UID, FAKE_HOST_OPERATOR_GROUP };
	uid_t uid = uids[dice_roll(dice, ARRAY_SIZE(uids))];
	pid_t pid = FIRST_PID + (pid_t)dice_roll(dice, PIDS);

	if (model->host_count == GPU_MODEL_HOSTS || gpu_model_live_pid(model, (uint64_t)pid))
		return;
	FakeProcess *process = fake_host_process(fake_host, pid, uid);
	if (uid == GPU_MODEL_OPERATOR_UID)
		process_set_groups(process, uid, ARRAY_SIZE(groups), groups);
	GpuModelHost *host = &model->hosts[model->host_count++];
	*host = (GpuModelHost){ .key = process->key, .pid = pid, .uid = uid, .alive = true };
	for (uint64_t i = 1 + dice_roll(dice, 2); i > 0; i--)
		connect_to(model, fake_host, host);
}

static void kill_one(GpuModel *model, FakeHost *fake_host, Dice *dice)
{
	GpuModelHost *host;

	if (model->host_count == 0)
		return;
	host = &model->hosts[dice_roll(dice, model->host_count)];
	if (host->alive)
		fake_host_kill(fake_host, fake_process(fake_host, host->key));
	host->alive = false;
}

/* Reports the exits in the order of the fake host, and forgets the processes. */
static void report_exits(GpuModel *model, FakeHost *fake_host)
{
	for (size_t i = 0; i < fake_host->process_count; i++) {
		const GpuModelHost *host = gpu_model_host(model, fake_host->processes[i].key);

		if (host && !host->alive)
			gpu_model_process_exited(model, host->key);
	}
	fake_host_report_exits(fake_host);
	for (size_t i = model->host_count; i-- > 0;)
		if (!model->hosts[i].alive)
			model->hosts[i] = model->hosts[--model->host_count];
}

static void close_one(GpuModel *model, FakeHost *fake_host, Dice *dice)
{
	if (model->connection_count == 0)
		return;
	Caller *caller = model->connections[dice_roll(dice, model->connection_count)].caller;
	gpu_model_connection_closed(model, caller);
	fake_host_disconnect(fake_host, caller);
}

/* Toggles whether members of the operators' group are operators. Drivers remain drivers. */
static void reload(GpuModel *model, FakeHost *fake_host)
{
	model->group_in_force = !model->group_in_force;
	fake_host->service.settings.operators.exists = model->group_in_force;
	fake_host_reload(fake_host);
}

/*
 * Closes most connections of ended processes. Some stay open, as if inherited by other processes.
 */
static void close_connections_of_dead(GpuModel *model, FakeHost *fake_host, Dice *dice)
{
	for (size_t i = model->connection_count; i-- > 0;) {
		Caller *caller = model->connections[i].caller;

		if (gpu_model_host(model, model->connections[i].key) || dice_chance(dice, 5))
			continue;
		gpu_model_connection_closed(model, caller);
		fake_host_disconnect(fake_host, caller);
	}
}

void gpu_model_disturb(GpuModel *model, FakeHost *fake_host, Dice *dice)
{
	uint64_t roll = dice_roll(dice, 300);

	if (roll < 15)
		begin_process(model, fake_host, dice);
	else if (roll < 20 && model->host_count > 0)
		connect_to(model, fake_host, &model->hosts[dice_roll(dice, model->host_count)]);
	else if (roll < 23)
		kill_one(model, fake_host, dice);
	else if (roll < 26)
		report_exits(model, fake_host);
	else if (roll < 30)
		close_one(model, fake_host, dice);
	else if (roll < 33)
		close_connections_of_dead(model, fake_host, dice);
	else if (roll < 34 || (roll < 37 && !model->group_in_force))
		reload(model, fake_host);
}
