/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_REAPER_H
#define DAEMON_CORE_REAPER_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/core/tree.h"

/*
 * Frees what GPU processes leave behind, in slices between other work. A GPU process that ends, or
 * that frees many ranges at once, unlinks them and returns their charges immediately. Their memory
 * and their persisted records are garbage until the reaper comes to them. Nobody can see garbage,
 * and no restart restores it (daemon/store/restore-gpu.c).
 *
 * Each operation that adds a context, range, entry or evicted table reaps at least as much first.
 * So the number of those that exist and of those that are garbage never exceeds, together, the sum
 * of their limits for the host.
 */
typedef struct Broker Broker;
typedef struct GpuProcess GpuProcess;

/* GPU processes with garbage, in the order in which they are reaped. */
typedef TAILQ_HEAD(ReaperQueue, GpuProcess) ReaperQueue;

/* Queues a GPU process that has garbage. Does nothing if it is queued. */
void reaper_add(Broker *broker, GpuProcess *gpu_process);

/*
 * Reaps at most that many ranges, entries, evicted tables, contexts and GPU processes. Removes
 * their persisted records with few writes. Returns whether garbage is left.
 */
bool broker_reap(Broker *broker, size_t steps);
bool broker_has_garbage(const Broker *broker);

/* Call before each operation that adds something to a GPU process. */
void reaper_make_room(Broker *broker);

#endif
