/* SPDX-License-Identifier: MIT */
#include "daemon/core/drop-batch.h"

void drops_begin(Drops *drops, const Host *host)
{
	drops->host = host;
	drops->count = 0;
}

void drops_end(Drops *drops)
{
	if (drops->count > 0)
		drops->host->drop(drops->host->self, drops->serials, drops->count);
	drops->count = 0;
}

void drops_add(Drops *drops, uint64_t serial)
{
	if (serial == 0)
		return;
	drops->serials[drops->count++] = serial;
	if (drops->count == REMOVAL_BATCH_MAX)
		drops_end(drops);
}
