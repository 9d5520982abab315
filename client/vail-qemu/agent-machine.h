/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_AGENT_MACHINE_H
#define CLIENT_VAIL_QEMU_AGENT_MACHINE_H

#include "client/vail-qemu/agent.h"

/* Time between looks at another process that is the agent, in milliseconds. */
#define AGENT_LOOK_INTERVAL 500

/* The part of the agent that concerns its VM in vaild: registration, settings, hand-over. */

/*
 * Registers the VM, and makes this process the agent. Sets refused, and refusal unless the status
 * is STATUS_SUCCESS.
 *
 * Returns STATUS_SUCCESS also if vaild refuses that to a user who is not an operator, because an
 * operator may have registered the VM with this user as its agent. The watch shows whether that is
 * so. Returns STATUS_OBJECT_NAME_COLLISION if another user's VM has the GUID and this process sees
 * it. Otherwise as vail_register_virtual_machine().
 */
NTSTATUS agent_register_machine(Agent *agent);

/*
 * Reads the VM's settings and adds the missing ones. Does nothing if vaild has refused the
 * registration, because an agent who did not register the VM may not see its settings.
 */
NTSTATUS agent_adopt_settings(Agent *agent);

/*
 * Describes why the last call on the handle failed, in the words of vail-qemu's command line. The
 * caller frees the result. Returns NULL if out of memory.
 */
char *agent_describe_refusal(const Agent *agent, const struct vail *vail, NTSTATUS status);

/* Reads whether QEMU is the incoming VMM. Returns true if it was that and is the VMM now. */
bool agent_machine_has_taken_over(Agent *agent);

/* Tells vaild the state of the guest. Does nothing if vaild knows it, or cannot be told now. */
void agent_tell_guest_state(Agent *agent);

/*
 * Tells vaild the state again if vaild has forgotten it: vaild does so when the connection that
 * told it last ends, which may be another one than the agent's.
 */
void agent_look_at_guest_state(Agent *agent);

#endif
