/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_REMOVAL_BATCH_H
#define DAEMON_CORE_REMOVAL_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/core/host.h"

/*
 * Removes persisted records in batches of at most REMOVAL_BATCH_MAX, because each call of
 * Host.remove costs a write to disk.
 */
#define REMOVAL_BATCH_MAX 256

typedef struct RemovalBatch {
	const Host *host;
	size_t count;
	uint64_t serials[REMOVAL_BATCH_MAX];
} RemovalBatch;

void removal_batch_begin(RemovalBatch *batch, const Host *host);

/*
 * Adds a persisted record to the batch, and removes the whole batch when it is full. Records are
 * removed in the order in which they are added. Ignores serial 0, which means that nothing was
 * persisted.
 */
void removal_batch_add(RemovalBatch *batch, uint64_t serial);

/* Removes the persisted records that are still in the batch. */
void removal_batch_end(RemovalBatch *batch);

#endif
