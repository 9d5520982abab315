/* SPDX-License-Identifier: MIT */
/* The model's state: arrays, linear search, limits, and what ends with an entity. */
#include "tests/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_guids[MODEL_GUID_MAX] = {
	"00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002",
	"ffffffff-ffff-ffff-ffff-ffffffffffff", "af0dcd1a-a0fd-59a0-998e-cad0c3834a2c",
	"80000000-0000-4000-8000-000000000000", "b1111111-2222-4333-8444-555555555555",
};

void *model_add(Model *model, void *items, size_t size)
{
	for (size_t i = 0; i < MODEL_ITEM_MAX; i++) {
		uint64_t *serial = (uint64_t *)((char *)items + i * size);

		if (*serial != 0)
			continue;
		memset(serial, 0, size);
		*serial = ++model->serial;
		return serial;
	}
	abort();
}

const FakeProcess *model_process(const Model *model, ProcessKey key)
{
	for (size_t i = 0; i < model->fake_host->process_count; i++)
		if (model->fake_host->processes[i].key == key)
			return &model->fake_host->processes[i];
	return NULL;
}

bool model_is_alive(const Model *model, ProcessKey key)
{
	const FakeProcess *process = model_process(model, key);

	return process && process->alive;
}

static bool is_in_use(Model *model, ProcessKey key)
{
	ModelMachine *machine;
	ModelRegistration *registration;
	ModelGpuProcess *gpu_process;

	MODEL_EACH(model, machine, machines)
	if (machine->vmm == key || (machine->has_agent && machine->agent == key) ||
	    machine->incoming == key ||
	    (machine->has_incoming_agent && machine->incoming_agent == key))
		return true;
	MODEL_EACH(model, registration, registrations)
	if (registration->process == key)
		return true;
	MODEL_EACH(model, gpu_process, gpu_processes)
	if (gpu_process->process == key)
		return true;
	return false;
}

ModelMachine *model_machine_of(Model *model, int guid)
{
	ModelMachine *machine;

	MODEL_EACH(model, machine, machines)
	if (machine->guid == guid)
		return machine;
	return NULL;
}

ModelMachine *model_machine(Model *model, uint64_t serial)
{
	ModelMachine *machine;

	MODEL_EACH(model, machine, machines)
	if (machine->serial == serial)
		return machine;
	return NULL;
}

ModelQuarantine *model_quarantine(Model *model, int guid)
{
	ModelQuarantine *quarantine;

	MODEL_EACH(model, quarantine, quarantines)
	if (quarantine->guid == guid)
		return quarantine;
	return NULL;
}

ModelRegistration *model_registration(Model *model, ProcessKey process, uint64_t machine)
{
	ModelRegistration *registration;

	MODEL_EACH(model, registration, registrations)
	if (registration->process == process && registration->machine == machine)
		return registration;
	return NULL;
}

bool model_has_context(Model *model, ProcessKey process)
{
	ModelGpuProcess *gpu_process;
	ModelContext *context;

	MODEL_EACH(model, gpu_process, gpu_processes)
	MODEL_EACH(model, context, contexts)
	if (gpu_process->process == process && context->gpu_process == gpu_process->serial)
		return true;
	return false;
}

void model_end_registration(ModelRegistration *registration)
{
	credentials_deinit(&registration->credentials);
	connection_credentials_deinit(&registration->connection);
	registration->serial = 0;
}

void model_end_registrations(Model *model, uint64_t machine)
{
	ModelRegistration *registration;

	MODEL_EACH(model, registration, registrations)
	if (registration->machine == machine)
		model_end_registration(registration);
}

void model_end_virtual_gpu(Model *model, ModelVirtualGpu *virtual_gpu)
{
	uint64_t machine = virtual_gpu->machine;
	ModelVirtualGpu *other;

	virtual_gpu->serial = 0;
	MODEL_EACH(model, other, virtual_gpus)
	if (other->machine == machine)
		return;
	model_end_registrations(model, machine);
}

void model_end_machine(Model *model, ModelMachine *machine)
{
	ModelVirtualGpu *virtual_gpu;

	MODEL_EACH(model, virtual_gpu, virtual_gpus)
	if (virtual_gpu->machine == machine->serial)
		virtual_gpu->serial = 0;
	model_end_registrations(model, machine->serial);
	for (size_t i = 0; i < machine->client_count; i++)
		credentials_deinit(&machine->clients[i].snapshot);
	machine->serial = 0;
}

