/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Gpu: graphics contexts. */
#include "daemon/api/dispatch.h"

NTSTATUS method_create_context(Request *request)
{
	Broker *broker = request->service->broker;
	Context *context;
	NTSTATUS status = request_await_fdstore(request);

	if (status == STATUS_SUCCESS)
		status = context_prepare(broker, request->caller, request->subject.adapter,
					 &context, &request->failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = store_save_context(&request->service->store, context, &request->failure);
	if (status != STATUS_SUCCESS) {
		context_discard(broker, context);
		return status;
	}
	context_commit(broker, context);
	request->changed = true;
	writer_key(request->reply, "context");
	writer_handle(request->reply, &context->handle_entry.handle);
	writer_key(request->reply, "process");
	writer_handle(request->reply, &context->gpu_process->handle_entry.handle);
	return STATUS_SUCCESS;
}

NTSTATUS method_destroy_context(Request *request)
{
	context_end(request->service->broker, request->subject.context);
	request->changed = true;
	return STATUS_SUCCESS;
}
