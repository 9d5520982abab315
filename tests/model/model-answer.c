/* SPDX-License-Identifier: MIT */
/*
 * The model's answers, one function for each method. All check in the order of the contract: form
 * of the parameters, subject, rights, state, values and limits. Only then they change the model.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

static bool refuse(ModelAnswer *answer, NTSTATUS status)
{
	answer->status = status;
	return false;
}

/* Requests of a dead caller change nothing. */
static bool caller_lives(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	return model_is_alive(model, request->caller->process) ||
	       refuse(answer, STATUS_PROCESS_IS_TERMINATING);
}

static bool is_owner(const Caller *caller, const ModelMachine *machine)
{
	return caller->is_operator ||
	       (caller->credentials.uid == machine->registrar &&
		model_is_real(machine->registrar) &&
		(caller->in_initial_user_namespace || !machine->by_operator));
}

static bool owns(Model *model, const ModelRequest *request, const ModelMachine *machine,
		 ModelAnswer *answer)
{
	return caller_lives(model, request, answer) &&
	       (is_owner(request->caller, machine) || refuse(answer, STATUS_ACCESS_DENIED));
}

/* Check 3 of RegisterVailProcess: no quarantine, and the privileges of a display client. */
static bool connection_matches(const ModelMachine *machine, const Caller *caller)
{
	for (size_t i = 0; i < machine->client_count; i++)
		if (model_has_same_connection(&machine->clients[i], caller))
			return true;
	return false;
}

static bool may_register(Model *model, const ModelRequest *request, ModelMachine *machine,
			 ModelAnswer *answer)
{
	const FakeProcess *process = model_process(model, request->caller->process);

	if (model_quarantine(model, machine->guid))
		return refuse(answer, STATUS_ACCESS_DENIED);
	model_refresh_users(model, machine, request->caller->credentials.uid);
	if (!process || !process->alive)
		return refuse(answer, STATUS_PROCESS_IS_TERMINATING);
	if (!connection_matches(machine, request->caller))
		return refuse(answer, STATUS_ACCESS_DENIED);
	if (process->credentials_lookup == LOOKUP_GONE)
		return refuse(answer, STATUS_PROCESS_IS_TERMINATING);
	if (process->credentials_lookup == LOOKUP_EXHAUSTED)
		return refuse(answer, STATUS_INSUFFICIENT_RESOURCES);
	if (process->credentials_lookup != LOOKUP_FOUND)
		return refuse(answer, STATUS_ACCESS_DENIED);
	for (size_t i = 0; i < machine->client_count; i++)
		if (model_has_same_privileges(&machine->clients[i], &request->caller->credentials,
					      &process->credentials))
			return true;
	return refuse(answer, STATUS_ACCESS_DENIED);
}

static bool has_virtual_gpu(Model *model, const ModelMachine *machine)
{
	ModelVirtualGpu *virtual_gpu;

	MODEL_EACH(model, virtual_gpu, virtual_gpus)
	if (virtual_gpu->machine == machine->serial)
		return true;
	return false;
}

static bool find_context(Model *model, const FakeProcess *process, GraphicsContextKind *ret,
			 ModelAnswer *answer)
{
	*ret = GRAPHICS_CONTEXT_VAILD;
	if (model_has_context(model, process->key))
		return true;
	if (process->context_lookup == LOOKUP_EXHAUSTED)
		return refuse(answer, STATUS_INSUFFICIENT_RESOURCES);
	if (process->context_lookup != LOOKUP_FOUND || !process->has_graphics_context)
		return refuse(answer, STATUS_INVALID_DISPOSITION);
	*ret = process->graphics_context;
	return true;
}

