/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_VM_STATE_H
#define CLIENT_VAILCTL_VM_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/vailctl/listing.h"
#include "client/vailctl/vailctl.h"
#include <vail.h>

/*
 * Asks vaild for the description of a VM.
 *
 * ret_reply: the parameters of the reply, whose member virtualMachine is the VM. The caller frees
 *            it. Unchanged on failure.
 *
 * Returns as vail_call(), or STATUS_NO_MEMORY.
 */
NTSTATUS vm_describe(Tool *tool, const char *guid, char **ret_reply);

/*
 * Returns the VM's settings as text, to see whether a command changes any of them. Returns NULL if
 * there is no such VM, if the caller may not see it, or if out of memory. The caller frees it.
 */
char *vm_settings(Tool *tool, const char *guid);

/*
 * Returns the pid of the VMM if systemd-machined has named the VM and no request has added it, else
 * 0. Returns 0 if the caller may not see the VM.
 */
pid_t vm_found_vmm(Tool *tool, const char *guid);

/* Returns the pid of the incoming VMM, or 0 if the VM has none or the caller may not see it. */
pid_t vm_incoming_vmm(Tool *tool, const char *guid);

/*
 * Logs that a process which was added is only the incoming VMM of a VM that runs already, and which
 * of the settings are not used for that reason. With --json nothing is logged.
 *
 * pid: the process. machine: the settings that it was added with.
 * former: the incoming VMM before, whose place the process has taken; 0 for none.
 *
 * Returns false if the process is not an incoming VMM.
 */
bool vm_note_incoming(Tool *tool, pid_t pid, const VailMachine *machine, pid_t former);

/* A reason why no process registers for a VM, and why none shares its objects. */
typedef enum VmObstacle {
	VM_OBSTACLE_NONE,
	VM_OBSTACLE_QUARANTINE,
	VM_OBSTACLE_NO_VIRTUAL_GPU,
} VmObstacle;

/* Asks vaild for it. Returns VM_OBSTACLE_NONE also if the caller may not see the VM. */
VmObstacle vm_obstacle(Tool *tool, const char *guid);

/*
 * Warns of --user root, because the programs of root have capabilities that it does not permit.
 * With
 * --json nothing is logged.
 *
 * registrations: those that the command may have ended, or NULL. If root has any, nothing is
 * logged, because ended_finish() says the same about them.
 */
void vm_note_root_client(const Tool *tool, const Listing *registrations);

/*
 * Logs that another VM has the name as well, which fits no single VM then. Only VMs that the caller
 * may see count. guid: the VM that has got the name. name: NULL for none.
 */
void vm_note_same_name(Tool *tool, const char *guid, const char *name);

#endif
