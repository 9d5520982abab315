/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_AGENT_H
#define CLIENT_VAIL_QEMU_AGENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/common/machine-settings.h"
#include "client/vail-qemu/guest-report.h"
#include "client/vail-qemu/hand-over.h"
#include "client/vail-qemu/machine-name.h"
#include "client/vail-qemu/surface.h"

/*
 * The VM's agent: registers the VM with vaild, assigns it a vGPU if it has none, and shares one
 * object for each surface that is shown. If the connection to vaild is lost, it waits for vaild and
 * sets all of that up again. If the VM runs in another QEMU, this one becomes its incoming VMM. A
 * name, an agent and display clients that the VM has in vaild are kept.
 *
 * One libvail handle makes the calls. The other watches the VM, so that the agent notices changes
 * by others (quarantine, vGPUs) and the loss of the connection.
 */

/* Settings of the VM. All pointers must outlive the agent. */
typedef struct AgentMachine {
	char guid[37];
	char name[MACHINE_NAME_SIZE]; /* for vaild, if the VM has none there */
	pid_t qemu;                   /* the VMM */
	ClientList clients;           /* users; only for a VM that has none; borrowed */
	const char *settings_source;  /* of the clients, as in VailMachine; NULL for none */
	const char *adapter; /* handle of the vGPU's adapter; NULL for the software adapter */
	const char *profile; /* display name of the vGPU; NULL for none */
	bool is_registered;  /* somebody else registers the VM */
} AgentMachine;

typedef enum AgentState {
	AGENT_DISCONNECTED,
	AGENT_COLLIDING, /* another VM has the GUID, or another agent the VM; tries again */
	AGENT_SYNCING,   /* the watch is reporting the existing state */
	AGENT_READY,     /* surfaces are shared */
	AGENT_ENDED,     /* for good; see end_reason */
} AgentState;

typedef struct Agent {
	AgentMachine machine;
	AgentState state;
	bool has_virtual_gpu;
	bool has_logged_loss; /* the loss of the connection has been logged */
	bool is_incoming;     /* QEMU is the VM's incoming VMM */
	bool is_new;          /* admission_ask() has added the VM to vaild */
	bool was_ready;       /* surfaces could be shared once */
	bool has_joined;      /* vaild has had all settings of this VM once */
	GuestReport guest_report;
	CollisionWait collision;

	MachineSettings settings; /* of the VM in vaild, as last read */
	bool has_other_agent;     /* this process may not share */
	bool has_logged_agent;
	bool has_logged_clients;
	unsigned int looks;    /* number of times that another process was the agent, in a row */
	int64_t look_again_at; /* milliseconds; 0 for never */
	char *refusal;         /* why vaild refused to register the VM; NULL if it did not */
	NTSTATUS refused;      /* the status of the last registration */

	char end_reason[640];
	bool is_removed; /* it has ended because the VM was removed from vaild */
	struct vail *calls;
	struct vail *watch;
	LIST_HEAD(, Surface) surfaces;
} Agent;

/*
 * Initialises the agent without connecting.
 *
 * path: of vaild's socket; NULL for the default.
 *
 * Returns false if out of memory.
 */
bool agent_init(Agent *agent, const char *path, const AgentMachine *machine);
void agent_deinit(Agent *agent);

/*
 * Connects to vaild, registers the VM and starts to watch it. Call at the start, and again while
 * agent_must_connect().
 */
void agent_connect(Agent *agent);

/* Tests whether the next attempt to connect is due. */
bool agent_must_connect(const Agent *agent);

/* Fills in the fds and events to poll before agent_process(). */
#define AGENT_FDS 2
void agent_poll_for(const Agent *agent, struct pollfd poll_fds[static AGENT_FDS]);

/*
 * Returns the milliseconds until agent_process() must be called or the next attempt to connect is
 * due, or -1.
 */
int agent_timeout(const Agent *agent);

/* Handles input from vaild and sends pending output. */
void agent_process(Agent *agent);

/* Notes the state of the guest, and tells vaild if it is another one. state: as in VailMachine. */
void agent_note_guest(Agent *agent, const char *state);

/* Add and remove a surface. The caller owns it and must remove it before it frees it. */
void agent_add(Agent *agent, Surface *surface);
void agent_remove(Agent *agent, Surface *surface);

/*
 * Shares the surface's object, after unsharing the previous one, or only unshares. The caller may
 * release the previous object's memory only after this.
 */
void agent_share(Agent *agent, Surface *surface);
void agent_unshare(Agent *agent, Surface *surface);

/* Sends one update for each surface that has damage. */
void agent_flush(Agent *agent);

/* ---- For the files of the agent ---- */

/* Tests whether a call has failed because the connection is lost. */
bool is_connection_lost(NTSTATUS status);

/* Handles the loss of the connection. */
void agent_disconnected(Agent *agent);

#endif
