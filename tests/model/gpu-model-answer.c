/* SPDX-License-Identifier: MIT */
/*
 * The expected status of each request, and its effects on the model. The checks are in the
 * documented order: caller, other subjects, state, values, limits, collisions.
 */
#include <stdio.h>
#include <string.h>

#include "tests/model/gpu-model.h"

NTSTATUS gpu_model_check_caller(const GpuModel *model, const GpuModelRequest *request,
				bool is_allowed)
{
	const GpuModelHost *host = gpu_model_host(model, request->from->key);

	if (!host || !host->alive)
		return STATUS_PROCESS_IS_TERMINATING;
	return is_allowed ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

static uint64_t used(const GpuModel *model, LimitKind kind, GpuModelPayer payer)
{
	uint64_t count = 0;

	for (size_t i = 0; i < model->adapter_count; i++)
		count += kind == LIMIT_ADAPTERS && model->adapters[i].payer == payer;
	for (size_t i = 0; i < model->context_count; i++)
		count += kind == LIMIT_CONTEXTS && model->contexts[i].payer == payer;
	for (size_t i = 0; i < model->virtual_gpu_count; i++)
		count += kind == LIMIT_VIRTUAL_GPUS && model->virtual_gpus[i].payer == payer;
	for (size_t i = 0; i < GPU_MODEL_MACHINES; i++)
		count += kind == LIMIT_VIRTUAL_MACHINES && model->machines[i].runs &&
			 (model->machines[i].registered_by | GPU_MODEL_OF_OPERATORS) == payer;
	for (size_t i = 0; i < model->process_count; i++) {
		const GpuModelGpuProcess *process = &model->processes[i];

		if (kind == LIMIT_GPU_PROCESSES)
			count += process->payer == payer;
		if (kind == LIMIT_DRIVER_RESERVATIONS && process->payer == payer)
			count += process->reservations;
		if (kind == LIMIT_USER_RANGES && process->range_payer == payer)
			count += process->user_ranges;
	}
	return count;
}

NTSTATUS gpu_model_check_limit(const GpuModel *model, LimitKind kind, GpuModelPayer payer)
{
	return used(model, kind, payer) < model->limits[kind] ? STATUS_SUCCESS
							      : STATUS_QUOTA_EXCEEDED;
}

static bool is_driver(const GpuModelRequest *request, const GpuModelAdapter *model_adapter)
{
	return model_adapter->connection == request->from->caller;
}

static const GpuModelGpuProcess *system_process(GpuModel *model,
						const GpuModelAdapter *model_adapter)
{
	return gpu_model_process(model, model_adapter->system_process);
}

/* Returns the host process's GPU process on the adapter, or NULL. */
static GpuModelGpuProcess *process_of(GpuModel *model, ProcessKey key,
				      const GpuModelAdapter *model_adapter)
{
	for (size_t i = 0; i < model->process_count; i++)
		if (model->processes[i].key == key &&
		    strcmp(model->processes[i].adapter, model_adapter->handle) == 0)
			return &model->processes[i];
	return NULL;
}

/* --- adapters -------------------------------------------------------------------------------- */

static bool name_is_taken(const GpuModel *model, const char *name)
{
	for (size_t i = 0; i < model->adapter_count; i++)
		if (strcmp(model->adapters[i].name, name) == 0)
			return true;
	return false;
}

static GpuModelGpuProcess *add_process(GpuModel *model, GpuModelGpuProcess process)
{
	fake_host_must(model->process_count < GPU_MODEL_GPU_PROCESSES);
	model->processes[model->process_count] = process;
	return &model->processes[model->process_count++];
}

static void add_adapter(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelPayer payer = gpu_model_payer(model, request->from);
	GpuModelAdapter *model_adapter = &model->adapters[model->adapter_count++];

	fake_host_must(model->adapter_count <= GPU_MODEL_ADAPTERS);
	*model_adapter = (GpuModelAdapter){
		.max_virtual_gpus = request->max_virtual_gpus,
		.connection = request->from->caller,
		.payer = payer,
	};
	strcpy(model_adapter->name, request->name);
	add_process(model, (GpuModelGpuProcess){
				   .is_system = true,
				   .machine = GPU_MODEL_NO_MACHINE,
				   .uid = request->from->uid,
				   .payer = payer,
			   });
	gpu_model_expect(model, (GpuModelEvent){ .kind = EVENT_ADAPTER_ADDED,
						 .machine = GPU_MODEL_NO_MACHINE });
}

static NTSTATUS register_adapter(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelPayer payer = gpu_model_payer(model, request->from);
	NTSTATUS status =
		gpu_model_check_caller(model, request, gpu_model_is_operator(model, request->from));

	if (status == STATUS_SUCCESS && request->flaw == GPU_MODEL_BAD_VALUE)
		status = STATUS_INVALID_PARAMETER;
	if (status == STATUS_SUCCESS)
		status = gpu_model_check_limit(model, LIMIT_ADAPTERS, payer);
	if (status == STATUS_SUCCESS)
		status = gpu_model_check_limit(model, LIMIT_GPU_PROCESSES, payer);
	if (status == STATUS_SUCCESS && name_is_taken(model, request->name))
		status = STATUS_OBJECT_NAME_COLLISION;
	if (status == STATUS_SUCCESS)
		add_adapter(model, request);
	return status;
}

static NTSTATUS unregister_adapter(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelAdapter *model_adapter = gpu_model_adapter(model, request->handle);

	if (!model_adapter)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = gpu_model_check_caller(model, request,
						 gpu_model_is_operator(model, request->from) ||
							 is_driver(request, model_adapter));
	if (status != STATUS_SUCCESS)
		return status;
	if (!model_adapter->connection)
		return STATUS_NOT_SUPPORTED;
	gpu_model_end_adapter(model, model_adapter, END_REQUESTED);
	return STATUS_SUCCESS;
}

/* --- drivers --------------------------------------------------------------------------------- */

/* A driver that is no longer an operator can only name processes of the same user. */
static bool may_name(const GpuModel *model, const GpuModelRequest *request,
		     const GpuModelHost *host)
{
	return host &&
	       (gpu_model_is_operator(model, request->from) || host->uid == request->from->uid);
}

static NTSTATUS create_process(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelAdapter *model_adapter = gpu_model_adapter(model, request->handle);
	const GpuModelHost *host =
		request->has_pid ? gpu_model_live_pid(model, request->pid) : NULL;

	if (!model_adapter)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = gpu_model_check_caller(model, request, is_driver(request, model_adapter));
	if (status != STATUS_SUCCESS)
		return status;
	if (request->machine != GPU_MODEL_NO_MACHINE && !model->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	if (!system_process(model, model_adapter)->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (request->has_pid && !may_name(model, request, host))
		return STATUS_INVALID_PARAMETER;
	status = gpu_model_check_limit(model, LIMIT_GPU_PROCESSES,
				       gpu_model_payer(model, request->from));
	if (status != STATUS_SUCCESS)
		return status;
	if (host && process_of(model, host->key, model_adapter))
		return STATUS_OBJECT_NAME_COLLISION;
	GpuModelGpuProcess *process =
		add_process(model, (GpuModelGpuProcess){
					   .key = host ? host->key : PROCESS_KEY_NONE,
					   .pid = host ? host->pid : 0,
					   .uid = host ? host->uid : request->from->uid,
					   .payer = gpu_model_payer(model, request->from),
					   .machine = request->machine,
				   });
	strcpy(process->adapter, model_adapter->handle);
	strcpy(process->name, request->name);
	return STATUS_SUCCESS;
}

/* Returns the process that a driver's request refers to, or NULL and the status of the refusal. */
static GpuModelGpuProcess *drivers_process(GpuModel *model, const GpuModelRequest *request,
					   NTSTATUS *ret_status)
{
	GpuModelGpuProcess *process = gpu_model_process(model, request->handle);

	*ret_status = STATUS_INVALID_HANDLE;
	if (!process)
		return NULL;
	*ret_status = gpu_model_check_caller(
		model, request, is_driver(request, gpu_model_adapter(model, process->adapter)));
	return *ret_status == STATUS_SUCCESS ? process : NULL;
}

static NTSTATUS reserve_range(GpuModel *model, const GpuModelRequest *request)
{
	NTSTATUS status;
	GpuModelGpuProcess *process = drivers_process(model, request, &status);

	if (!process)
		return status;
	if (process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (request->flaw == GPU_MODEL_BAD_VALUE)
		return STATUS_INVALID_PARAMETER;
	status = gpu_model_check_limit(model, LIMIT_DRIVER_RESERVATIONS, process->payer);
	process->reservations += status == STATUS_SUCCESS;
	return status;
}

static NTSTATUS complete_process(GpuModel *model, const GpuModelRequest *request)
{
	NTSTATUS status;
	GpuModelGpuProcess *process = drivers_process(model, request, &status);

	if (!process)
		return status;
	if (process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	process->is_running = true;
	return STATUS_SUCCESS;
}

static NTSTATUS destroy_process(GpuModel *model, const GpuModelRequest *request)
{
	NTSTATUS status;
	GpuModelGpuProcess *process = drivers_process(model, request, &status);

	if (!process)
		return status;
	if (process->is_system)
		return STATUS_NOT_SUPPORTED;
	gpu_model_end_process(model, process, END_REQUESTED);
	return STATUS_SUCCESS;
}

/* --- calls of processes ---------------------------------------------------------------------- */

/* Checks whether a context can be created in the process, or in a new one if it is NULL. */
static NTSTATUS check_state(GpuModel *model, const GpuModelAdapter *model_adapter,
			    const GpuModelGpuProcess *process)
{
	if (!system_process(model, model_adapter)->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (process && !process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	return process || !model_adapter->connection ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

static void add_context(GpuModel *model, const GpuModelRequest *request,
			const GpuModelAdapter *model_adapter, const GpuModelGpuProcess *process)
{
	const GpuModelConnection *from = request->from;
	GpuModelContext *context = &model->contexts[model->context_count++];

	fake_host_must(model->context_count <= GPU_MODEL_CONTEXTS);
	*context = (GpuModelContext){ .payer = gpu_model_payer(model, from) };
	if (process) {
		strcpy(context->process, process->handle);
		return;
	}
	GpuModelGpuProcess *made = add_process(model, (GpuModelGpuProcess){
							      .key = from->key,
							      .pid = from->pid,
							      .uid = from->uid,
							      .payer = gpu_model_payer(model, from),
							      .machine = GPU_MODEL_NO_MACHINE,
							      .is_running = true,
						      });
	strcpy(made->adapter, model_adapter->handle);
}

static NTSTATUS create_context(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelAdapter *model_adapter = request->handle[0] != '\0'
						 ? gpu_model_adapter(model, request->handle)
						 : &model->adapters[0];

	if (!model_adapter)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = gpu_model_check_caller(model, request, true);
	const GpuModelGpuProcess *process = process_of(model, request->from->key, model_adapter);
	if (status == STATUS_SUCCESS)
		status = check_state(model, model_adapter, process);
	if (status == STATUS_SUCCESS)
		status = gpu_model_check_limit(model, LIMIT_CONTEXTS,
					       gpu_model_payer(model, request->from));
	if (status == STATUS_SUCCESS && !process)
		status = gpu_model_check_limit(model, LIMIT_GPU_PROCESSES,
					       gpu_model_payer(model, request->from));
	if (status == STATUS_SUCCESS)
		add_context(model, request, model_adapter, process);
	return status;
}

static NTSTATUS destroy_context(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelContext *context = gpu_model_context(model, request->handle);

	if (!context)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = gpu_model_check_caller(model, request,
						 gpu_model_process(model, context->process)->key ==
							 request->from->key);
	if (status == STATUS_SUCCESS)
		gpu_model_end_context(model, context);
	return status;
}

/* The common part of ReserveGpuVirtualAddress and MapGpuVirtualAddress. */
static NTSTATUS take_address(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelGpuProcess *process = gpu_model_process(model, request->handle);

	if (!process)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status =
		gpu_model_check_caller(model, request, process->key == request->from->key);
	if (status != STATUS_SUCCESS)
		return status;
	if (!process->is_running)
		return STATUS_INVALID_DEVICE_STATE;
	if (request->flaw == GPU_MODEL_BAD_VALUE)
		return STATUS_INVALID_PARAMETER;
	GpuModelPayer payer = process->user_ranges > 0 ? process->range_payer
						       : gpu_model_payer(model, request->from);
	status = gpu_model_check_limit(model, LIMIT_USER_RANGES, payer);
	if (status != STATUS_SUCCESS)
		return status;
	process->user_ranges++;
	process->range_payer = payer;
	return status;
}

/* --- dispatch -------------------------------------------------------------------------------- */

NTSTATUS gpu_model_answer(GpuModel *model, const GpuModelRequest *request)
{
	static NTSTATUS (*const answers[])(GpuModel *, const GpuModelRequest *) = {
		[GPU_MODEL_REGISTER_ADAPTER] = register_adapter,
		[GPU_MODEL_UNREGISTER_ADAPTER] = unregister_adapter,
		[GPU_MODEL_CREATE_PROCESS] = create_process,
		[GPU_MODEL_RESERVE_RANGE] = reserve_range,
		[GPU_MODEL_COMPLETE_PROCESS] = complete_process,
		[GPU_MODEL_DESTROY_PROCESS] = destroy_process,
		[GPU_MODEL_CREATE_CONTEXT] = create_context,
		[GPU_MODEL_DESTROY_CONTEXT] = destroy_context,
		[GPU_MODEL_RESERVE_ADDRESS] = take_address,
		[GPU_MODEL_MAP_ADDRESS] = take_address,
		[GPU_MODEL_REGISTER_MACHINE] = gpu_model_register_machine,
		[GPU_MODEL_UNREGISTER_MACHINE] = gpu_model_unregister_machine,
		[GPU_MODEL_ASSIGN] = gpu_model_assign,
		[GPU_MODEL_REMOVE] = gpu_model_remove_virtual_gpu,
		[GPU_MODEL_REGISTER] = gpu_model_register_process,
	};
	_Static_assert(ARRAY_SIZE(answers) == GPU_MODEL_METHOD_MAX, "each method has an answer");

	if (request->flaw == GPU_MODEL_BAD_SHAPE)
		return STATUS_INVALID_PARAMETER;
	return answers[request->method](model, request);
}

static bool learn_context(GpuModel *model, const char *handle, const char *process)
{
	GpuModelContext *context = &model->contexts[model->context_count - 1];
	GpuModelGpuProcess *last = &model->processes[model->process_count - 1];

	strcpy(context->handle, handle);
	if (context->process[0] != '\0')
		return strcmp(context->process, process) == 0;
	strcpy(context->process, process);
	strcpy(last->handle, process);
	return true;
}

bool gpu_model_learn(GpuModel *model, GpuModelMethod method, const char *handle,
		     const char *process)
{
	GpuModelAdapter *model_adapter = &model->adapters[model->adapter_count - 1];
	GpuModelGpuProcess *last = &model->processes[model->process_count - 1];

	for (size_t i = 0; i < model->event_count; i++)
		if (model->events[i].kind == EVENT_ADAPTER_ADDED ||
		    model->events[i].kind == EVENT_VIRTUAL_GPU_ASSIGNED)
			strcpy(model->events[i].handle, handle);
	if (method == GPU_MODEL_CREATE_CONTEXT)
		return learn_context(model, handle, process);
	if (method == GPU_MODEL_ASSIGN)
		strcpy(model->virtual_gpus[model->virtual_gpu_count - 1].handle, handle);
	if (method == GPU_MODEL_CREATE_PROCESS)
		strcpy(last->handle, process);
	if (method == GPU_MODEL_REGISTER_ADAPTER) {
		strcpy(model_adapter->handle, handle);
		strcpy(model_adapter->system_process, process);
		strcpy(last->handle, process);
		strcpy(last->adapter, handle);
	}
	return true;
}
