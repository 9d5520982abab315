/* SPDX-License-Identifier: MIT */
#include "daemon/host/upkeep.h"

#include "daemon/core/broker.h"
#include "daemon/host/server.h"

/* Garbage that is freed at a time. It takes about 150 us, mostly for removing records. */
#define REAPED_PER_TURN 128

static bool run_ending(Task *task)
{
	struct Server *server = container_of(task, Upkeep, ending)->server;
	bool goes_on = broker_end_some(server->service.broker, ENDING_MICROSECONDS);

	upkeep_after_change(&server->upkeep);
	return goes_on;
}

static bool run_reaping(Task *task)
{
	struct Server *server = container_of(task, Upkeep, reaping)->server;

	return broker_reap(server->service.broker, REAPED_PER_TURN);
}

static bool run_removing(Task *task)
{
	struct Server *server = container_of(task, Upkeep, removing)->server;

	return fdstore_is_ready_for_upkeep(&server->fdstore_waits) &&
	       persistence_remove_ended(&server->persistence);
}

static bool run_compacting(Task *task)
{
	return persistence_compact(&container_of(task, Upkeep, compacting)->server->persistence);
}

void upkeep_init(Upkeep *upkeep, struct Server *server)
{
	*upkeep = (Upkeep){
		.server = server,
		.ending = TASK_INIT(run_ending),
		.reaping = TASK_INIT(run_reaping),
		.removing = TASK_INIT(run_removing),
		.compacting = TASK_INIT(run_compacting),
	};
	turn_owner_init(&upkeep->owner);
}

void upkeep_deinit(Upkeep *upkeep)
{
	turns_remove(&upkeep->server->turns, &upkeep->ending);
	turns_remove(&upkeep->server->turns, &upkeep->reaping);
	turns_remove(&upkeep->server->turns, &upkeep->removing);
	turns_remove(&upkeep->server->turns, &upkeep->compacting);
}

void upkeep_after_change(Upkeep *upkeep)
{
	struct Server *server = upkeep->server;

	if (broker_has_endings(server->service.broker))
		turns_queue(&server->turns, &upkeep->owner, &upkeep->ending);
	if (broker_has_garbage(server->service.broker))
		turns_queue(&server->turns, &upkeep->owner, &upkeep->reaping);
}

void upkeep_persistence(Upkeep *upkeep)
{
	turns_queue(&upkeep->server->turns, &upkeep->owner, &upkeep->removing);
	turns_queue(&upkeep->server->turns, &upkeep->owner, &upkeep->compacting);
}
