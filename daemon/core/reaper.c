/* SPDX-License-Identifier: MIT */
#include "daemon/core/reaper.h"

#include <stdlib.h>

#include "daemon/core/broker.h"
#include "daemon/core/removal-batch.h"

/* More than the one addition that an operation makes, so that garbage decreases. */
enum { STEPS_PER_ADDITION = 4 };

void reaper_add(Broker *broker, GpuProcess *gpu_process)
{
	if (gpu_process->is_queued)
		return;
	gpu_process->is_queued = true;
	TAILQ_INSERT_TAIL(&broker->reaper_queue, gpu_process, of_reaper);
}

/* Frees a context of an ended GPU process. Returns false if no context is left. */
static bool reap_context(GpuProcess *gpu_process, uint64_t *ret_serial)
{
	Context *context = LIST_FIRST(&gpu_process->contexts);

	if (!gpu_process->has_ended || !context)
		return false;
	LIST_REMOVE(context, link);
	*ret_serial = context->serial;
	free(context);
	return true;
}

/* Removes a GPU process without garbage from the queue, and frees it if it has ended. */
static void finish(Broker *broker, GpuProcess *gpu_process)
{
	TAILQ_REMOVE(&broker->reaper_queue, gpu_process, of_reaper);
	gpu_process->is_queued = false;
	if (!gpu_process->has_ended)
		return;
	free(gpu_process->name);
	free(gpu_process);
}

bool broker_reap(Broker *broker, size_t steps)
{
	GpuProcess *gpu_process;
	RemovalBatch batch;

	removal_batch_begin(&batch, broker->host);
	for (; steps > 0 && (gpu_process = TAILQ_FIRST(&broker->reaper_queue)); steps--) {
		uint64_t serial = 0;

		if (!address_space_reap(&gpu_process->space, &serial) &&
		    !reap_context(gpu_process, &serial))
			finish(broker, gpu_process);
		removal_batch_add(&batch, serial);
	}
	removal_batch_end(&batch);
	return broker_has_garbage(broker);
}

bool broker_has_garbage(const Broker *broker)
{
	return !TAILQ_EMPTY(&broker->reaper_queue);
}

void reaper_make_room(Broker *broker)
{
	broker_reap(broker, STEPS_PER_ADDITION);
}
