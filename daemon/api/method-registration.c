/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild: registration of host processes for VMs, and Watch. */
#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"
#include "daemon/api/stream.h"

/* Finds the caller's graphics context: one made through vaild, else an open GPU device. */
static NTSTATUS find_graphics_context(Request *request, GraphicsContextKind *ret_kind)
{
	const Host *host = request->service->host;
	const Process *process = process_find(request->service->broker, request->caller->process);

	if (process && process_has_context(process)) {
		*ret_kind = GRAPHICS_CONTEXT_VAILD;
		return STATUS_SUCCESS;
	}
	Lookup lookup = host->find_graphics_context(host->self, request->caller, ret_kind);
	if (lookup == LOOKUP_FOUND)
		return STATUS_SUCCESS;
	if (lookup == LOOKUP_PENDING)
		return STATUS_PENDING;
	if (lookup == LOOKUP_GONE || lookup == LOOKUP_EXHAUSTED)
		return caller_lookup_failure(lookup, &request->failure);
	return failure_set(&request->failure, STATUS_INVALID_DISPOSITION, "graphicsContext",
			   "the calling process has no graphics context; make one with "
			   "io.vaild.Gpu.CreateContext, or open a GPU device");
}

static NTSTATUS register_caller(Request *request, Registration **ret_registration)
{
	Broker *broker = request->service->broker;
	VirtualMachine *vm = request->subject.vm;
	GraphicsContextKind graphics_context = GRAPHICS_CONTEXT_VAILD;

	NTSTATUS status = request_await_look(request);
	if (status == STATUS_SUCCESS)
		status = request_await_fdstore(request);
	if (status == STATUS_SUCCESS)
		status = find_graphics_context(request, &graphics_context);
	if (status != STATUS_SUCCESS)
		return status;
	status = registration_prepare(broker, request->caller, vm, &request->credentials,
				      graphics_context, ret_registration, &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_registration(&request->service->store, *ret_registration,
					 &request->failure);
	if (status != STATUS_SUCCESS) {
		registration_discard(broker, *ret_registration);
		return status;
	}
	registration_commit(broker, *ret_registration);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* Seed D3DKMTRegisterVailProcess. Returns an existing registration without checking it again. */
NTSTATUS method_register_vail_process(Request *request)
{
	Registration *registration = request->subject.registration;

	if (!registration) {
		NTSTATUS status = register_caller(request, &registration);
		if (status != STATUS_SUCCESS)
			return status;
	}
	writer_key(request->reply, "registration");
	encode_registration(request->reply, registration, request->caller->pid_namespace);
	return STATUS_SUCCESS;
}

NTSTATUS method_unregister_vail_process(Request *request)
{
	Registration *registration = request->subject.registration;

	if (!registration)
		return failure_set(&request->failure, STATUS_NOT_FOUND, "registration",
				   "the calling process is not registered for this VM; "
				   "io.vaild.ListRegistrations lists its registrations");
	registration_end(request->service->broker, registration, END_REQUESTED);
	request->changed = true;
	return STATUS_SUCCESS;
}

NTSTATUS method_revoke_registration(Request *request)
{
	uint64_t pid = request->params.revoke.pid.value;
	Registration *registration =
		pid > INT32_MAX ? NULL
				: registration_find_by_pid(request->subject.vm, (pid_t)pid,
							   request->caller->pid_namespace);

	if (!registration)
		return failure_set(&request->failure, STATUS_NOT_FOUND, "registration",
				   "no process with this pid is registered for the VM; "
				   "io.vaild.ListRegistrations lists those that are");
	registration_end(request->service->broker, registration, END_REVOKED);
	request->changed = true;
	return STATUS_SUCCESS;
}

/* Turns the stream into a watch, which sends all replies. */
NTSTATUS method_watch(Request *request)
{
	return stream_watch(request->stream, request);
}

static bool registration_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	const Registration *registration = container_of(entity, Registration, entity);

	(void)service;
	return caller_sees_all(caller) || registration->process->key == caller->process;
}

static void registration_write(const ListView *view, Writer *writer, const Entity *entity)
{
	encode_registration(writer, container_of(entity, Registration, entity),
			    view->caller->pid_namespace);
}

const ListOperations list_registrations = {
	.next = list_next_entity,
	.count = list_count_entities,
	.type = ENTITY_REGISTRATION,
	.is_visible = registration_is_visible,
	.write = registration_write,
};