static void register_process(Model *model, const ModelRequest *request, ModelMachine *machine,
			     ModelAnswer *answer)
{
	const Caller *caller = request->caller;
	const FakeProcess *process = model_process(model, caller->process);
	GraphicsContextKind kind;

	if (!may_register(model, request, machine, answer))
		return;
	if (!has_virtual_gpu(model, machine)) {
		refuse(answer, STATUS_GRAPHICS_VAIL_STATE_CHANGED);
		return;
	}
	if (!find_context(model, process, &kind, answer) ||
	    !model_check_limit(model, caller, LIMIT_REGISTRATIONS, answer) ||
	    !model_watch_process(model, caller, process->key, answer))
		return;
	ModelRegistration *registration = MODEL_ADD(model, registrations);
	registration->machine = machine->serial;
	registration->process = process->key;
	registration->pid = process->pid;
	registration->uid = caller->credentials.uid;
	registration->payer = payer_of(caller);
	registration->context = kind;
	fake_host_must(credentials_copy(&process->credentials, &registration->credentials));
	fake_host_must(
		connection_credentials_copy(&caller->credentials, &registration->connection));
	answer->registration = registration->serial;
}

static void revoke(Model *model, const ModelRequest *request, ModelMachine *machine,
		   ModelAnswer *answer)
{
	ModelRegistration *registration, *newest = NULL;

	if (!owns(model, request, machine, answer))
		return;
	/* A dead process can have the same pid if its exit has not been reported yet. */
	MODEL_EACH(model, registration, registrations)
	if (registration->machine == machine->serial &&
	    (uint64_t)registration->pid == request->pid &&
	    (!newest || registration->serial > newest->serial))
		newest = registration;
	if (newest)
		model_end_registration(newest);
	else
		refuse(answer, STATUS_NOT_FOUND);
}

/* A VM has at most LIMIT_VIRTUAL_GPUS_OF_MACHINE virtual GPUs, even if operators assign them. */
static bool machine_may_have_more(Model *model, const ModelMachine *machine, ModelAnswer *answer)
{
	ModelVirtualGpu *virtual_gpu;
	uint64_t of_machine = 0;

	MODEL_EACH(model, virtual_gpu, virtual_gpus)
	{
		of_machine += virtual_gpu->machine == machine->serial;
	}
	if (of_machine < LIMIT_VIRTUAL_GPUS_OF_MACHINE)
		return true;
	answer->status = STATUS_QUOTA_EXCEEDED;
	answer->limit = "virtualGpusPerMachine";
	answer->used = of_machine;
	return false;
}

static void assign(Model *model, const ModelRequest *request, ModelMachine *machine,
		   ModelAnswer *answer)
{
	if (!owns(model, request, machine, answer))
		return;
	if (request->has_handle && strcmp(request->handle, model->adapter) != 0) {
		refuse(answer, STATUS_INVALID_HANDLE);
		return;
	}
	if (!machine_may_have_more(model, machine, answer) ||
	    !model_check_limit(model, request->caller, LIMIT_VIRTUAL_GPUS, answer))
		return;
	ModelVirtualGpu *virtual_gpu = MODEL_ADD(model, virtual_gpus);
	virtual_gpu->machine = machine->serial;
	virtual_gpu->payer = payer_of(request->caller);
}

static void remove_virtual_gpu(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	ModelVirtualGpu *virtual_gpu, *found = NULL;

	MODEL_EACH(model, virtual_gpu, virtual_gpus)
	if (strcmp(virtual_gpu->handle, request->handle) == 0)
		found = virtual_gpu;
	if (!found)
		refuse(answer, STATUS_INVALID_HANDLE);
	else if (owns(model, request, model_machine(model, found->machine), answer))
		model_end_virtual_gpu(model, found);
}

static void impose_quarantine(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	ModelQuarantine *old = model_quarantine(model, request->guid);
	const ModelMachine *machine = model_machine_of(model, request->guid);

	if (!old && !model_check_limit(model, request->caller, LIMIT_QUARANTINES, answer))
		return;
	if (model->fake_host->refuse_quarantine) {
		refuse(answer, STATUS_INSUFFICIENT_RESOURCES);
		return;
	}
	/* Imposing it again changes the reason, but not its place in the list. */
	ModelQuarantine *quarantine = old ? old : MODEL_ADD(model, quarantines);
	quarantine->guid = request->guid;
	quarantine->payer = payer_of(request->caller);
	if (machine)
		model_end_registrations(model, machine->serial);
}

