/* SPDX-License-Identifier: MIT */
/* Expected statuses for virtual machines, as far as adapters and GPU processes are concerned. */
#include <string.h>

#include "tests/model/gpu-model.h"

static void add_machine(GpuModel *model, const GpuModelRequest *request, const GpuModelHost *vmm)
{
	model->machines[request->machine] = (GpuModelMachine){
		.runs = true,
		.vmm = vmm->key,
		.pid = vmm->pid,
		.uid = vmm->uid,
		.registered_by = request->from->uid,
	};
	gpu_model_expect(model, (GpuModelEvent){
					.kind = EVENT_VIRTUAL_MACHINE_ADDED,
					.machine = request->machine,
					.pid = vmm->pid,
					.uid = vmm->uid,
				});
}

/* Registers a running VM again. Only operators register VMs here. */
static NTSTATUS hand_over(GpuModel *model, const GpuModelRequest *request, const GpuModelHost *vmm)
{
	GpuModelMachine *machine = &model->machines[request->machine];

	if (machine->vmm == vmm->key || machine->incoming == vmm->key)
		return STATUS_SUCCESS;
	machine->incoming = vmm->key;
	machine->incoming_pid = vmm->pid;
	machine->incoming_uid = vmm->uid;
	gpu_model_expect_change(model, request->machine);
	return STATUS_SUCCESS;
}

NTSTATUS gpu_model_register_machine(GpuModel *model, const GpuModelRequest *request)
{
	const GpuModelMachine *machine = &model->machines[request->machine];
	const GpuModelHost *vmm = gpu_model_live_pid(model, request->pid);
	NTSTATUS status =
		gpu_model_check_caller(model, request, gpu_model_is_operator(model, request->from));

	if (status != STATUS_SUCCESS)
		return status;
	/* A VM whose VMM is found dead ends now. */
	if (machine->runs && !gpu_model_host(model, machine->vmm)->alive)
		gpu_model_process_exited(model, machine->vmm);
	if (!vmm)
		return STATUS_INVALID_PARAMETER;
	if (machine->runs)
		return hand_over(model, request, vmm);
	status = gpu_model_check_limit(model, LIMIT_VIRTUAL_MACHINES,
				       gpu_model_payer(model, request->from));
	if (status != STATUS_SUCCESS)
		return status;
	add_machine(model, request, vmm);
	return STATUS_SUCCESS;
}

static bool owns_machine(const GpuModel *model, const GpuModelRequest *request, int machine)
{
	return gpu_model_is_operator(model, request->from) ||
	       model->machines[machine].registered_by == request->from->uid;
}

NTSTATUS gpu_model_unregister_machine(GpuModel *model, const GpuModelRequest *request)
{
	if (!model->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	NTSTATUS status = gpu_model_check_caller(model, request,
						 owns_machine(model, request, request->machine));
	if (status == STATUS_SUCCESS)
		gpu_model_end_machine(model, request->machine, END_VM_UNREGISTERED);
	return status;
}

NTSTATUS gpu_model_assign(GpuModel *model, const GpuModelRequest *request)
{
	const GpuModelAdapter *model_adapter = request->handle[0] != '\0'
						       ? gpu_model_adapter(model, request->handle)
						       : &model->adapters[0];
	NTSTATUS status;

	if (!model->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	status = gpu_model_check_caller(model, request,
					owns_machine(model, request, request->machine));
	if (status == STATUS_SUCCESS && !model_adapter)
		status = STATUS_INVALID_HANDLE;
	if (status == STATUS_SUCCESS &&
	    gpu_model_virtual_gpus_of(model, model_adapter) >= model_adapter->max_virtual_gpus)
		status = STATUS_QUOTA_EXCEEDED;
	if (status == STATUS_SUCCESS)
		status = gpu_model_check_limit(model, LIMIT_VIRTUAL_GPUS,
					       gpu_model_payer(model, request->from));
	if (status != STATUS_SUCCESS)
		return status;
	fake_host_must(model->virtual_gpu_count < GPU_MODEL_VIRTUAL_GPUS);
	GpuModelVirtualGpu *virtual_gpu = &model->virtual_gpus[model->virtual_gpu_count++];
	*virtual_gpu = (GpuModelVirtualGpu){ .machine = request->machine,
					     .payer = gpu_model_payer(model, request->from) };
	strcpy(virtual_gpu->adapter, model_adapter->handle);
	gpu_model_expect(model, (GpuModelEvent){
					.kind = EVENT_VIRTUAL_GPU_ASSIGNED,
					.machine = request->machine,
				});
	return STATUS_SUCCESS;
}

NTSTATUS gpu_model_remove_virtual_gpu(GpuModel *model, const GpuModelRequest *request)
{
	GpuModelVirtualGpu *virtual_gpu = gpu_model_virtual_gpu(model, request->handle);

	if (!virtual_gpu)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status = gpu_model_check_caller(
		model, request, owns_machine(model, request, virtual_gpu->machine));
	if (status == STATUS_SUCCESS)
		gpu_model_end_virtual_gpu(model, virtual_gpu, END_REQUESTED);
	return status;
}

/* The model has no contexts other than those created in vaild. */
static bool has_context(GpuModel *model, ProcessKey key)
{
	for (size_t i = 0; i < model->context_count; i++)
		if (gpu_model_process(model, model->contexts[i].process)->key == key)
			return true;
	return false;
}

static bool is_registered(const GpuModel *model, const GpuModelRequest *request)
{
	for (size_t i = 0; i < model->registration_count; i++)
		if (model->registrations[i].machine == request->machine &&
		    model->registrations[i].key == request->from->key)
			return true;
	return false;
}

NTSTATUS gpu_model_register_process(GpuModel *model, const GpuModelRequest *request)
{
	const GpuModelConnection *from = request->from;
	bool has_virtual_gpu = false;

	if (!model->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	if (is_registered(model, request))
		return STATUS_SUCCESS;
	NTSTATUS status = gpu_model_check_caller(model, request, from->uid == GPU_MODEL_VIEWER_UID);
	if (status != STATUS_SUCCESS)
		return status;
	for (size_t i = 0; i < model->virtual_gpu_count; i++)
		has_virtual_gpu |= model->virtual_gpus[i].machine == request->machine;
	if (!has_virtual_gpu)
		return STATUS_GRAPHICS_VAIL_STATE_CHANGED;
	if (!has_context(model, from->key))
		return STATUS_INVALID_DISPOSITION;
	fake_host_must(model->registration_count < GPU_MODEL_REGISTRATIONS);
	model->registrations[model->registration_count++] = (GpuModelRegistration){
		.machine = request->machine,
		.key = from->key,
		.pid = from->pid,
		.uid = from->uid,
	};
	gpu_model_expect(model, (GpuModelEvent){
					.kind = EVENT_REGISTERED,
					.machine = request->machine,
					.pid = from->pid,
					.uid = from->uid,
				});
	return STATUS_SUCCESS;
}
