/* SPDX-License-Identifier: MIT */
#include "drops.h"

void drops_begin(Drops *drops, Broker *broker)
{
	drops->broker = broker;
	drops->count = 0;
}

void drops_end(Drops *drops)
{
	if (drops->count > 0)
		broker_drop_all(drops->broker, drops->serials, drops->count);
	drops->count = 0;
}

void drops_add(Drops *drops, uint64_t serial)
{
	if (serial == 0)
		return;
	drops->serials[drops->count++] = serial;
	if (drops->count == DROPPED_AT_ONCE)
		drops_end(drops);
}
