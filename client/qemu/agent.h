/* SPDX-License-Identifier: MIT */
#ifndef QEMU_AGENT_H
#define QEMU_AGENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "surface.h"

/*
 * The VM's agent at vaild: brings the VM in, gives it a vGPU where it has none, and keeps one
 * object a surface. When vaild goes it waits for it, and brings all in anew.
 *
 * One libvail handle asks, the other watches the VM: whatever else happens to it (quarantine, a
 * vGPU that goes or comes) is heard there, and so is the end of vaild.
 */

/* What is said of the VM. Texts stay the caller's. */
typedef struct AgentMachine {
	char guid[37];
	const char *name; /* NULL: none */
	pid_t qemu;
	const VailParty
		*display_clients; /* count 0: they stay what they are, at first QEMU's own */
	size_t display_client_count;
	const char *adapter; /* handle, of the vGPU; NULL: the software adapter */
	const char *profile; /* of the vGPU, for people; NULL: none */
} AgentMachine;

typedef enum AgentState {
	AGENT_LOST,     /* no vaild */
	AGENT_ENTERING, /* is being told what exists */
	AGENT_PRESENT,
	AGENT_ENDED /* for good; see why_ended */
} AgentState;

typedef struct Agent {
	AgentMachine machine;
	AgentState state;
	bool has_virtual_gpu;
	bool said_lost;
	char why_ended[256];
	struct vail *calls;
	struct vail *watch;
	LIST_HEAD(, Surface) surfaces;
} Agent;

/* path: of vaild's socket; NULL for the default. Returns false when there is no memory. */
bool agent_init(Agent *agent, const char *path, const AgentMachine *machine);
void agent_deinit(Agent *agent);

/* Brings the VM in, if vaild is there. To be called at first, and while the state is AGENT_LOST. */
void agent_enter(Agent *agent);

/* What agent_process() waits for. */
#define AGENT_DESCRIPTORS 2
void agent_poll_for(const Agent *agent, struct pollfd descriptors[static AGENT_DESCRIPTORS]);

/* Takes what vaild has said, and sends what waits. */
void agent_process(Agent *agent);

/* Surfaces are their owner's, who takes each out before its end. */
void agent_add(Agent *agent, Surface *surface);
void agent_remove(Agent *agent, Surface *surface);

/* Makes true at vaild what the owner has changed: another object, or none. Called before the memory
 * of the old one is let go. */
void agent_share(Agent *agent, Surface *surface);
void agent_unshare(Agent *agent, Surface *surface);

/* Tells what is damaged, at once for each surface. */
void agent_flush(Agent *agent);

#endif
