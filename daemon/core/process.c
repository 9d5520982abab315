/* SPDX-License-Identifier: MIT */
#include "daemon/core/process.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/core/broker.h"

static int process_compare(const Process *a, const Process *b)
{
	return compare_numbers(a->key, b->key);
}

TREE_GENERATE(ProcessTree, Process, by_key, process_compare)

Process *process_find(Broker *broker, ProcessKey key)
{
	return RB_FIND(ProcessTree, &broker->processes, &(Process){ .key = key });
}

Process *process_first(Broker *broker)
{
	return RB_MIN(ProcessTree, &broker->processes);
}

Process *process_next(Process *process)
{
	return RB_NEXT(ProcessTree, NULL, process);
}

pid_t process_pid_in(const Process *process, PidNamespace namespace)
{
	return inner_pids_translate(process->inner_pids, process->pid, namespace);
}

ProcessOrigin process_origin_of(const Caller *caller)
{
	return (ProcessOrigin){
		.key = caller->process,
		.pid = caller->pid,
		.uid = caller->credentials.uid,
		.payer = payer_of(caller),
	};
}

/* Charges the fdstore entry of the process and starts watching it. */
static NTSTATUS process_acquire(Broker *broker, const ProcessOrigin *origin, Process *process,
				Failure *failure)
{
	NTSTATUS status = charge_take(&process->entry, &broker->accounts, &origin->payer,
				      LIMIT_STORE_ENTRIES, failure);

	if (status != STATUS_SUCCESS ||
	    broker->host->watch_process(broker->host->self, origin->key))
		return status;
	charge_return(&process->entry, &broker->accounts);
	return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "watch",
			   "the daemon cannot watch another process now; try again later");
}

static NTSTATUS process_new(Broker *broker, const ProcessOrigin *origin, Process **ret_process,
			    Failure *failure)
{
	Process *process = calloc(1, sizeof(*process));

	if (!process)
		return failure_no_memory(failure);
	NTSTATUS status = process_acquire(broker, origin, process, failure);
	if (status != STATUS_SUCCESS) {
		free(process);
		return status;
	}
	process->key = origin->key;
	process->pid = origin->pid;
	process->uid = origin->uid;
	process->inner_pids =
		inner_pids_ref(broker->host->find_inner_pids(broker->host->self, origin->key));
	LIST_INIT(&process->registrations);
	LIST_INIT(&process->gpu_processes);
	LIST_INIT(&process->objects);
	LIST_INIT(&process->holds);
	LIST_INIT(&process->virtual_machines);
	LIST_INIT(&process->incoming_for);
	LIST_INIT(&process->agent_of);
	LIST_INIT(&process->display_servers);
	RB_INSERT(ProcessTree, &broker->processes, process);
	*ret_process = process;
	return STATUS_SUCCESS;
}

NTSTATUS process_attach(Broker *broker, const ProcessOrigin *origin, Process **ret_process,
			Failure *failure)
{
	Process *process = process_find(broker, origin->key);

	if (!process) {
		NTSTATUS status = process_new(broker, origin, &process, failure);
		if (status != STATUS_SUCCESS)
			return status;
	}
	assert(process);
	if (process->uid == UID_UNKNOWN)
		process->uid = origin->uid;
	process->attached++;
	*ret_process = process;
	return STATUS_SUCCESS;
}

NTSTATUS process_recharge(Broker *broker, Process *process, const ProcessOrigin *origin,
			  Failure *failure)
{
	Charge entry = { .account = NULL };
	NTSTATUS status = charge_restore(&entry, &broker->accounts, &origin->payer,
					 LIMIT_STORE_ENTRIES, failure);

	if (status != STATUS_SUCCESS)
		return status;
	charge_return(&process->entry, &broker->accounts);
	process->entry = entry;
	process->uid = origin->uid;
	return STATUS_SUCCESS;
}

void process_release(Broker *broker, Process *process)
{
	if (!process)
		return;
	assert(process->attached > 0);
	if (--process->attached > 0)
		return;

	assert(LIST_EMPTY(&process->registrations) && LIST_EMPTY(&process->gpu_processes));
	assert(LIST_EMPTY(&process->objects) && LIST_EMPTY(&process->holds));
	assert(LIST_EMPTY(&process->virtual_machines) && LIST_EMPTY(&process->agent_of));
	assert(LIST_EMPTY(&process->incoming_for) && LIST_EMPTY(&process->display_servers));
	RB_REMOVE(ProcessTree, &broker->processes, process);
	broker->host->unwatch_process(broker->host->self, process->key);
	charge_return(&process->entry, &broker->accounts);
	inner_pids_unref(process->inner_pids);
	free(process);
}

/* Hands the VM over or lets it end before the rest of its process. */
static void vmm_exited(Broker *broker, VirtualMachine *vm)
{
	if (!vm_is_ending(vm) && vm_hand_over(broker, vm))
		return;
	vm_end(broker, vm, END_VMM_EXITED);
	ending_hasten(broker, &vm->ending);
}

/* Removes an incoming VMM or an agent that has exited, or lets its VM end first. */
static void leave_vm(Broker *broker, VirtualMachine *vm, IncomingVmm *incoming, Agent *agent)
{
	if (vm_is_ending(vm))
		ending_hasten(broker, &vm->ending);
	else if (incoming)
		incoming_vmm_exited(broker, incoming);
	else
		vm_agent_exited(broker, agent);
}

