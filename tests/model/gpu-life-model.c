/* SPDX-License-Identifier: MIT */
/* Lookups in the model, and the end of its entities. */
#include "tests/model/gpu-life-model.h"

#include <stdio.h>
#include <string.h>

/* Removes an item from an array, keeping the order. */
#define TAKE_OUT(array, count, at) \
	memmove(&(array)[at], &(array)[(at) + 1], (--(count) - (at)) * sizeof((array)[0]))

/* Returns the array's item with the handle, or NULL. */
#define FIND_HANDLE(array, count, text)                                                 \
	({                                                                              \
		__typeof__(&(array)[0]) _found = NULL;                                  \
		for (size_t _i = 0; _i < (count) && !_found; _i++)                      \
			if ((text)[0] != '\0' && strcmp((array)[_i].handle, text) == 0) \
				_found = &(array)[_i];                                  \
		_found;                                                                 \
	})

/* --- lookups --------------------------------------------------------------------------------- */

const LifeHost *life_host(const Life *life, ProcessKey key)
{
	for (size_t i = 0; i < life->host_count; i++)
		if (life->hosts[i].key == key)
			return &life->hosts[i];
	return NULL;
}

const LifeHost *life_live_pid(const Life *life, uint64_t pid)
{
	for (size_t i = 0; i < life->host_count; i++)
		if ((uint64_t)life->hosts[i].pid == pid && life->hosts[i].alive)
			return &life->hosts[i];
	return NULL;
}

bool life_is_operator(const Life *life, const LifeConnection *connection)
{
	return connection->uid == 0 ||
	       (connection->uid == LIFE_OPERATOR_UID && life->group_in_force);
}

LifeAdapter *life_adapter(Life *life, const char *handle)
{
	return FIND_HANDLE(life->adapters, life->adapter_count, handle);
}

LifeGpuProcess *life_process(Life *life, const char *handle)
{
	return FIND_HANDLE(life->processes, life->process_count, handle);
}

LifeContext *life_context(Life *life, const char *handle)
{
	return FIND_HANDLE(life->contexts, life->context_count, handle);
}

LifeVirtualGpu *life_virtual_gpu(Life *life, const char *handle)
{
	return FIND_HANDLE(life->virtual_gpus, life->virtual_gpu_count, handle);
}

uint64_t life_contexts_of(const Life *life, const LifeGpuProcess *process)
{
	uint64_t count = 0;

	for (size_t i = 0; i < life->context_count; i++)
		count += strcmp(life->contexts[i].process, process->handle) == 0;
	return count;
}

uint64_t life_virtual_gpus_of(const Life *life, const LifeAdapter *adapter)
{
	uint64_t count = 0;

	for (size_t i = 0; i < life->virtual_gpu_count; i++)
		count += strcmp(life->virtual_gpus[i].adapter, adapter->handle) == 0;
	return count;
}

bool life_is_visible(Life *life, const LifeConnection *connection, const LifeGpuProcess *process)
{
	return life_is_operator(life, connection) || process->key == connection->key ||
	       life_adapter(life, process->adapter)->connection == connection->caller;
}

/* --- ends ------------------------------------------------------------------------------------ */

void life_expect(Life *life, LifeEvent event)
{
	event.group = life->group;
	fake_host_must(life->event_count < LIFE_EVENTS);
	life->events[life->event_count++] = event;
}

/*
 * Everything that ends before group_end() ends together with one entity, whose event is the last.
 */
static void group_begin(Life *life)
{
	life->group = ++life->last_group;
}

static void group_end(Life *life, LifeEvent event)
{
	event.closes = life->group;
	life->group = 0;
	life_expect(life, event);
}

static void remember_dead(Life *life, const char *handle)
{
	strcpy(life->dead[life->dead_count++ % LIFE_DEAD], handle);
}

static void end_registration(Life *life, size_t at, EndReason reason)
{
	const LifeRegistration *registration = &life->registrations[at];

	life_expect(life, (LifeEvent){
				  .kind = EVENT_UNREGISTERED,
				  .reason = reason,
				  .machine = registration->machine,
				  .pid = registration->pid,
				  .uid = registration->uid,
			  });
	TAKE_OUT(life->registrations, life->registration_count, at);
}

static void end_registrations(Life *life, int machine, EndReason reason)
{
	for (size_t i = life->registration_count; i-- > 0;)
		if (life->registrations[i].machine == machine)
			end_registration(life, i, reason);
}

static bool machine_has_virtual_gpu(const Life *life, int machine)
{
	for (size_t i = 0; i < life->virtual_gpu_count; i++)
		if (life->virtual_gpus[i].machine == machine)
			return true;
	return false;
}

