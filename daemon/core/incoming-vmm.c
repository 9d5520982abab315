/* SPDX-License-Identifier: MIT */
#include "daemon/core/incoming-vmm.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/broker.h"

NTSTATUS incoming_vmm_prepare(Broker *broker, const Caller *caller, VirtualMachine *vm,
			      const ResolvedProcess *vmm, VmSettings *settings,
			      IncomingVmm **ret_incoming, Failure *failure)
{
	const Payer payer = payer_of(caller);
	const ProcessOrigin origin = resolved_process_origin(vmm, &payer);
	IncomingVmm *incoming = calloc(1, sizeof(*incoming));
	Process *agent;

	if (!incoming)
		return failure_no_memory(failure);
	NTSTATUS status = process_attach(broker, &origin, &incoming->process, failure);
	if (status == STATUS_SUCCESS)
		status = vm_settings_attach_agent(broker, &payer, settings, &agent, failure);
	if (status != STATUS_SUCCESS) {
		incoming_vmm_discard(broker, incoming);
		return status;
	}
	incoming->vm = vm;
	incoming->names_agent = settings->has_agent;
	incoming->told_guest =
		(ToldGuest){ .vm = vm, .state = settings->guest_state, .teller = settings->teller };
	settings->for_incoming = true;
	if (settings->has_agent)
		incoming->agent = vm_settings_take_agent(settings, vm, agent);
	*ret_incoming = incoming;
	return STATUS_SUCCESS;
}

void incoming_vmm_discard(Broker *broker, IncomingVmm *incoming)
{
	agent_release(broker, &incoming->agent);
	process_release(broker, incoming->process);
	free(incoming);
}

void incoming_vmm_unlink(IncomingVmm *incoming)
{
	Agent agent = agent_take(&incoming->agent);

	LIST_REMOVE(incoming, of_process);
	incoming->agent = agent;
}

static const Agent *agent_if_any(const Agent *agent)
{
	return agent_exists(agent) ? agent : NULL;
}

/* Returns the parts of a VM that an incoming VMM, or NULL for none, takes up. */
static unsigned int incoming_parts(const IncomingVmm *incoming)
{
	if (!incoming)
		return 0;
	return VM_PART_BIT(VM_PART_INCOMING_VMM) |
	       (agent_exists(&incoming->agent) ? VM_PART_BIT(VM_PART_INCOMING_AGENT) : 0);
}

/* Removes the incoming VMM from its VM and from the index, and returns it. Accepts NULL. */
static IncomingVmm *take_incoming(Broker *broker, VirtualMachine *vm)
{
	IncomingVmm *incoming = TAKE_POINTER(vm->incoming);

	if (!incoming)
		return NULL;
	agent_unindex(broker, &incoming->agent);
	told_guest_unindex(broker, &incoming->told_guest);
	incoming_vmm_unlink(incoming);
	return incoming;
}

void incoming_vmm_commit(Broker *broker, IncomingVmm *incoming)
{
	VirtualMachine *vm = incoming->vm;
	IncomingVmm *former = take_incoming(broker, vm);

	vm->incoming = incoming;
	LIST_INSERT_HEAD(&incoming->process->incoming_for, incoming, of_process);
	agent_link(&incoming->agent);
	agent_index(broker, &incoming->agent);
	told_guest_index(broker, &incoming->told_guest);
	vm_changed(broker, vm,
		   (Event){ .hand_over = HAND_OVER_BEGAN,
			    .changed_parts = incoming_parts(former) | incoming_parts(incoming),
			    .changes_sharers = true,
			    .former_vmm = former ? former->process : NULL,
			    .former_agent = former ? agent_if_any(&former->agent) : NULL });
	if (!former)
		return;
	display_server_end_incoming(broker, vm);
	incoming_vmm_discard(broker, former);
}

void incoming_vmm_exited(Broker *broker, IncomingVmm *incoming)
{
	VirtualMachine *vm = incoming->vm;

	IncomingVmm *taken = take_incoming(broker, vm);
	assert(taken == incoming);
	(void)taken;
	vm_changed(broker, vm,
		   (Event){ .hand_over = HAND_OVER_ABANDONED,
			    .changed_parts = incoming_parts(incoming),
			    .changes_sharers = true,
			    .former_vmm = incoming->process,
			    .former_agent = agent_if_any(&incoming->agent) });
	display_server_end_incoming(broker, vm);
	incoming_vmm_discard(broker, incoming);
}

/* Replaces the VM's agent by that of the incoming VMM. Returns the former one. */
static Agent hand_over_agent(Broker *broker, VirtualMachine *vm, IncomingVmm *incoming)
{
	agent_unindex(broker, &vm->agent);
	Agent former = agent_take(&vm->agent);

	vm->agent = incoming->agent;
	vm->agent.is_incoming = false;
	incoming->agent = (Agent){ 0 };
	agent_link(&vm->agent);
	agent_index(broker, &vm->agent);
	return former;
}

bool vm_hand_over(Broker *broker, VirtualMachine *vm)
{
	const Host *host = broker->host;
	Process *former_vmm = vm->vmm;
	Agent former_agent = { 0 };

	if (!vm->incoming || !host->process_is_alive(host->self, vm->incoming->process->key))
		return false;
	IncomingVmm *incoming = take_incoming(broker, vm);
	unsigned int parts = VM_PART_BIT(VM_PART_VMM) | incoming_parts(incoming) |
			     (incoming->names_agent ? VM_PART_BIT(VM_PART_AGENT) : 0);
	if (vm->told_guest.state != incoming->told_guest.state)
		parts |= VM_PART_BIT(VM_PART_GUEST_STATE);
	told_guest_set(broker, &vm->told_guest, incoming->told_guest.state,
		       incoming->told_guest.teller);
	LIST_REMOVE(vm, of_vmm);
	vm->vmm = TAKE_POINTER(incoming->process);
	LIST_INSERT_HEAD(&vm->vmm->virtual_machines, vm, of_vmm);
	parts |= display_servers_hand_over(broker, vm);
	if (incoming->names_agent)
		former_agent = hand_over_agent(broker, vm, incoming);
	vm_changed(broker, vm,
		   (Event){ .hand_over = HAND_OVER_COMPLETED,
			    .changed_parts = parts,
			    .changes_sharers = true,
			    .former_vmm = former_vmm,
			    .former_agent = agent_if_any(&former_agent) });
	incoming_vmm_discard(broker, incoming);
	agent_release(broker, &former_agent);
	process_release(broker, former_vmm);
	return true;
}

void vm_report_hand_over(Broker *broker, VirtualMachine *vm)
{
	vm_changed(broker, vm,
		   (Event){ .hand_over = HAND_OVER_COMPLETED,
			    .changed_parts =
				    VM_PART_BIT(VM_PART_VMM) | VM_PART_BIT(VM_PART_INCOMING_VMM) });
}

void incoming_vmm_check(Broker *broker, const VirtualMachine *vm)
{
	const IncomingVmm *incoming = vm->incoming;

	if (!incoming)
		return;
	assert(incoming->vm == vm && incoming->process != vm->vmm);
	assert(process_find(broker, incoming->process->key) == incoming->process);
	assert(!agent_exists(&incoming->agent) ||
	       (incoming->names_agent && incoming->agent.vm == vm && incoming->agent.is_incoming));
	assert(!incoming->agent.user || agent_find_by_user(broker, incoming->agent.uid));
	(void)broker;
}
