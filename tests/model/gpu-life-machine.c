/* SPDX-License-Identifier: MIT */
/* Expected statuses for virtual machines, as far as adapters and GPU processes are concerned. */
#include <string.h>

#include "tests/model/gpu-life-model.h"

static void add_machine(Life *life, const LifeRequest *request, const LifeHost *vmm)
{
	life->machines[request->machine] = (LifeMachine){
		.runs = true,
		.vmm = vmm->key,
		.pid = vmm->pid,
		.uid = vmm->uid,
		.registered_by = request->from->uid,
	};
	life_expect(life, (LifeEvent){
				  .kind = EVENT_VIRTUAL_MACHINE_ADDED,
				  .machine = request->machine,
				  .pid = vmm->pid,
				  .uid = vmm->uid,
			  });
}

NTSTATUS life_register_machine(Life *life, const LifeRequest *request)
{
	const LifeMachine *machine = &life->machines[request->machine];
	const LifeHost *vmm = life_live_pid(life, request->pid);
	NTSTATUS status = life_check_caller(life, request, life_is_operator(life, request->from));

	if (status != STATUS_SUCCESS)
		return status;
	/* A VM whose VMM is found dead ends now. */
	if (machine->runs && !life_host(life, machine->vmm)->alive)
		life_process_exited(life, machine->vmm);
	if (!vmm)
		return STATUS_INVALID_PARAMETER;
	if (machine->runs && machine->vmm == vmm->key)
		return STATUS_SUCCESS;
	status = life_check_limit(life, LIMIT_VIRTUAL_MACHINES, request->from->uid);
	if (status != STATUS_SUCCESS)
		return status;
	if (machine->runs)
		return STATUS_OBJECT_NAME_COLLISION;
	add_machine(life, request, vmm);
	return STATUS_SUCCESS;
}

static bool owns_machine(const Life *life, const LifeRequest *request, int machine)
{
	return life_is_operator(life, request->from) ||
	       life->machines[machine].registered_by == request->from->uid;
}

NTSTATUS life_unregister_machine(Life *life, const LifeRequest *request)
{
	if (!life->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	NTSTATUS status =
		life_check_caller(life, request, owns_machine(life, request, request->machine));
	if (status == STATUS_SUCCESS)
		life_end_machine(life, request->machine, END_VM_UNREGISTERED);
	return status;
}

NTSTATUS life_assign(Life *life, const LifeRequest *request)
{
	const LifeAdapter *adapter = request->handle[0] != '\0'
					     ? life_adapter(life, request->handle)
					     : &life->adapters[0];
	NTSTATUS status;

	if (!life->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	status = life_check_caller(life, request, owns_machine(life, request, request->machine));
	if (status == STATUS_SUCCESS && !adapter)
		status = STATUS_INVALID_HANDLE;
	if (status == STATUS_SUCCESS &&
	    life_virtual_gpus_of(life, adapter) >= adapter->max_virtual_gpus)
		status = STATUS_QUOTA_EXCEEDED;
	if (status == STATUS_SUCCESS)
		status = life_check_limit(life, LIMIT_VIRTUAL_GPUS, request->from->uid);
	if (status != STATUS_SUCCESS)
		return status;
	fake_host_must(life->virtual_gpu_count < LIFE_VIRTUAL_GPUS);
	LifeVirtualGpu *virtual_gpu = &life->virtual_gpus[life->virtual_gpu_count++];
	*virtual_gpu = (LifeVirtualGpu){ .machine = request->machine, .payer = request->from->uid };
	strcpy(virtual_gpu->adapter, adapter->handle);
	life_expect(life, (LifeEvent){
				  .kind = EVENT_VIRTUAL_GPU_ASSIGNED,
				  .machine = request->machine,
			  });
	return STATUS_SUCCESS;
}

NTSTATUS life_remove_virtual_gpu(Life *life, const LifeRequest *request)
{
	LifeVirtualGpu *virtual_gpu = life_virtual_gpu(life, request->handle);

	if (!virtual_gpu)
		return STATUS_INVALID_HANDLE;
	NTSTATUS status =
		life_check_caller(life, request, owns_machine(life, request, virtual_gpu->machine));
	if (status == STATUS_SUCCESS)
		life_end_virtual_gpu(life, virtual_gpu, END_REQUESTED);
	return status;
}

/* The model has no contexts other than those created in vaild. */
static bool has_context(Life *life, ProcessKey key)
{
	for (size_t i = 0; i < life->context_count; i++)
		if (life_process(life, life->contexts[i].process)->key == key)
			return true;
	return false;
}

static bool is_registered(const Life *life, const LifeRequest *request)
{
	for (size_t i = 0; i < life->registration_count; i++)
		if (life->registrations[i].machine == request->machine &&
		    life->registrations[i].key == request->from->key)
			return true;
	return false;
}

NTSTATUS life_register_process(Life *life, const LifeRequest *request)
{
	const LifeConnection *from = request->from;
	bool has_virtual_gpu = false;

	if (!life->machines[request->machine].runs)
		return STATUS_NOT_FOUND;
	if (is_registered(life, request))
		return STATUS_SUCCESS;
	NTSTATUS status = life_check_caller(life, request, from->uid == LIFE_VIEWER_UID);
	if (status != STATUS_SUCCESS)
		return status;
	for (size_t i = 0; i < life->virtual_gpu_count; i++)
		has_virtual_gpu |= life->virtual_gpus[i].machine == request->machine;
	if (!has_virtual_gpu)
		return STATUS_GRAPHICS_VAIL_STATE_CHANGED;
	if (!has_context(life, from->key))
		return STATUS_INVALID_DISPOSITION;
	fake_host_must(life->registration_count < LIFE_REGISTRATIONS);
	life->registrations[life->registration_count++] = (LifeRegistration){
		.machine = request->machine,
		.key = from->key,
		.pid = from->pid,
		.uid = from->uid,
	};
	life_expect(life, (LifeEvent){
				  .kind = EVENT_REGISTERED,
				  .machine = request->machine,
				  .pid = from->pid,
				  .uid = from->uid,
			  });
	return STATUS_SUCCESS;
}
