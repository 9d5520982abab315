/* SPDX-License-Identifier: MIT */
/* Typed calls for adapters, GPU processes and their virtual address spaces. */
#include <string.h>

#include "client/libvail/internal.h"
#include "client/libvail/list.h"
#include "client/libvail/names.h"

/* ---- Calls ---- */

static void parameters_begin_with(Parameters *parameters, const char *process)
{
	parameters_begin(parameters);
	put_required(parameters, "process", process);
}

/* Calls a method whose only parameter is a GPU process. */
static NTSTATUS call_with_process(struct vail *vail, const char *method, const char *process)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin_with(&parameters, process);
	return parameters_call_plain(vail, method, &parameters);
}

/* The same for a GPU process and an address. */
static NTSTATUS call_with_address(struct vail *vail, const char *method, const char *process,
				  uint64_t address)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin_with(&parameters, process);
	put_address(&parameters, "virtualAddress", address);
	return parameters_call_plain(vail, method, &parameters);
}

/* Without ret_address the caller could never free a range that vaild has placed. */
static void check_result_wanted(Parameters *parameters, uint64_t base, const uint64_t *ret_address)
{
	if (base == 0 && !ret_address)
		parameters->wrong = "ret_address is NULL; pass it, or give a base";
}

/* Calls a method whose reply is an address. ret_address may be NULL. */
static NTSTATUS call_for_address(struct vail *vail, const char *method, Parameters *parameters,
				 const char *name, uint64_t *ret_address)
{
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;
	NTSTATUS status = parameters_call(vail, method, parameters, &message, &reply);

	return status == STATUS_SUCCESS ? read_address(vail, reply, name, ret_address) : status;
}

/* ---- Adapters ---- */

/* Counts the page table levels and the bits of their indices. */
static NTSTATUS check_levels(struct vail *vail, const VailAdapter *adapter, size_t *ret_levels,
			     uint64_t *ret_bits)
{
	size_t levels = 0;
	uint64_t bits = 0;

	for (size_t i = 0; i < VAIL_PAGE_TABLE_LEVEL_MAX; i++) {
		uint8_t count = adapter->page_table_index_bit_count[i];

		if (count > 0 && levels < i)
			return error_set(vail, STATUS_INVALID_PARAMETER,
					 "page_table_index_bit_count has a 0 before its end; begin "
					 "with the leaf table and leave no level out");
		levels += count > 0;
		bits += count;
	}
	*ret_levels = levels;
	*ret_bits = bits;
	return STATUS_SUCCESS;
}

static void put_adapter(Parameters *parameters, const VailAdapter *adapter, size_t levels,
			uint64_t bits)
{
	put_required(parameters, "name", adapter->name);
	put_number(parameters, "virtualAddressBitCount", bits + 12);
	writer_key(&parameters->writer, "pageTableIndexBitCount");
	writer_array_begin(&parameters->writer);
	for (size_t i = 0; i < levels; i++)
		writer_unsigned(&parameters->writer, adapter->page_table_index_bit_count[i]);
	writer_array_end(&parameters->writer);
	put_number_unless_0(parameters, "maxVirtualGpus", adapter->max_virtual_gpus);
}

/* Decodes the whole reply before setting any result. */
static NTSTATUS read_adapter(struct vail *vail, const JsonValue *reply, char *ret_adapter,
			     char *ret_system_process, bool *ret_restored)
{
	char adapter[VAIL_HANDLE_SIZE], process[VAIL_HANDLE_SIZE];
	NTSTATUS status = read_handle(vail, reply, "adapter", adapter);

	if (status == STATUS_SUCCESS)
		status = read_handle(vail, reply, "systemProcess", process);
	if (status != STATUS_SUCCESS)
		return status;
	memcpy(ret_adapter, adapter, VAIL_HANDLE_SIZE);
	memcpy(ret_system_process, process, VAIL_HANDLE_SIZE);
	*ret_restored = member_flag(reply, "restored");
	return STATUS_SUCCESS;
}

NTSTATUS vail_register_adapter(struct vail *vail, const VailAdapter *adapter,
			       char ret_adapter[VAIL_HANDLE_SIZE],
			       char ret_system_process[VAIL_HANDLE_SIZE], bool *ret_restored)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters = { 0 };
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;
	size_t levels = 0;
	uint64_t bits = 0;

	if (!vail || !adapter || !ret_adapter || !ret_system_process || !ret_restored)
		return STATUS_INVALID_PARAMETER;
	if (adapter->size != sizeof(*adapter))
		return refuse_size(vail, "VAIL_ADAPTER_INIT");
	NTSTATUS status = check_levels(vail, adapter, &levels, &bits);
	if (status != STATUS_SUCCESS)
		return status;
	parameters_begin(&parameters);
	put_adapter(&parameters, adapter, levels, bits);
	status = parameters_call(vail, "io.vaild.Gpu.RegisterAdapter", &parameters, &message,
				 &reply);
	if (status != STATUS_SUCCESS)
		return status;
	return read_adapter(vail, reply, ret_adapter, ret_system_process, ret_restored);
}

