/* SPDX-License-Identifier: MIT */
/* Lookups in the model, and the end of its entities. */
#include "tests/model/gpu-model.h"

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

const GpuModelHost *gpu_model_host(const GpuModel *model, ProcessKey key)
{
	for (size_t i = 0; i < model->host_count; i++)
		if (model->hosts[i].key == key)
			return &model->hosts[i];
	return NULL;
}

const GpuModelHost *gpu_model_live_pid(const GpuModel *model, uint64_t pid)
{
	for (size_t i = 0; i < model->host_count; i++)
		if ((uint64_t)model->hosts[i].pid == pid && model->hosts[i].alive)
			return &model->hosts[i];
	return NULL;
}

bool gpu_model_is_operator(const GpuModel *model, const GpuModelConnection *connection)
{
	return connection->uid == 0 ||
	       (connection->uid == GPU_MODEL_OPERATOR_UID && model->group_in_force);
}

GpuModelPayer gpu_model_payer(const GpuModel *model, const GpuModelConnection *connection)
{
	return connection->uid |
	       (gpu_model_is_operator(model, connection) ? GPU_MODEL_OF_OPERATORS : 0);
}

GpuModelAdapter *gpu_model_adapter(GpuModel *model, const char *handle)
{
	return FIND_HANDLE(model->adapters, model->adapter_count, handle);
}

GpuModelGpuProcess *gpu_model_process(GpuModel *model, const char *handle)
{
	return FIND_HANDLE(model->processes, model->process_count, handle);
}

GpuModelContext *gpu_model_context(GpuModel *model, const char *handle)
{
	return FIND_HANDLE(model->contexts, model->context_count, handle);
}

GpuModelVirtualGpu *gpu_model_virtual_gpu(GpuModel *model, const char *handle)
{
	return FIND_HANDLE(model->virtual_gpus, model->virtual_gpu_count, handle);
}

uint64_t gpu_model_contexts_of(const GpuModel *model, const GpuModelGpuProcess *process)
{
	uint64_t count = 0;

	for (size_t i = 0; i < model->context_count; i++)
		count += strcmp(model->contexts[i].process, process->handle) == 0;
	return count;
}

uint64_t gpu_model_virtual_gpus_of(const GpuModel *model, const GpuModelAdapter *model_adapter)
{
	uint64_t count = 0;

	for (size_t i = 0; i < model->virtual_gpu_count; i++)
		count += strcmp(model->virtual_gpus[i].adapter, model_adapter->handle) == 0;
	return count;
}

bool gpu_model_is_visible(GpuModel *model, const GpuModelConnection *connection,
			  const GpuModelGpuProcess *process)
{
	return gpu_model_is_operator(model, connection) || process->key == connection->key ||
	       gpu_model_adapter(model, process->adapter)->connection == connection->caller;
}

/* --- ends ------------------------------------------------------------------------------------ */

void gpu_model_expect(GpuModel *model, GpuModelEvent event)
{
	event.group = model->group;
	fake_host_must(model->event_count < GPU_MODEL_EVENTS);
	model->events[model->event_count++] = event;
}

/*
 * Everything that ends before group_end() ends together with one entity, whose event is the last.
 */
static void group_begin(GpuModel *model)
{
	model->group = ++model->last_group;
}

static void group_end(GpuModel *model, GpuModelEvent event)
{
	event.closes = model->group;
	model->group = 0;
	gpu_model_expect(model, event);
}

static void remember_dead(GpuModel *model, const char *handle)
{
	strcpy(model->dead[model->dead_count++ % GPU_MODEL_DEAD], handle);
}

static void end_registration(GpuModel *model, size_t at, EndReason reason)
{
	const GpuModelRegistration *registration = &model->registrations[at];

	gpu_model_expect(model, (GpuModelEvent){
					.kind = EVENT_UNREGISTERED,
					.reason = reason,
					.machine = registration->machine,
					.pid = registration->pid,
					.uid = registration->uid,
				});
	TAKE_OUT(model->registrations, model->registration_count, at);
}

static void end_registrations(GpuModel *model, int machine, EndReason reason)
{
	for (size_t i = model->registration_count; i-- > 0;)
		if (model->registrations[i].machine == machine)
			end_registration(model, i, reason);
}

static bool machine_has_virtual_gpu(const GpuModel *model, int machine)
{
	for (size_t i = 0; i < model->virtual_gpu_count; i++)
		if (model->virtual_gpus[i].machine == machine)
			return true;
	return false;
}

/* The end of a VM's last vGPU also ends its registrations. */
void gpu_model_end_virtual_gpu(GpuModel *model, GpuModelVirtualGpu *virtual_gpu, EndReason reason)
{
	size_t at = (size_t)(virtual_gpu - model->virtual_gpus);
	int machine = virtual_gpu->machine;
	GpuModelEvent event = {
		.kind = EVENT_VIRTUAL_GPU_REMOVED,
		.reason = reason,
		.machine = machine,
	};

	strcpy(event.handle, virtual_gpu->handle);
	remember_dead(model, event.handle);
	TAKE_OUT(model->virtual_gpus, model->virtual_gpu_count, at);
	gpu_model_expect(model, event);
	if (!machine_has_virtual_gpu(model, machine))
		end_registrations(model, machine, END_LAST_VIRTUAL_GPU_REMOVED);
}

void gpu_model_end_context(GpuModel *model, GpuModelContext *context)
{
	size_t at = (size_t)(context - model->contexts);

	remember_dead(model, context->handle);
	TAKE_OUT(model->contexts, model->context_count, at);
}

