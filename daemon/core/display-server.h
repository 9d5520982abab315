/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_DISPLAY_SERVER_H
#define DAEMON_CORE_DISPLAY_SERVER_H

#include "daemon/core/display-channel.h"

/*
 * The VMM or agent that serves a VM's display channels, as long as its stream lasts. A VM has at
 * most one, and during a hand-over another one for the incoming VMM.
 */
struct DisplayServer {
	VirtualMachine *vm; /* NULL after the end of the server */
	Process *process;
	Payer payer;                           /* of its caller, for the fds that it gets */
	bool is_incoming;                      /* on behalf of the incoming VMM */
	EndReason reason;                      /* of the server's end */
	TAILQ_HEAD(, DisplayChannel) channels; /* in the order of their opening */
	LIST_ENTRY(DisplayServer) of_vm;
	LIST_ENTRY(DisplayServer) of_process;
};

/*
 * Returns the server that a new channel of the VM gets: the VMM's, or else the incoming VMM's.
 * Returns NULL if the VM has none.
 */
DisplayServer *display_server_of(const VirtualMachine *vm);

/*
 * Checks that the VM has no server of this kind. Returns STATUS_SUCCESS or
 * STATUS_INVALID_DEVICE_STATE.
 */
NTSTATUS display_server_check(const VirtualMachine *vm, bool is_incoming, Failure *failure);

/*
 * Makes the caller the server of the VM, on behalf of the incoming VMM if is_incoming is set. The
 * structure belongs to the calling code, which calls display_server_end() and
 * display_server_leave() before it frees it.
 * Returns STATUS_SUCCESS, STATUS_INVALID_DEVICE_STATE if the VM has such a server already, or the
 * statuses of process_attach().
 */
NTSTATUS display_server_begin(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      bool is_incoming, DisplayServer *server, Failure *failure);

/*
 * Gives the server a channel that has waited for it since a restart. Returns false if the handle
 * names no channel of the VM that waits.
 */
bool display_server_claim(Broker *broker, DisplayServer *server, const Handle *channel);

/* Ends the channels of the server's VM that still wait, because the server does not have them. */
void display_server_end_waiting(Broker *broker, const DisplayServer *server);

/* Tells watchers of the VM that it has the server. */
void display_server_announce(Broker *broker, const DisplayServer *server);

/*
 * Ends the server, cuts its channels, and tells watchers. It keeps the channels until they have
 * ended, because its stream has a reply for each. Idempotent.
 */
void display_server_end(Broker *broker, DisplayServer *server, EndReason reason);

/* Takes its channels from a server that has ended. Call before the structure is freed. */
void display_server_leave(DisplayServer *server);

/* Ends all servers of a VM that ends, with all of its channels, those that wait included. */
void display_servers_end(Broker *broker, VirtualMachine *vm, EndReason reason);

/* Ends the VM's server on behalf of the incoming VMM, which has given up or was replaced. */
void display_server_end_incoming(Broker *broker, VirtualMachine *vm);

/*
 * Ends the server of a VMM that was replaced, because it serves the display of that process. This
 * holds for an agent that the VM keeps, too; it can serve again. The successor's server takes its
 * place. Returns the parts of the VM that have changed, as VM_PART_BIT(), for the caller's event.
 */
unsigned int display_servers_hand_over(Broker *broker, VirtualMachine *vm);

/* Returns the first channel whose agent's end the server has not taken, or NULL. */
DisplayChannel *display_server_next(const DisplayServer *server);

#endif
