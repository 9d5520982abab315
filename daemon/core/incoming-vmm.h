/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_INCOMING_VMM_H
#define DAEMON_CORE_INCOMING_VMM_H

#include "daemon/core/vm.h"

/*
 * The hand-over of a running VM from its VMM to another process, as in a local migration. The
 * incoming VMM and its agent may share objects at once. When the VMM exits, the incoming VMM
 * becomes the VMM: the VM keeps its registrations, vGPUs and settings. A VM has at most one
 * incoming VMM.
 */
struct IncomingVmm {
	VirtualMachine *vm;
	Process *process;
	/*
	 * The agent that the registration named, which then replaces that of the VM. If it has
	 * exited since, the VM will have none.
	 */
	bool names_agent;
	Agent agent;
	ToldGuest told_guest;
	LIST_ENTRY(IncomingVmm) of_process;
};

/*
 * Prepares a process as the incoming VMM of the VM, which has another VMM. Uses only the agent
 * and the state of the guest in settings, and takes over the parts of the agent. The commit
 * replaces an earlier incoming VMM. Returns STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_NO_MEMORY
 * or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS incoming_vmm_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      const ResolvedProcess *vmm, VmSettings *settings,
			      IncomingVmm **ret_incoming, Failure *failure);
void incoming_vmm_commit(Broker *broker, IncomingVmm *incoming);
void incoming_vmm_discard(Broker *broker, IncomingVmm *incoming);

/* Ends the hand-over, because the incoming VMM has exited. The VM continues with its VMM. */
void incoming_vmm_exited(Broker *broker, IncomingVmm *incoming);

/*
 * Makes the incoming VMM the VM's VMM, because that has exited. Returns false, with the VM
 * unchanged, if there is no incoming VMM that lives.
 */
bool vm_hand_over(Broker *broker, VirtualMachine *vm);

/* Reports a hand-over that a restore has completed. */
void vm_report_hand_over(Broker *broker, VirtualMachine *vm);

/* Unlinks the incoming VMM and its agent from their processes, before incoming_vmm_discard(). */
void incoming_vmm_unlink(IncomingVmm *incoming);

/* Asserts the invariants of the VM's incoming VMM, if it has one. */
void incoming_vmm_check(Broker *broker, const VirtualMachine *vm);

#endif