/* The end of a VM's last vGPU also ends its registrations. */
void life_end_virtual_gpu(Life *life, LifeVirtualGpu *virtual_gpu, EndReason reason)
{
	size_t at = (size_t)(virtual_gpu - life->virtual_gpus);
	int machine = virtual_gpu->machine;
	LifeEvent event = {
		.kind = EVENT_VIRTUAL_GPU_REMOVED,
		.reason = reason,
		.machine = machine,
	};

	strcpy(event.handle, virtual_gpu->handle);
	remember_dead(life, event.handle);
	TAKE_OUT(life->virtual_gpus, life->virtual_gpu_count, at);
	life_expect(life, event);
	if (!machine_has_virtual_gpu(life, machine))
		end_registrations(life, machine, END_LAST_VIRTUAL_GPU_REMOVED);
}

void life_end_context(Life *life, LifeContext *context)
{
	size_t at = (size_t)(context - life->contexts);

	remember_dead(life, context->handle);
	TAKE_OUT(life->contexts, life->context_count, at);
}

void life_end_process(Life *life, LifeGpuProcess *process, EndReason reason)
{
	size_t at = (size_t)(process - life->processes);
	LifeEvent event = {
		.kind = EVENT_GPU_PROCESS_REMOVED,
		.reason = reason,
		.machine = process->machine,
		.pid = process->pid,
		.uid = process->uid,
	};

	life->ended_creating += !process->is_running;
	life->ended_with_contexts += life_contexts_of(life, process) > 0;
	for (size_t i = life->context_count; i-- > 0;)
		if (strcmp(life->contexts[i].process, process->handle) == 0)
			life_end_context(life, &life->contexts[i]);
	strcpy(event.handle, process->handle);
	remember_dead(life, event.handle);
	life_expect(life, event);
	TAKE_OUT(life->processes, life->process_count, at);
}

void life_end_adapter(Life *life, LifeAdapter *adapter, EndReason reason)
{
	EndReason of_parts = reason == END_DAEMON_STOPPED ? reason : END_ADAPTER_REMOVED;
	size_t at = (size_t)(adapter - life->adapters);
	LifeEvent event = {
		.kind = EVENT_ADAPTER_REMOVED,
		.reason = reason,
		.machine = LIFE_NO_MACHINE,
	};

	strcpy(event.handle, adapter->handle);
	group_begin(life);
	for (size_t i = life->virtual_gpu_count; i-- > 0;)
		if (strcmp(life->virtual_gpus[i].adapter, event.handle) == 0)
			life_end_virtual_gpu(life, &life->virtual_gpus[i], of_parts);
	for (size_t i = life->process_count; i-- > 0;)
		if (strcmp(life->processes[i].adapter, event.handle) == 0)
			life_end_process(life, &life->processes[i], of_parts);
	group_end(life, event);
	remember_dead(life, event.handle);
	TAKE_OUT(life->adapters, life->adapter_count, at);
}

void life_end_machine(Life *life, int machine, EndReason reason)
{
	LifeMachine *vm = &life->machines[machine];

	group_begin(life);
	end_registrations(life, machine, reason);
	for (size_t i = life->process_count; i-- > 0;)
		if (life->processes[i].machine == machine)
			life_end_process(life, &life->processes[i], reason);
	for (size_t i = life->virtual_gpu_count; i-- > 0;)
		if (life->virtual_gpus[i].machine == machine)
			life_end_virtual_gpu(life, &life->virtual_gpus[i], reason);
	group_end(life, (LifeEvent){
				.kind = EVENT_VIRTUAL_MACHINE_REMOVED,
				.reason = reason,
				.machine = machine,
				.pid = vm->pid,
				.uid = vm->uid,
			});
	*vm = (LifeMachine){ 0 };
}

void life_process_exited(Life *life, ProcessKey key)
{
	for (int machine = 0; machine < LIFE_MACHINES; machine++)
		if (life->machines[machine].runs && life->machines[machine].vmm == key)
			life_end_machine(life, machine, END_VMM_EXITED);
	for (size_t i = life->registration_count; i-- > 0;)
		if (life->registrations[i].key == key)
			end_registration(life, i, END_PROCESS_EXITED);
	for (size_t i = life->process_count; i-- > 0;)
		if (life->processes[i].key == key)
			life_end_process(life, &life->processes[i], END_PROCESS_EXITED);
}

void life_connection_closed(Life *life, const Caller *caller)
{
	for (size_t i = life->adapter_count; i-- > 0;)
		if (life->adapters[i].connection == caller)
			life_end_adapter(life, &life->adapters[i], END_DRIVER_GONE);
	for (size_t i = life->connection_count; i-- > 0;)
		if (life->connections[i].caller == caller)
			TAKE_OUT(life->connections, life->connection_count, i);
}

void life_stop(Life *life)
{
	for (int machine = 0; machine < LIFE_MACHINES; machine++)
		if (life->machines[machine].runs)
			life_end_machine(life, machine, END_DAEMON_STOPPED);
	while (life->adapter_count > 0)
		life_end_adapter(life, &life->adapters[0], END_DAEMON_STOPPED);
}