static void set_quarantine(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	ModelQuarantine *old = model_quarantine(model, request->guid);

	if (!caller_lives(model, request, answer))
		return;
	if (!request->caller->is_operator && !request->caller->may_quarantine) {
		refuse(answer, STATUS_ACCESS_DENIED);
		return;
	}
	if (request->quarantined)
		impose_quarantine(model, request, answer);
	else if (old && model->fake_host->refuse_quarantine)
		refuse(answer, STATUS_INSUFFICIENT_RESOURCES);
	else if (old)
		old->serial = 0;
}

static ModelGpuProcess *find_gpu_process(Model *model, ProcessKey process)
{
	ModelGpuProcess *gpu_process;

	MODEL_EACH(model, gpu_process, gpu_processes)
	if (gpu_process->process == process)
		return gpu_process;
	return NULL;
}

static void create_context(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	const Caller *caller = request->caller;
	ModelGpuProcess *gpu_process = find_gpu_process(model, caller->process);

	if (request->has_handle && strcmp(request->handle, model->adapter) != 0) {
		refuse(answer, STATUS_INVALID_HANDLE);
		return;
	}
	if (!caller_lives(model, request, answer) ||
	    !model_check_limit(model, caller, LIMIT_CONTEXTS, answer))
		return;
	if (!gpu_process) {
		if (!model_check_limit(model, caller, LIMIT_GPU_PROCESSES, answer) ||
		    !model_watch_process(model, caller, caller->process, answer))
			return;
		gpu_process = MODEL_ADD(model, gpu_processes);
		gpu_process->process = caller->process;
		gpu_process->payer = payer_of(caller);
	}
	ModelContext *context = MODEL_ADD(model, contexts);
	context->gpu_process = gpu_process->serial;
	context->payer = payer_of(caller);
}

static void destroy_context(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	ModelContext *context, *found = NULL;

	MODEL_EACH(model, context, contexts)
	if (strcmp(context->handle, request->handle) == 0)
		found = context;
	if (!found) {
		refuse(answer, STATUS_INVALID_HANDLE);
		return;
	}
	if (!caller_lives(model, request, answer))
		return;
	ModelGpuProcess *own = find_gpu_process(model, request->caller->process);
	if (own && own->serial == found->gpu_process)
		found->serial = 0;
	else
		refuse(answer, STATUS_ACCESS_DENIED);
}

