/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_GPU_LOOKS_H
#define DAEMON_HOST_GPU_LOOKS_H

#include <event2/event_struct.h>

#include "daemon/core/tree.h"
#include "daemon/host/net/connection.h"

/*
 * Makes the looks of daemon/core/found-gpu.h. The examiner searches the processes of the VM, and
 * the result is applied.
 *
 * A VM has one look at a time. The next one begins when a request wants it, and, as long as the VM
 * has found vGPUs, from time to time and when its processes change. So nothing is searched for VMs
 * that have assigned vGPUs alone. The user of the VMM pays for the
 * search, because its files can make the search hang. In that case, only requests for that VM wait,
 * and vaild refuses them after a few seconds.
 */

/* Seconds between looks at a VM with found vGPUs, while it has registrations and otherwise. */
#define LOOK_SECONDS      2
#define LOOK_IDLE_SECONDS 10

typedef struct VmLook VmLook;
typedef TAILQ_HEAD(VmLookQueue, VmLook) VmLookQueue;

typedef struct GpuLooks {
	struct Server *server;
	RB_HEAD(VmLookTree, VmLook) by_vm;
	VmLookQueue soon;    /* due within LOOK_SECONDS, in this order */
	VmLookQueue later;   /* due within LOOK_IDLE_SECONDS, in this order */
	VmLookQueue retries; /* due within a moment, in this order */
	size_t under_way;
	struct event due_event;
	HeldGpus held; /* in the answer that has just arrived */
} GpuLooks;

void gpu_looks_init(GpuLooks *looks, struct Server *server);
void gpu_looks_deinit(GpuLooks *looks);

/*
 * Begins to look at the restored VMs that have found vGPUs. Call when the state and the adapters
 * are known.
 */
void gpu_looks_start(GpuLooks *looks);

/* Follows a change that may need a look. */
void gpu_looks_note(GpuLooks *looks, const Event *event);

/*
 * Lets a look at the VM with this serial begin that has this number or a higher one, unless it is
 * under way. The connection gets a turn when a look has been applied.
 */
void gpu_looks_want(GpuLooks *looks, uint64_t vm, uint64_t number, Connection *connection);

/* Ends the wait of a request, if it waits for a look. */
void gpu_looks_end_wait(ConnectionWaits *waits);

#endif