static void end_gpu_process(Model *model, ModelGpuProcess *gpu_process)
{
	ModelContext *context;

	MODEL_EACH(model, context, contexts)
	if (context->gpu_process == gpu_process->serial)
		context->serial = 0;
	gpu_process->serial = 0;
}

void model_end_incoming(ModelMachine *machine)
{
	machine->incoming = machine->incoming_agent = PROCESS_KEY_NONE;
	machine->names_agent = machine->has_incoming_agent = false;
}

static void hand_over(ModelMachine *machine)
{
	machine->vmm = machine->incoming;
	machine->vmm_pid = machine->incoming_pid;
	if (machine->names_agent) {
		machine->has_agent = machine->has_incoming_agent;
		machine->agent = machine->incoming_agent;
	}
	model_end_incoming(machine);
}

void model_process_exits(Model *model, ProcessKey process)
{
	ModelMachine *machine;
	ModelRegistration *registration;
	ModelGpuProcess *gpu_process;

	MODEL_EACH(model, machine, machines)
	{
		if (machine->vmm == process && model_is_alive(model, machine->incoming))
			hand_over(machine);
		if (machine->vmm == process)
			model_end_machine(model, machine);
		if (machine->incoming == process)
			model_end_incoming(machine);
		if (machine->has_agent && machine->agent == process)
			machine->has_agent = false;
		if (machine->has_incoming_agent && machine->incoming_agent == process)
			machine->has_incoming_agent = false;
	}
	MODEL_EACH(model, registration, registrations)
	if (registration->process == process)
		model_end_registration(registration);
	MODEL_EACH(model, gpu_process, gpu_processes)
	if (gpu_process->process == process)
		end_gpu_process(model, gpu_process);
	model_sweep_entries(model);
}

void model_report_exits(Model *model)
{
	for (size_t i = 0; i < model->fake_host->process_count; i++)
		if (!model->fake_host->processes[i].alive)
			model_process_exits(model, model->fake_host->processes[i].key);
}

void model_clear(Model *model)
{
	ModelMachine *machine;

	MODEL_EACH(model, machine, machines)
	model_end_machine(model, machine);
}

void model_set_handles(Model *model, ModelMethod method, const char *handle, const char *process)
{
	ModelVirtualGpu *virtual_gpu;
	ModelContext *context;
	ModelGpuProcess *gpu_process;

	MODEL_EACH(model, virtual_gpu, virtual_gpus)
	if (method == MODEL_ASSIGN && virtual_gpu->serial == model->serial)
		snprintf(virtual_gpu->handle, MODEL_HANDLE_SIZE, "%s", handle);
	if (method != MODEL_CREATE_CONTEXT)
		return;
	MODEL_EACH(model, context, contexts)
	{
		if (context->serial != model->serial)
			continue;
		snprintf(context->handle, MODEL_HANDLE_SIZE, "%s", handle);
		MODEL_EACH(model, gpu_process, gpu_processes)
		if (gpu_process->serial == context->gpu_process)
			snprintf(gpu_process->handle, MODEL_HANDLE_SIZE, "%s", process);
	}
}

bool model_is_same_payer(const Payer *a, const Payer *b)
{
	return a->uid == b->uid && a->is_operator == b->is_operator;
}

static void count_charge(Payer payer, const Caller *caller, uint64_t *own, uint64_t *all)
{
	const Payer asked = payer_of(caller);

	*own += model_is_same_payer(&payer, &asked);
	*all += 1;
}

/* Returns the number of quarantines that operators pay for. */
static uint64_t of_operators(Model *model)
{
	ModelQuarantine *quarantine;
	uint64_t count = 0;

	MODEL_EACH(model, quarantine, quarantines)
	count += quarantine->payer.is_operator;
	return count;
}

