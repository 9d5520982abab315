/* SPDX-License-Identifier: MIT */
/* Methods of io.vaild.Gpu: a process's own calls on its address space, and reading it. */
#include "daemon/api/dispatch.h"
#include "daemon/api/encode.h"

static Placement placement_of(const PlacementParams *params)
{
	return (Placement){
		.size = params->size.value,
		.base_address = params->base_address.value,
		.has_base = params->base_address.present,
		.minimum = params->minimum.value,
		.maximum = params->maximum.present ? params->maximum.value : UINT64_MAX,
	};
}

/* Persists a prepared change and commits it, or discards it if it cannot be persisted. */
static NTSTATUS finish(Request *request, SpaceChange *change)
{
	GpuProcess *gpu_process = request->subject.gpu_process;
	NTSTATUS status = store_save_space_change(&request->service->store, gpu_process, change,
						  &request->failure);

	if (status == STATUS_SUCCESS)
		gpu_process_commit(request->service->broker, gpu_process, change);
	else
		address_space_discard(&gpu_process->space, change);
	return status;
}

static NTSTATUS finish_with_address(Request *request, SpaceChange *change)
{
	NTSTATUS status = finish(request, change);

	if (status != STATUS_SUCCESS)
		return status;
	writer_key(request->reply, "virtualAddress");
	writer_address(request->reply, pages_to_bytes(change->place.first));
	return STATUS_SUCCESS;
}

NTSTATUS method_reserve_gpu_virtual_address(Request *request)
{
	const Placement placement = placement_of(&request->params.placement);
	const Payer payer = payer_of(request->caller);
	SpaceChange change;
	NTSTATUS status =
		gpu_process_prepare_reserve(request->service->broker, request->subject.gpu_process,
					    &payer, &placement, &change, &request->failure);

	return status == STATUS_SUCCESS ? finish_with_address(request, &change) : status;
}

NTSTATUS method_map_gpu_virtual_address(Request *request)
{
	const PlacementParams *params = &request->params.placement;
	const Placement placement = placement_of(params);
	const Mapping mapping = {
		.allocation = params->allocation.value,
		.offset = params->offset.value,
		.has_allocation = params->allocation.present,
		.protection = (GpuProtection)params->protection.value,
	};
	const Payer payer = payer_of(request->caller);
	SpaceChange change;
	NTSTATUS status =
		gpu_process_prepare_map(request->service->broker, request->subject.gpu_process,
					&payer, &placement, &mapping, &change, &request->failure);

	return status == STATUS_SUCCESS ? finish_with_address(request, &change) : status;
}

NTSTATUS method_free_gpu_virtual_address(Request *request)
{
	const PlacementParams *params = &request->params.placement;
	const Payer payer = payer_of(request->caller);
	SpaceChange change;
	NTSTATUS status = gpu_process_prepare_free(
		request->service->broker, request->subject.gpu_process, &payer,
		params->base_address.value, params->size.value, &change, &request->failure);

	return status == STATUS_SUCCESS ? finish(request, &change) : status;
}

NTSTATUS method_translate_gpu_virtual_address(Request *request)
{
	const GpuProcess *gpu_process = request->subject.gpu_process;
	bool with_page_table =
		request->caller->is_operator || caller_is_driver(request->caller, gpu_process);
	Translation translation;
	NTSTATUS status = address_space_translate(&gpu_process->space,
						  request->params.page_table.virtual_address.value,
						  &translation, &request->failure);

	if (status == STATUS_SUCCESS)
		encode_translation(request->reply, &translation, with_page_table);
	return status;
}

/*
 * Looks up the process each time, because it may end while the list is read, or a reload may take
 * the caller's right to see it. The list ends then.
 */
static const GpuProcess *listed_process(const ListView *view)
{
	const GpuProcess *gpu_process = gpu_process_find(view->service->broker, &view->subject);

	return gpu_process && caller_sees_gpu_process(view->caller, gpu_process) ? gpu_process
										 : NULL;
}

static ListStep next_range(const ListView *view, ListCursor *cursor, Writer *writer)
{
	const GpuProcess *gpu_process = listed_process(view);
	const GpuRange *range =
		gpu_process ? address_space_next(&gpu_process->space, &cursor->position) : NULL;

	if (range && writer)
		encode_range(writer, range);
	return range ? LIST_ITEM : LIST_ENDS;
}

static ListStep count_ranges(const ListView *view, ListCursor *cursor)
{
	const GpuProcess *gpu_process = listed_process(view);

	cursor->parts = gpu_process ? address_space_range_count(&gpu_process->space) : 0;
	return LIST_ENDS;
}

const ListOperations list_ranges = { .next = next_range, .count = count_ranges };
