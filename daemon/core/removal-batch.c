/* SPDX-License-Identifier: MIT */
#include "daemon/core/removal-batch.h"

void removal_batch_begin(RemovalBatch *batch, const Host *host)
{
	batch->host = host;
	batch->count = 0;
}

void removal_batch_end(RemovalBatch *batch)
{
	if (batch->count > 0)
		batch->host->remove(batch->host->self, batch->serials, batch->count);
	batch->count = 0;
}

void removal_batch_add(RemovalBatch *batch, uint64_t serial)
{
	if (serial == 0)
		return;
	batch->serials[batch->count++] = serial;
	if (batch->count == REMOVAL_BATCH_MAX)
		removal_batch_end(batch);
}
