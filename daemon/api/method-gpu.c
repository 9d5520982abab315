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

static void *adapter_visible_after(Service *service, const Caller *caller, uint64_t serial)
{
	(void)caller;
	return adapter_after(service->broker, serial);
}

static uint64_t adapter_serial(const void *item)
{
	return ((const Adapter *)item)->serial;
}

static void adapter_write(Service *service, Writer *writer, const void *item)
{
	(void)service;
	encode_adapter(writer, item);
}

const ListOperations list_adapters = {
	.after = adapter_visible_after,
	.serial = adapter_serial,
	.write = adapter_write,
};
