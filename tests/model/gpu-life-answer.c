/* SPDX-License-Identifier: MIT */
/*
 * The expected status of each request, and its effects on the model. The checks are in the
 * documented order: caller, other subjects, state, values, limits, collisions.
 */
#include <stdio.h>
#include <string.h>

#include "tests/model/gpu-life-model.h"

NTSTATUS life_check_caller(const Life *life, const LifeRequest *request, bool is_allowed)
{
	const LifeHost *host = life_host(life, request->from->key);

	if (!host || !host->alive)
		return STATUS_PROCESS_IS_TERMINATING;
	return is_allowed ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

static uint64_t used(const Life *life, LimitKind kind, uid_t uid)
{
	uint64_t count = 0;

	for (size_t i = 0; i < life->adapter_count; i++)
		count += kind == LIMIT_ADAPTERS && life->adapters[i].payer == uid;
	for (size_t i = 0; i < life->context_count; i++)
		count += kind == LIMIT_CONTEXTS && life->contexts[i].payer == uid;
	for (size_t i = 0; i < life->virtual_gpu_count; i++)
		count += kind == LIMIT_VIRTUAL_GPUS && life->virtual_gpus[i].payer == uid;
	for (size_t i = 0; i < LIFE_MACHINES; i++)
		count += kind == LIMIT_VIRTUAL_MACHINES && life->machines[i].runs &&
			 life->machines[i].registered_by == uid;
	for (size_t i = 0; i < life->process_count; i++) {
		const LifeGpuProcess *process = &life->processes[i];

		if (kind == LIMIT_GPU_PROCESSES)
			count += process->payer == uid;
		if (kind == LIMIT_DRIVER_RESERVATIONS && process->payer == uid)
			count += process->reservations;
		if (kind == LIMIT_USER_RANGES && process->key != PROCESS_KEY_NONE &&
		    process->uid == uid)
			count += process->user_ranges;
	}
	return count;
}

NTSTATUS life_check_limit(const Life *life, LimitKind kind, uid_t uid)
{
	return used(life, kind, uid) < life->limits[kind] ? STATUS_SUCCESS : STATUS_QUOTA_EXCEEDED;
}

static bool is_driver(const LifeRequest *request, const LifeAdapter *adapter)
{
	return adapter->connection == request->from->caller;
}

static const LifeGpuProcess *system_process(Life *life, const LifeAdapter *adapter)
{
	return life_process(life, adapter->system_process);
}

/* Returns the host process's GPU process on the adapter, or NULL. */
static LifeGpuProcess *process_of(Life *life, ProcessKey key, const LifeAdapter *adapter)
{
	for (size_t i = 0; i < life->process_count; i++)
		if (life->processes[i].key == key &&
		    strcmp(life->processes[i].adapter, adapter->handle) == 0)
			return &life->processes[i];
	return NULL;
}

/* --- adapters -------------------------------------------------------------------------------- */

static bool name_is_taken(const Life *life, const char *name)
{
	for (size_t i = 0; i < life->adapter_count; i++)
		if (strcmp(life->adapters[i].name, name) == 0)
			return true;
	return false;
}

static LifeGpuProcess *add_process(Life *life, LifeGpuProcess process)
{
	fake_host_must(life->process_count < LIFE_GPU_PROCESSES);
	life->processes[life->process_count] = process;
	return &life->processes[life->process_count++];
}

static void add_adapter(Life *life, const LifeRequest *request)
{
	uid_t payer = request->from->uid;
	LifeAdapter *adapter = &life->adapters[life->adapter_count++];

	fake_host_must(life->adapter_count <= LIFE_ADAPTERS);
	*adapter = (LifeAdapter){
		.max_virtual_gpus = request->max_virtual_gpus,
		.connection = request->from->caller,
		.payer = payer,
	};
	strcpy(adapter->name, request->name);
	add_process(life, (LifeGpuProcess){
				  .is_system = true,
				  .machine = LIFE_NO_MACHINE,
				  .uid = payer,
				  .payer = payer,
			  });
	life_expect(life, (LifeEvent){ .kind = EVENT_ADAPTER_ADDED, .machine = LIFE_NO_MACHINE });
}

static NTSTATUS register_adapter(Life *life, const LifeRequest *request)
{
	uid_t uid = request->from->uid;
	NTSTATUS status = life_check_caller(life, request, life_is_operator(life, request->from));

	if (status == STATUS_SUCCESS && request->flaw == LIFE_BAD_VALUE)
		status = STATUS_INVALID_PARAMETER;
	if (status == STATUS_SUCCESS)
		status = life_check_limit(life, LIMIT_ADAPTERS, uid);
	if (status == STATUS_SUCCESS)
		status = life_check_limit(life, LIMIT_GPU_PROCESSES, uid);
	if (status == STATUS_SUCCESS && name_is_taken(life, request->name))
		status = STATUS_OBJECT_NAME_COLLISION;
	if (status == STATUS_SUCCESS)
		add_adapter(life, request);
	return status;
}

static NTSTATUS unregister_adapter(Life *life, const LifeRequest *request)
{
	LifeAdapter *adapter = life_adapter(life, request->handle);

	if (!adapter)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = life_check_caller(life, request,
					    life_is_operator(life, request->from) ||
						    is_driver(request, adapter));
	if (status != STATUS_SUCCESS)
		return status;
	if (!adapter->connection)
		return STATUS_NOT_SUPPORTED;
	life_end_adapter(life, adapter, END_REQUESTED);
	return STATUS_SUCCESS;
}

/* --- drivers --------------------------------------------------------------------------------- */

/* A driver that is no longer an operator can only name processes of the same user. */
static bool may_name(const Life *life, const LifeRequest *request, const LifeHost *host)
{
	return host && (life_is_operator(life, request->from) || host->uid == request->from->uid);
}

static NTSTATUS create_process(Life *life, const LifeRequest *request)
{
	LifeAdapter *adapter = life_adapter(life, request->handle);
	const LifeHost *host = request->has_pid ? life_live_pid(life, request->pid) : NULL;

	if (!adapter)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = life_check_caller(life, request, is_driver(request, adapter));
	if (status != STATUS_SUCCESS)
		return status;
	if (request->machine != LIFE_NO_MACHINE && !life->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	if (!system_process(life, adapter)->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (request->has_pid && !may_name(life, request, host))
		return STATUS_INVALID_PARAMETER;
	status = life_check_limit(life, LIMIT_GPU_PROCESSES, request->from->uid);
	if (status != STATUS_SUCCESS)
		return status;
	if (host && process_of(life, host->key, adapter))
		return STATUS_OBJECT_NAME_COLLISION;
	LifeGpuProcess *process =
		add_process(life, (LifeGpuProcess){
					  .key = host ? host->key : PROCESS_KEY_NONE,
					  .pid = host ? host->pid : 0,
					  .uid = host ? host->uid : request->from->uid,
					  .payer = request->from->uid,
					  .machine = request->machine,
				  });
	strcpy(process->adapter, adapter->handle);
	strcpy(process->name, request->name);
	return STATUS_SUCCESS;
}

/* Returns the process that a driver's request refers to, or NULL and the status of the refusal. */
static LifeGpuProcess *drivers_process(Life *life, const LifeRequest *request, NTSTATUS *ret_status)
{
	LifeGpuProcess *process = life_process(life, request->handle);

	*ret_status = STATUS_INVALID_HANDLE;
	if (!process)
		return NULL;
	*ret_status = life_check_caller(life, request,
					is_driver(request, life_adapter(life, process->adapter)));
	return *ret_status == STATUS_SUCCESS ? process : NULL;
}

static NTSTATUS reserve_range(Life *life, const LifeRequest *request)
{
	NTSTATUS status;
	LifeGpuProcess *process = drivers_process(life, request, &status);

	if (!process)
		return status;
	if (process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (request->flaw == LIFE_BAD_VALUE)
		return STATUS_INVALID_PARAMETER;
	status = life_check_limit(life, LIMIT_DRIVER_RESERVATIONS, process->payer);
	process->reservations += status == STATUS_SUCCESS;
	return status;
}

static NTSTATUS complete_process(Life *life, const LifeRequest *request)
{
	NTSTATUS status;
	LifeGpuProcess *process = drivers_process(life, request, &status);

	if (!process)
		return status;
	if (process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	process->is_running = true;
	return STATUS_SUCCESS;
}

static NTSTATUS destroy_process(Life *life, const LifeRequest *request)
{
	NTSTATUS status;
	LifeGpuProcess *process = drivers_process(life, request, &status);

	if (!process)
		return status;
	if (process->is_system)
		return STATUS_NOT_SUPPORTED;
	life_end_process(life, process, END_REQUESTED);
	return STATUS_SUCCESS;
}

/* --- calls of processes ---------------------------------------------------------------------- */

/* Checks whether a context can be created in the process, or in a new one if it is NULL. */
static NTSTATUS check_state(Life *life, const LifeAdapter *adapter, const LifeGpuProcess *process)
{
	if (!system_process(life, adapter)->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (process && !process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	return process || !adapter->connection ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

static void add_context(Life *life, const LifeRequest *request, const LifeAdapter *adapter,
			const LifeGpuProcess *process)
{
	const LifeConnection *from = request->from;
	LifeContext *context = &life->contexts[life->context_count++];

	fake_host_must(life->context_count <= LIFE_CONTEXTS);
	*context = (LifeContext){ .payer = from->uid };
	if (process) {
		strcpy(context->process, process->handle);
		return;
	}
	LifeGpuProcess *made = add_process(life, (LifeGpuProcess){
							 .key = from->key,
							 .pid = from->pid,
							 .uid = from->uid,
							 .payer = from->uid,
							 .machine = LIFE_NO_MACHINE,
							 .is_running = true,
						 });
	strcpy(made->adapter, adapter->handle);
}

static NTSTATUS create_context(Life *life, const LifeRequest *request)
{
	LifeAdapter *adapter = request->handle[0] != '\0' ? life_adapter(life, request->handle)
							  : &life->adapters[0];

	if (!adapter)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = life_check_caller(life, request, true);
	const LifeGpuProcess *process = process_of(life, request->from->key, adapter);
	if (status == STATUS_SUCCESS)
		status = check_state(life, adapter, process);
	if (status == STATUS_SUCCESS)
		status = life_check_limit(life, LIMIT_CONTEXTS, request->from->uid);
	if (status == STATUS_SUCCESS && !process)
		status = life_check_limit(life, LIMIT_GPU_PROCESSES, request->from->uid);
	if (status == STATUS_SUCCESS)
		add_context(life, request, adapter, process);
	return status;
}

static NTSTATUS destroy_context(Life *life, const LifeRequest *request)
{
	LifeContext *context = life_context(life, request->handle);

	if (!context)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = life_check_caller(
		life, request, life_process(life, context->process)->key == request->from->key);
	if (status == STATUS_SUCCESS)
		life_end_context(life, context);
	return status;
}

/* The common part of ReserveGpuVirtualAddress and MapGpuVirtualAddress. */
static NTSTATUS take_address(Life *life, const LifeRequest *request)
{
	LifeGpuProcess *process = life_process(life, request->handle);

	if (!process)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = life_check_caller(life, request, process->key == request->from->key);
	if (status != STATUS_SUCCESS)
		return status;
	if (!process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (request->flaw == LIFE_BAD_VALUE)
		return STATUS_INVALID_PARAMETER;
	status = life_check_limit(life, LIMIT_USER_RANGES, process->uid);
	process->user_ranges += status == STATUS_SUCCESS;
	return status;
}

/* --- dispatch -------------------------------------------------------------------------------- */

NTSTATUS life_answer(Life *life, const LifeRequest *request)
{
	static NTSTATUS (*const answers[])(Life *, const LifeRequest *) = {
		[LIFE_REGISTER_ADAPTER] = register_adapter,
		[LIFE_UNREGISTER_ADAPTER] = unregister_adapter,
		[LIFE_CREATE_PROCESS] = create_process,
		[LIFE_RESERVE_RANGE] = reserve_range,
		[LIFE_COMPLETE_PROCESS] = complete_process,
		[LIFE_DESTROY_PROCESS] = destroy_process,
		[LIFE_CREATE_CONTEXT] = create_context,
		[LIFE_DESTROY_CONTEXT] = destroy_context,
		[LIFE_RESERVE_ADDRESS] = take_address,
		[LIFE_MAP_ADDRESS] = take_address,
		[LIFE_REGISTER_MACHINE] = life_register_machine,
		[LIFE_UNREGISTER_MACHINE] = life_unregister_machine,
		[LIFE_ASSIGN] = life_assign,
		[LIFE_REMOVE] = life_remove_virtual_gpu,
		[LIFE_REGISTER] = life_register_process,
	};
	_Static_assert(ARRAY_SIZE(answers) == LIFE_METHOD_MAX, "each method has an answer");

	if (request->flaw == LIFE_BAD_SHAPE)
		return STATUS_INVALID_PARAMETER;
	return answers[request->method](life, request);
}

static bool learn_context(Life *life, const char *handle, const char *process)
{
	LifeContext *context = &life->contexts[life->context_count - 1];
	LifeGpuProcess *last = &life->processes[life->process_count - 1];

	strcpy(context->handle, handle);
	if (context->process[0] != '\0')
		return strcmp(context->process, process) == 0;
	strcpy(context->process, process);
	strcpy(last->handle, process);
	return true;
}

bool life_learn(Life *life, LifeMethod method, const char *handle, const char *process)
{
	LifeAdapter *adapter = &life->adapters[life->adapter_count - 1];
	LifeGpuProcess *last = &life->processes[life->process_count - 1];

	for (size_t i = 0; i < life->event_count; i++)
		if (life->events[i].kind == EVENT_ADAPTER_ADDED ||
		    life->events[i].kind == EVENT_VIRTUAL_GPU_ASSIGNED)
			strcpy(life->events[i].handle, handle);
	if (method == LIFE_CREATE_CONTEXT)
		return learn_context(life, handle, process);
	if (method == LIFE_ASSIGN)
		strcpy(life->virtual_gpus[life->virtual_gpu_count - 1].handle, handle);
	if (method == LIFE_CREATE_PROCESS)
		strcpy(last->handle, process);
	if (method == LIFE_REGISTER_ADAPTER) {
		strcpy(adapter->handle, handle);
		strcpy(adapter->system_process, process);
		strcpy(last->handle, process);
		strcpy(last->adapter, handle);
	}
	return true;
}
