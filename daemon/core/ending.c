/* SPDX-License-Identifier: MIT */
#include "daemon/core/ending.h"

#include "daemon/core/broker.h"

void endings_init(Endings *endings)
{
	*endings = (Endings){ 0 };
	TAILQ_INIT(&endings->queue);
	TAILQ_INIT(&endings->by_age);
}

void ending_begin(Broker *broker, Ending *ending, EndingStep *step)
{
	if (ending_has_begun(ending))
		return;
	ending->step = step;
	ending->number = ++broker->endings.begun;
	TAILQ_INSERT_TAIL(&broker->endings.queue, ending, link);
	TAILQ_INSERT_TAIL(&broker->endings.by_age, ending, by_age);
}

void ending_hasten(Broker *broker, Ending *ending)
{
	TAILQ_REMOVE(&broker->endings.queue, ending, link);
	TAILQ_INSERT_HEAD(&broker->endings.queue, ending, link);
}

void ending_leave(Broker *broker, Ending *ending)
{
	TAILQ_REMOVE(&broker->endings.queue, ending, link);
	TAILQ_REMOVE(&broker->endings.by_age, ending, by_age);
}

void ending_complete(Broker *broker, Ending *ending)
{
	ending_hasten(broker, ending);
	while (ending->step(broker, ending))
		;
}

bool broker_end_some(Broker *broker, uint64_t microseconds)
{
	uint64_t begin = broker_now(broker);
	Ending *ending;

	while ((ending = TAILQ_FIRST(&broker->endings.queue))) {
		ending->step(broker, ending);
		if (broker_now(broker) - begin >= microseconds)
			break;
	}
	return broker_has_endings(broker);
}

bool broker_has_endings(const Broker *broker)
{
	return !TAILQ_EMPTY(&broker->endings.queue);
}

bool broker_has_endings_until(const Broker *broker, uint64_t number)
{
	const Ending *oldest = TAILQ_FIRST(&broker->endings.by_age);

	return oldest && oldest->number <= number;
}