static int compare_serials(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void list(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	const Caller *caller = request->caller;
	ModelRegistration *registration;
	ModelMachine *machine;
	ModelQuarantine *quarantine;

	if (request->method == MODEL_LIST_REGISTRATIONS)
		MODEL_EACH(model, registration, registrations)
	if (caller->is_operator || caller->is_observer || registration->process == caller->process)
		answer->serials[answer->count++] = registration->serial;
	if (request->method == MODEL_LIST_MACHINES)
		MODEL_EACH(model, machine, machines)
	if (model_may_see(model, caller, machine))
		answer->serials[answer->count++] = machine->serial;
	if (request->method == MODEL_LIST_QUARANTINES && !caller->is_operator &&
	    !caller->is_observer && !caller->may_quarantine)
		refuse(answer, STATUS_ACCESS_DENIED);
	else if (request->method == MODEL_LIST_QUARANTINES)
		MODEL_EACH(model, quarantine, quarantines)
	answer->serials[answer->count++] = quarantine->serial;
	if (request->method == MODEL_LIST_ADAPTERS)
		answer->serials[answer->count++] = 1;
	qsort(answer->serials, answer->count, sizeof(answer->serials[0]), compare_serials);
}

/* Answers the methods whose subject is a running VM. */
static void answer_for_machine(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	ModelMachine *machine = model_machine_of(model, request->guid);
	ModelRegistration *own;

	if (!machine) {
		refuse(answer, STATUS_NOT_FOUND);
		return;
	}
	own = model_registration(model, request->caller->process, machine->serial);
	if (request->method == MODEL_REGISTER && own)
		answer->registration = own->serial;
	else if (request->method == MODEL_REGISTER)
		register_process(model, request, machine, answer);
	else if (request->method == MODEL_REVOKE)
		revoke(model, request, machine, answer);
	else if (request->method == MODEL_ASSIGN)
		assign(model, request, machine, answer);
	else if (request->method == MODEL_DESCRIBE &&
		 model_may_see(model, request->caller, machine))
		answer->machine = machine->serial;
	else if (request->method == MODEL_DESCRIBE)
		refuse(answer, STATUS_ACCESS_DENIED);
	else if (request->method == MODEL_UNREGISTER && caller_lives(model, request, answer) && own)
		model_end_registration(own);
	else if (request->method == MODEL_UNREGISTER && answer->status == STATUS_SUCCESS)
		refuse(answer, STATUS_NOT_FOUND);
	else if (request->method == MODEL_UNREGISTER_MACHINE &&
		 owns(model, request, machine, answer))
		model_end_machine(model, machine);
	else if (request->method == MODEL_UPDATE_MACHINE && owns(model, request, machine, answer))
		model_update_machine(model, request, machine, answer);
}

static void register_machine(Model *model, const ModelRequest *request, ModelAnswer *answer)
{
	if (!caller_lives(model, request, answer))
		return;
	if (request->caller->is_operator || model->fake_host->service.settings.allow_user_machines)
		model_register_machine(model, request, answer);
	else
		refuse(answer, STATUS_ACCESS_DENIED);
}

ModelAnswer model_answer(Model *model, const ModelRequest *request)
{
	ModelAnswer answer = { .status = STATUS_SUCCESS };

	model_sweep_entries(model);
	if (request->repeated[0] != '\0') {
		refuse(&answer, STATUS_INVALID_PARAMETER);
		strncpy(answer.parameter, request->repeated, sizeof(answer.parameter) - 1);
		return answer;
	}
	if (request->foreign) {
		/* A peer outside the pid namespace has pid 0. It looks foreign, but is alive. */
		bool gone = request->caller->pid != 0 &&
			    !model_is_alive(model, request->caller->process);

		refuse(&answer, gone ? STATUS_PROCESS_IS_TERMINATING : STATUS_ACCESS_DENIED);
		return answer;
	}
	if (request->bad_parameter) {
		refuse(&answer, STATUS_INVALID_PARAMETER);
		strncpy(answer.parameter, request->bad_parameter, sizeof(answer.parameter) - 1);
		return answer;
	}
	switch (request->method) {
	case MODEL_GET_INFO:
		break;
	case MODEL_GET_DESCRIPTION:
		if (!request->known_interface)
			refuse(&answer, STATUS_NOT_FOUND);
		break;
	case MODEL_REGISTER_MACHINE:
		register_machine(model, request, &answer);
		break;
	case MODEL_REMOVE:
		remove_virtual_gpu(model, request, &answer);
		break;
	case MODEL_SET_QUARANTINE:
		set_quarantine(model, request, &answer);
		break;
	case MODEL_CREATE_CONTEXT:
		create_context(model, request, &answer);
		break;
	case MODEL_DESTROY_CONTEXT:
		destroy_context(model, request, &answer);
		break;
	case MODEL_LIST_REGISTRATIONS:
	case MODEL_LIST_MACHINES:
	case MODEL_LIST_QUARANTINES:
	case MODEL_LIST_ADAPTERS:
		list(model, request, &answer);
		break;
	default:
		answer_for_machine(model, request, &answer);
		break;
	}
	return answer;
}