/* A tenth of the quarantines is reserved for operators. */
bool model_check_limit(Model *model, const Caller *caller, LimitKind kind, ModelAnswer *answer)
{
	const Limits *limits = &model->fake_host->service.settings.limits;
	uint64_t reserve = kind == LIMIT_QUARANTINES ? (limits->host_wide[kind] + 9) / 10 : 0;
	uint64_t own = 0, all = 0;
	ModelMachine *machine;
	ModelVirtualGpu *virtual_gpu;
	ModelRegistration *registration;
	ModelGpuProcess *gpu_process;
	ModelContext *context;
	ModelQuarantine *quarantine;

	if (kind == LIMIT_VIRTUAL_MACHINES)
		MODEL_EACH(model, machine, machines)
	count_charge(machine->payer, caller, &own, &all);
	if (kind == LIMIT_VIRTUAL_GPUS)
		MODEL_EACH(model, virtual_gpu, virtual_gpus)
	count_charge(virtual_gpu->payer, caller, &own, &all);
	if (kind == LIMIT_REGISTRATIONS)
		MODEL_EACH(model, registration, registrations)
	count_charge(registration->payer, caller, &own, &all);
	if (kind == LIMIT_GPU_PROCESSES)
		MODEL_EACH(model, gpu_process, gpu_processes)
	count_charge(gpu_process->payer, caller, &own, &all);
	if (kind == LIMIT_CONTEXTS)
		MODEL_EACH(model, context, contexts)
	count_charge(context->payer, caller, &own, &all);
	if (kind == LIMIT_QUARANTINES)
		MODEL_EACH(model, quarantine, quarantines)
	count_charge(quarantine->payer, caller, &own, &all);
	if (own < limits->per_uid[kind] && all < limits->host_wide[kind] - reserve)
		return true;
	if (own < limits->per_uid[kind] && caller->is_operator &&
	    (all < limits->host_wide[kind] || of_operators(model) < reserve))
		return true;
	answer->status = STATUS_QUOTA_EXCEEDED;
	answer->limit = limit_name(kind, own >= limits->per_uid[kind]);
	answer->used = own;
	return false;
}

void model_sweep_entries(Model *model)
{
	for (ModelEntry *entry = model->entries; entry < model->entries + MODEL_ITEM_MAX; entry++)
		if (entry->process != PROCESS_KEY_NONE && !is_in_use(model, entry->process))
			*entry = (ModelEntry){ 0 };
}

static ModelEntry *find_entry(Model *model, ProcessKey process)
{
	ModelEntry *entry = model->entries;

	while (entry->process != process)
		fake_host_must(++entry < model->entries + MODEL_ITEM_MAX);
	return entry;
}

static bool has_entry(const Model *model, ProcessKey process)
{
	for (size_t i = 0; i < MODEL_ITEM_MAX; i++)
		if (model->entries[i].process == process)
			return true;
	return false;
}

/* A tenth of the host-wide limit is reserved for operators, who always keep it. */
static bool may_have_entry(const Model *model, const Caller *caller, ModelAnswer *answer)
{
	const Limits *limits = &model->fake_host->service.settings.limits;
	uint64_t own = 0, all = 0, of_operators = 0;
	uint64_t maximum = limits->host_wide[LIMIT_STORE_ENTRIES];
	uint64_t per_uid = limits->per_uid[LIMIT_STORE_ENTRIES];

	uint64_t minimum = maximum / 10 < 16 ? maximum / 10 : 16;

	if (caller->is_operator && per_uid < minimum)
		per_uid = minimum;
	for (size_t i = 0; i < MODEL_ITEM_MAX; i++) {
		if (model->entries[i].process == PROCESS_KEY_NONE)
			continue;
		of_operators += model->entries[i].payer.is_operator;
		count_charge(model->entries[i].payer, caller, &own, &all);
	}
	if (own >= per_uid) {
		answer->status = STATUS_QUOTA_EXCEEDED;
		answer->limit = limit_name(LIMIT_STORE_ENTRIES, true);
		answer->used = own;
		return false;
	}
	if (all < maximum - (caller->is_operator ? 0 : maximum / 10) ||
	    (caller->is_operator && of_operators < maximum / 10))
		return true;
	answer->status = STATUS_INSUFFICIENT_RESOURCES;
	return false;
}

bool model_watch_process(Model *model, const Caller *caller, ProcessKey process,
			 ModelAnswer *answer)
{
	if (process == PROCESS_KEY_NONE || has_entry(model, process))
		return true;
	if (!may_have_entry(model, caller, answer))
		return false;
	if (model->fake_host->refuse_watch) {
		answer->status = STATUS_INSUFFICIENT_RESOURCES;
		return false;
	}
	*find_entry(model, PROCESS_KEY_NONE) =
		(ModelEntry){ .process = process, .payer = payer_of(caller) };
	return true;
}