static bool process_end_step(Broker *broker, Ending *ending)
{
	Process *process = container_of(ending, Process, ending);
	VirtualMachine *vm;
	IncomingVmm *incoming;
	Agent *agent;
	Registration *registration;
	GpuProcess *gpu_process;
	SharedObject *object;
	ObjectHolder *holder;
	DisplayServer *server;

	if ((vm = LIST_FIRST(&process->virtual_machines)))
		vmm_exited(broker, vm);
	else if ((incoming = LIST_FIRST(&process->incoming_for)))
		leave_vm(broker, incoming->vm, incoming, NULL);
	else if ((agent = LIST_FIRST(&process->agent_of)))
		leave_vm(broker, agent->vm, NULL, agent);
	else if ((server = LIST_FIRST(&process->display_servers)))
		display_server_end(broker, server, END_AGENT_GONE);
	else if ((object = LIST_FIRST(&process->objects)))
		object_end(broker, object, END_SHARER_EXITED);
	else if ((holder = LIST_FIRST(&process->holds)))
		holder_end(broker, holder, END_PROCESS_EXITED);
	else if ((registration = LIST_FIRST(&process->registrations)))
		registration_end(broker, registration, END_PROCESS_EXITED);
	else if ((gpu_process = LIST_FIRST(&process->gpu_processes)))
		gpu_process_end(broker, gpu_process, END_PROCESS_EXITED);
	else {
		ending_leave(broker, ending);
		process_release(broker, process);
		return false;
	}
	return true;
}

/* Cuts the channels of a VM whose VMM has exited, unless its incoming VMM takes its place. */
static void cut_channels_of_vm(Broker *broker, VirtualMachine *vm)
{
	const Host *host = broker->host;
	const IncomingVmm *incoming = vm->incoming;

	if (!incoming || !host->process_is_alive(host->self, incoming->process->key))
		display_servers_end(broker, vm, END_VMM_EXITED);
}

/*
 * Cuts the display channels that depend on the process, because another process may have an end of
 * them, and could go on to send input.
 */
static void cut_channels(Broker *broker, Process *process)
{
	VirtualMachine *vm;
	DisplayServer *server;
	Registration *registration;

	LIST_FOREACH (vm, &process->virtual_machines, of_vmm)
		cut_channels_of_vm(broker, vm);
	while ((server = LIST_FIRST(&process->display_servers)))
		display_server_end(broker, server, END_AGENT_GONE);
	LIST_FOREACH (registration, &process->registrations, of_process)
		display_channels_cut(broker, registration, END_PROCESS_EXITED);
}

void process_exited(Broker *broker, ProcessKey key)
{
	Process *process = process_find(broker, key);

	if (!process || ending_has_begun(&process->ending))
		return;
	process->attached++; /* keeps the process allocated until its last step */
	ending_begin(broker, &process->ending, process_end_step);
	cut_channels(broker, process);
}

bool process_may_share(Broker *broker, ProcessKey key)
{
	const Process *process = process_find(broker, key);
	const VirtualMachine *vm;
	const IncomingVmm *incoming;
	const Agent *agent;

	if (!process)
		return false;
	/* Mostly the first one is listed. */
	LIST_FOREACH (vm, &process->virtual_machines, of_vmm)
		if (vm_is_listed(broker, vm))
			return true;
	LIST_FOREACH (incoming, &process->incoming_for, of_process)
		if (vm_is_listed(broker, incoming->vm))
			return true;
	LIST_FOREACH (agent, &process->agent_of, of_process)
		if (vm_is_listed(broker, agent->vm))
			return true;
	return false;
}

void process_check(Broker *broker, const Process *process)
{
	const Registration *registration;
	const GpuProcess *gpu_process;
	const SharedObject *object;
	const ObjectHolder *holder;
	const VirtualMachine *vm;
	const IncomingVmm *incoming;
	const Agent *agent;
	const DisplayServer *server;
	unsigned int attached = ending_has_begun(&process->ending);

	LIST_FOREACH (registration, &process->registrations, of_process)
		attached += registration->process == process;
	LIST_FOREACH (gpu_process, &process->gpu_processes, of_process)
		attached += gpu_process->process == process;
	LIST_FOREACH (object, &process->objects, of_sharer)
		attached += object->sharer == process;
	LIST_FOREACH (holder, &process->holds, of_process)
		attached += holder->process == process;
	LIST_FOREACH (vm, &process->virtual_machines, of_vmm)
		attached += vm->vmm == process;
	LIST_FOREACH (incoming, &process->incoming_for, of_process)
		attached += incoming->process == process;
	LIST_FOREACH (agent, &process->agent_of, of_process)
		attached += agent->process == process;
	LIST_FOREACH (server, &process->display_servers, of_process)
		attached += server->process == process;
	assert(attached == process->attached && attached > 0);
	assert(process->entry.account && process->entry.kind == LIMIT_STORE_ENTRIES);
	assert(process->key != PROCESS_KEY_NONE && process_find(broker, process->key) == process);
	(void)broker;
}
