/* SPDX-License-Identifier: MIT */
#include "daemon/api/caller-roles.h"

bool caller_matches_agent(const Caller *caller, const Agent *agent)
{
	if (!agent_exists(agent))
		return false;
	return agent->process ? agent->process->key == caller->process
			      : agent->uid == caller->credentials.uid && id_is_mapped(agent->uid);
}

bool caller_is_agent(const Caller *caller, const VirtualMachine *vm)
{
	return caller_matches_agent(caller, &vm->agent) ||
	       (vm->incoming && caller_matches_agent(caller, &vm->incoming->agent));
}

bool caller_may_share(Service *service, const Caller *caller)
{
	return process_may_share(service->broker, caller->process) ||
	       agent_find_by_user(service->broker, caller->credentials.uid);
}

bool event_ends_role(const Event *event, const Caller *caller)
{
	return (event->former_vmm && event->former_vmm->key == caller->process) ||
	       (event->former_agent && caller_matches_agent(caller, event->former_agent));
}

bool event_may_change_sharing(const Event *event, const Caller *caller)
{
	const VirtualMachine *vm = container_of(event->entity, VirtualMachine, entity);

	return vm_is_run_by(vm, caller->process) || caller_is_agent(caller, vm) ||
	       event_ends_role(event, caller);
}

/* A caller in another user namespace never administers a VM that an operator registered. */
static bool caller_is_registrar(const Caller *caller, const VirtualMachine *vm)
{
	return caller->credentials.uid == vm->registered_by && id_is_mapped(vm->registered_by) &&
	       (caller->in_initial_user_namespace || !vm->by_operator);
}

bool caller_monitors_vm(const Caller *caller, const VirtualMachine *vm)
{
	return caller_sees_all(caller) || caller_is_registrar(caller, vm) ||
	       vm_is_run_by(vm, caller->process) || caller_is_agent(caller, vm);
}

bool caller_administers_vm(const Caller *caller, const VirtualMachine *vm)
{
	return caller->is_operator || caller_is_registrar(caller, vm);
}

bool caller_is_driver(const Caller *caller, const GpuProcess *gpu_process)
{
	return gpu_process->adapter->connection == caller;
}

static bool caller_is_gpu_process(const Caller *caller, const GpuProcess *gpu_process)
{
	return gpu_process->process && gpu_process->process->key == caller->process;
}

bool caller_sees_gpu_process(const Caller *caller, const GpuProcess *gpu_process)
{
	PolicyFacts facts = {
		.is_operator = caller->is_operator,
		.is_observer = caller->is_observer,
		.is_driver = caller_is_driver(caller, gpu_process),
		.is_process_itself = caller_is_gpu_process(caller, gpu_process),
	};

	return policy_allows_process_view(&facts);
}

PolicyFacts caller_facts(Service *service, const Caller *caller, const Subject *subject)
{
	const VirtualMachine *vm = subject->vm;
	const Context *context = subject->context;
	PolicyFacts facts = {
		.is_operator = caller->is_operator,
		.is_observer = caller->is_observer,
		.may_quarantine = caller->may_quarantine,
		.allow_user_machines = service->settings.allow_user_machines,
		.difference = DIFFERENCE_UNREADABLE,
	};

	if (vm) {
		facts.is_registrar = caller_is_registrar(caller, vm);
		facts.names_machine = true;
		facts.is_vmm = vm_is_run_by(vm, caller->process);
		facts.is_agent = caller_is_agent(caller, vm);
		facts.is_registered = subject->registration != NULL;
		facts.resembles_client =
			display_clients_match_connection(&vm->display_clients, caller);
		facts.is_quarantined = quarantine_find(service->broker, &vm->guid) != NULL;
	}
	if (context)
		facts.is_context_owner = caller_is_gpu_process(caller, context->gpu_process);
	if (subject->object) {
		const SharedObject *object = subject->object;

		facts.is_object_sharer = object->sharer && object->sharer->key == caller->process;
		facts.is_object_holder = object_holder(object, caller->process) != NULL;
	}
	if (subject->display)
		facts.is_display_opener =
			subject->display->registration->process->key == caller->process;
	if (subject->adapter)
		facts.is_driver = subject->adapter->connection == caller;
	if (subject->gpu_process) {
		facts.is_driver = caller_is_driver(caller, subject->gpu_process);
		facts.is_process_itself = caller_is_gpu_process(caller, subject->gpu_process);
	}
	return facts;
}

bool caller_sees_vm(Service *service, const Caller *caller, VirtualMachine *vm)
{
	Subject subject = {
		.vm = vm,
		.registration = registration_find(service->broker, caller->process, vm),
	};
	if (subject.registration && vm_prunes(subject.registration))
		subject.registration = NULL;
	PolicyFacts facts = caller_facts(service, caller, &subject);

	return policy_allows_view(&facts);
}