NTSTATUS vail_unregister_adapter(struct vail *vail, const char *adapter)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin(&parameters);
	put_required(&parameters, "adapter", adapter);
	return parameters_call_plain(vail, "io.vaild.Gpu.UnregisterAdapter", &parameters);
}

/* ---- Drivers' calls for a GPU process ---- */

NTSTATUS vail_create_process(struct vail *vail, const char *adapter, const VailGpuProcess *process,
			     char ret_process[VAIL_HANDLE_SIZE])
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters = { 0 };
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;

	if (!vail || !ret_process)
		return STATUS_INVALID_PARAMETER;
	if (process && process->size != sizeof(*process))
		return refuse_size(vail, "VAIL_GPU_PROCESS_INIT");
	parameters_begin(&parameters);
	put_required(&parameters, "adapter", adapter);
	if (process) {
		put_pid(&parameters, "pid", process->pid);
		put_string(&parameters, "name", process->name);
		put_string(&parameters, "virtualMachineGuid", process->virtual_machine);
	}
	NTSTATUS status =
		parameters_call(vail, "io.vaild.Gpu.CreateProcess", &parameters, &message, &reply);
	if (status != STATUS_SUCCESS)
		return status;
	return read_handle(vail, reply, "process", ret_process);
}

NTSTATUS vail_reserve_address_range(struct vail *vail, const char *process, uint64_t size,
				    uint64_t alignment, uint64_t base, bool allow_user_mode_mapping,
				    uint64_t *ret_address)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin_with(&parameters, process);
	put_number(&parameters, "sizeInBytes", size);
	put_number_unless_0(&parameters, "alignment", alignment);
	put_address_unless_0(&parameters, "baseAddress", base);
	writer_key(&parameters.writer, "allowUserModeMapping");
	writer_boolean(&parameters.writer, allow_user_mode_mapping);
	check_result_wanted(&parameters, base, ret_address);
	return call_for_address(vail, "io.vaild.Gpu.ReserveGpuVirtualAddressRange", &parameters,
				"startVirtualAddress", ret_address);
}

NTSTATUS vail_complete_create_process(struct vail *vail, const char *process)
{
	return call_with_process(vail, "io.vaild.Gpu.CompleteCreateProcess", process);
}

NTSTATUS vail_destroy_process(struct vail *vail, const char *process)
{
	return call_with_process(vail, "io.vaild.Gpu.DestroyProcess", process);
}

NTSTATUS vail_set_page_table_entry(struct vail *vail, const char *process, uint64_t address,
				   uint64_t page_table_address)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin_with(&parameters, process);
	put_address(&parameters, "virtualAddress", address);
	put_address(&parameters, "pageTableAddress", page_table_address);
	return parameters_call_plain(vail, "io.vaild.Gpu.SetReservedPageTableEntry", &parameters);
}

NTSTATUS vail_evict_page_table(struct vail *vail, const char *process, uint64_t address)
{
	return call_with_address(vail, "io.vaild.Gpu.EvictPageTable", process, address);
}

NTSTATUS vail_make_page_table_resident(struct vail *vail, const char *process, uint64_t address)
{
	return call_with_address(vail, "io.vaild.Gpu.MakePageTableResident", process, address);
}

/* ---- Calls by graphics processes ---- */

static void put_place(Parameters *parameters, uint64_t base, uint64_t minimum, uint64_t maximum)
{
	put_address_unless_0(parameters, "baseAddress", base);
	put_address_unless_0(parameters, "minimumAddress", minimum);
	put_address_unless_0(parameters, "maximumAddress", maximum);
}

NTSTATUS vail_reserve_address(struct vail *vail, const char *process, uint64_t size, uint64_t base,
			      uint64_t minimum, uint64_t maximum, uint64_t *ret_address)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin_with(&parameters, process);
	put_number(&parameters, "sizeInBytes", size);
	put_place(&parameters, base, minimum, maximum);
	check_result_wanted(&parameters, base, ret_address);
	return call_for_address(vail, "io.vaild.Gpu.ReserveGpuVirtualAddress", &parameters,
				"virtualAddress", ret_address);
}

/* vaild requires an allocation for read and read-write, even if it is 0. Otherwise omits 0. */
static void put_allocation(Parameters *parameters, const VailMapping *mapping)
{
	bool is_required = mapping->protection == VAIL_PROTECTION_READ ||
			   mapping->protection == VAIL_PROTECTION_READ_WRITE;

	if (is_required || mapping->allocation != 0)
		put_number(parameters, "allocation", mapping->allocation);
	put_number_unless_0(parameters, "offsetInBytes", mapping->offset);
}

NTSTATUS vail_map_address(struct vail *vail, const char *process, const VailMapping *mapping,
			  uint64_t *ret_address)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters = { 0 };

	if (!vail || !mapping)
		return STATUS_INVALID_PARAMETER;
	if (mapping->size != sizeof(*mapping))
		return refuse_size(vail, "VAIL_MAPPING_INIT");
	parameters_begin_with(&parameters, process);
	put_number(&parameters, "sizeInBytes", mapping->size_in_bytes);
	put_place(&parameters, mapping->base, mapping->minimum, mapping->maximum);
	const char *protection = protection_name(mapping->protection);
	if (protection)
		put_string(&parameters, "protection", protection);
	else
		parameters.wrong = "mapping->protection is not set; set one of "
				   "VAIL_PROTECTION_...";
	put_allocation(&parameters, mapping);
	check_result_wanted(&parameters, mapping->base, ret_address);
	return call_for_address(vail, "io.vaild.Gpu.MapGpuVirtualAddress", &parameters,
				"virtualAddress", ret_address);
}