void gpu_model_end_process(GpuModel *model, GpuModelGpuProcess *process, EndReason reason)
{
	size_t at = (size_t)(process - model->processes);
	GpuModelEvent event = {
		.kind = EVENT_GPU_PROCESS_REMOVED,
		.reason = reason,
		.machine = process->machine,
		.pid = process->pid,
		.uid = process->uid,
	};

	model->ended_creating += !process->is_running;
	model->ended_with_contexts += gpu_model_contexts_of(model, process) > 0;
	for (size_t i = model->context_count; i-- > 0;)
		if (strcmp(model->contexts[i].process, process->handle) == 0)
			gpu_model_end_context(model, &model->contexts[i]);
	strcpy(event.handle, process->handle);
	remember_dead(model, event.handle);
	gpu_model_expect(model, event);
	TAKE_OUT(model->processes, model->process_count, at);
}

void gpu_model_end_adapter(GpuModel *model, GpuModelAdapter *model_adapter, EndReason reason)
{
	EndReason of_parts = reason == END_DAEMON_STOPPED ? reason : END_ADAPTER_REMOVED;
	size_t at = (size_t)(model_adapter - model->adapters);
	GpuModelEvent event = {
		.kind = EVENT_ADAPTER_REMOVED,
		.reason = reason,
		.machine = GPU_MODEL_NO_MACHINE,
	};

	strcpy(event.handle, model_adapter->handle);
	group_begin(model);
	for (size_t i = model->virtual_gpu_count; i-- > 0;)
		if (strcmp(model->virtual_gpus[i].adapter, event.handle) == 0)
			gpu_model_end_virtual_gpu(model, &model->virtual_gpus[i], of_parts);
	for (size_t i = model->process_count; i-- > 0;)
		if (strcmp(model->processes[i].adapter, event.handle) == 0)
			gpu_model_end_process(model, &model->processes[i], of_parts);
	group_end(model, event);
	remember_dead(model, event.handle);
	TAKE_OUT(model->adapters, model->adapter_count, at);
}

void gpu_model_end_machine(GpuModel *model, int machine, EndReason reason)
{
	GpuModelMachine *vm = &model->machines[machine];

	group_begin(model);
	end_registrations(model, machine, reason);
	for (size_t i = model->process_count; i-- > 0;)
		if (model->processes[i].machine == machine)
			gpu_model_end_process(model, &model->processes[i], reason);
	for (size_t i = model->virtual_gpu_count; i-- > 0;)
		if (model->virtual_gpus[i].machine == machine)
			gpu_model_end_virtual_gpu(model, &model->virtual_gpus[i], reason);
	group_end(model, (GpuModelEvent){
				 .kind = EVENT_VIRTUAL_MACHINE_REMOVED,
				 .reason = reason,
				 .machine = machine,
				 .pid = vm->pid,
				 .uid = vm->uid,
			 });
	*vm = (GpuModelMachine){ 0 };
}

void gpu_model_expect_change(GpuModel *model, int machine)
{
	gpu_model_expect(model, (GpuModelEvent){
					.kind = EVENT_VIRTUAL_MACHINE_CHANGED,
					.machine = machine,
					.pid = model->machines[machine].pid,
					.uid = model->machines[machine].uid,
				});
}

/* Hands the VM over, ends it, or removes its incoming VMM. */
static void machine_loses_process(GpuModel *model, int number, ProcessKey key)
{
	GpuModelMachine *machine = &model->machines[number];
	bool is_vmm = machine->vmm == key, is_incoming = machine->incoming == key;

	if (is_vmm && (machine->incoming == PROCESS_KEY_NONE ||
		       !gpu_model_host(model, machine->incoming)->alive)) {
		gpu_model_end_machine(model, number, END_VMM_EXITED);
		return;
	}
	if (!is_vmm && !is_incoming)
		return;
	if (is_vmm) {
		machine->vmm = machine->incoming;
		machine->pid = machine->incoming_pid;
		machine->uid = machine->incoming_uid;
	}
	machine->incoming = PROCESS_KEY_NONE;
	gpu_model_expect_change(model, number);
}

void gpu_model_process_exited(GpuModel *model, ProcessKey key)
{
	for (int machine = 0; machine < GPU_MODEL_MACHINES; machine++)
		if (model->machines[machine].runs)
			machine_loses_process(model, machine, key);
	for (size_t i = model->registration_count; i-- > 0;)
		if (model->registrations[i].key == key)
			end_registration(model, i, END_PROCESS_EXITED);
	for (size_t i = model->process_count; i-- > 0;)
		if (model->processes[i].key == key)
			gpu_model_end_process(model, &model->processes[i], END_PROCESS_EXITED);
}

void gpu_model_connection_closed(GpuModel *model, const Caller *caller)
{
	for (size_t i = model->adapter_count; i-- > 0;)
		if (model->adapters[i].connection == caller)
			gpu_model_end_adapter(model, &model->adapters[i], END_DRIVER_GONE);
	for (size_t i = model->connection_count; i-- > 0;)
		if (model->connections[i].caller == caller)
			TAKE_OUT(model->connections, model->connection_count, i);
}

void gpu_model_stop(GpuModel *model)
{
	for (int machine = 0; machine < GPU_MODEL_MACHINES; machine++)
		if (model->machines[machine].runs)
			gpu_model_end_machine(model, machine, END_DAEMON_STOPPED);
	while (model->adapter_count > 0)
		gpu_model_end_adapter(model, &model->adapters[0], END_DAEMON_STOPPED);
}
