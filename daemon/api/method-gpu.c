/* SPDX-License-Identifier: MIT */
/* io.vaild.Gpu: adapters and graphics contexts. */
#include "encode.h"
#include "methods.h"

NTSTATUS method_create_context(Request *request)
{
	Broker *broker = request->service->broker;
	Context *context;
	NTSTATUS status = context_prepare(broker, request->caller, request->subject.adapter,
					  &context, &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	context_commit(broker, context);
	request->changed = true;
	writer_key(request->reply, "context");
	writer_handle(request->reply, &context->named.handle);
	writer_key(request->reply, "process");
	writer_handle(request->reply, &context->gpu_process->named.handle);
	return STATUS_SUCCESS;
}

NTSTATUS method_destroy_context(Request *request)
{
	context_end(request->service->broker, request->subject.context);
	request->changed = true;
	return STATUS_SUCCESS;
}

static bool adapter_is_visible(Service *service, const Caller *caller, const Thing *thing)
{
	(void)service;
	(void)caller;
	(void)thing;
	return true;
}

static void adapter_write(Service *service, Writer *writer, const Thing *thing)
{
	(void)service;
	encode_adapter(writer, container_of(thing, Adapter, thing));
}

const ListOperations list_adapters = {
	.type = THING_ADAPTER,
	.is_visible = adapter_is_visible,
	.write = adapter_write,
};