NTSTATUS vail_free_address(struct vail *vail, const char *process, uint64_t address, uint64_t size)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;

	parameters_begin_with(&parameters, process);
	put_address(&parameters, "baseAddress", address);
	put_number(&parameters, "sizeInBytes", size);
	return parameters_call_plain(vail, "io.vaild.Gpu.FreeGpuVirtualAddress", &parameters);
}

/* ---- Address spaces ---- */

static VailProtection read_protection(const JsonValue *object)
{
	return protection_from_name(member_text(object, "protection"));
}

/* The size of the struct in its first version; smaller sizes are invalid. */
#define TRANSLATION_SIZE_MIN (offsetof(VailTranslation, page_table_address) + sizeof(uint64_t))

NTSTATUS vail_translate_address(struct vail *vail, const char *process, uint64_t address,
				VailTranslation *ret_translation)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters = { 0 };
	_cleanup_(free_message) JsonValue *message = NULL;
	JsonValue *reply = NULL;

	if (!vail || !ret_translation)
		return STATUS_INVALID_PARAMETER;
	if (ret_translation->size < TRANSLATION_SIZE_MIN)
		return refuse_size(vail, "VAIL_TRANSLATION_INIT");
	parameters_begin_with(&parameters, process);
	put_address(&parameters, "virtualAddress", address);
	NTSTATUS status = parameters_call(vail, "io.vaild.Gpu.TranslateGpuVirtualAddress",
					  &parameters, &message, &reply);
	if (status != STATUS_SUCCESS)
		return status;
	VailTranslation translation = {
		.size = sizeof(translation),
		.state = translation_state_from_name(member_text(reply, "state")),
		.protection = read_protection(reply),
		.allocation = member_number(reply, "allocation"),
		.offset = member_number(reply, "offsetInBytes"),
		.page_table_address = member_address(reply, "pageTableAddress"),
	};
	if (ret_translation->size < translation.size)
		translation.size = ret_translation->size;
	memcpy(ret_translation, &translation, translation.size);
	return STATUS_SUCCESS;
}

/* ---- Lists ---- */

/* The user's callback for a list's items. Exactly one of the takers is set. */
typedef struct ListCallback {
	VailRangeTaker take_range;
	VailGpuProcessTaker take_process;
	void *context;
} ListCallback;

static bool report_range(struct vail *vail, const JsonValue *value, void *context)
{
	const ListCallback *list = context;
	VailRange range = {
		.size = sizeof(range),
		.kind = range_kind_from_name(member_text(value, "kind")),
		.address = member_address(value, "startVirtualAddress"),
		.size_in_bytes = member_number(value, "sizeInBytes"),
		.allow_user_mode_mapping = member_flag(value, "allowUserModeMapping"),
		.protection = read_protection(value),
		.allocation = member_number(value, "allocation"),
		.offset = member_number(value, "offsetInBytes"),
	};

	return list->take_range(vail, &range, list->context);
}

static bool report_process(struct vail *vail, const JsonValue *value, void *context)
{
	const ListCallback *list = context;
	const char *state = member_text(value, "state");
	VailListedGpuProcess process = {
		.size = sizeof(process),
		.process = member_text(value, "process"),
		.adapter = member_text(value, "adapter"),
		.is_running = state && strcmp(state, "running") == 0,
		.is_system = member_flag(value, "systemProcess"),
		.pid = (pid_t)member_number(value, "pid"),
		.name = member_text(value, "name"),
		.virtual_machine = member_text(value, "virtualMachineGuid"),
		.contexts = member_number(value, "contexts"),
		.ranges = member_number(value, "ranges"),
	};

	return list->take_process(vail, &process, list->context);
}

NTSTATUS vail_describe_address_space(struct vail *vail, const char *process, VailRangeTaker take,
				     void *context)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	ListCallback list = { .take_range = take, .context = context };

	parameters_begin_with(&parameters, process);
	if (!take)
		parameters.wrong = "take is NULL; it is required";
	return parameters_call_list(vail, "io.vaild.Gpu.DescribeAddressSpace", &parameters,
				    "ranges", report_range, &list);
}

NTSTATUS vail_list_gpu_processes(struct vail *vail, VailGpuProcessTaker take, void *context)
{
	use_or_refuse(vail);
	_cleanup_(parameters_deinit) Parameters parameters;
	ListCallback list = { .take_process = take, .context = context };

	parameters_begin(&parameters);
	if (!take)
		parameters.wrong = "take is NULL; it is required";
	return parameters_call_list(vail, "io.vaild.Gpu.ListProcesses", &parameters, "processes",
				    report_process, &list);
}
