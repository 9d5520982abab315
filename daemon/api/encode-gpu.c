/* SPDX-License-Identifier: MIT */
/* Encoders for the types of io.vaild.Gpu. */
#include "daemon/api/encode-optional.h"
#include "daemon/api/encode.h"
#include "daemon/api/names.h"
#include "proto/macros.h"

static void encode_mmu(Writer *writer, const GpuMmu *mmu)
{
	writer_key(writer, "virtualAddressBitCount");
	writer_unsigned(writer, gpu_mmu_address_bits(mmu));
	writer_key(writer, "pageTableIndexBitCount");
	writer_array_begin(writer);
	for (unsigned int level = 0; level < mmu->level_count; level++)
		writer_unsigned(writer, mmu->index_bits[level]);
	writer_array_end(writer);
	writer_key(writer, "leafCoverageInBytes");
	writer_unsigned(writer, pages_to_bytes(gpu_mmu_leaf_pages(mmu)));
	writer_key(writer, "rootEntryCoverageInBytes");
	writer_unsigned(writer, pages_to_bytes(gpu_mmu_root_entry_pages(mmu)));
}

/* Returns the name of the driver in the daemon or, of a device, in the kernel; NULL if unknown. */
static const char *driver_name(const Adapter *adapter)
{
	if (adapter->device)
		return adapter->device->driver[0] != '\0' ? adapter->device->driver : NULL;
	return adapter->driver ? adapter->driver->name : NULL;
}

/* Writes where a device of the host is. */
static void encode_device(Writer *writer, const AdapterDevice *device)
{
	OPTIONAL_STRING(writer, "pciAddress", device->is_pci ? device->location : NULL);
	OPTIONAL_STRING(writer, "devicePath", device->is_pci ? NULL : device->location);
	writer_key(writer, "nodes");
	writer_array_begin(writer);
	for (size_t i = 0; i < device->node_count; i++)
		writer_string(writer, device->nodes[i]);
	writer_array_end(writer);
	writer_key(writer, "maxVirtualFunctions");
	writer_unsigned(writer, device->virtual_functions);
}

void encode_adapter(Writer *writer, const Adapter *adapter)
{
	writer_object_begin(writer);
	writer_key(writer, "adapter");
	writer_handle(writer, &adapter->handle_entry.handle);
	writer_key(writer, "name");
	writer_string(writer, adapter->name);
	OPTIONAL_STRING(writer, "driver", driver_name(adapter));
	writer_key(writer, "source");
	writer_string(writer, adapter_source_name(adapter->source));
	if (adapter->device)
		encode_device(writer, adapter->device);
	else
		encode_mmu(writer, &adapter->mmu);
	writer_key(writer, "maxVirtualGpus");
	writer_unsigned(writer, adapter->max_virtual_gpus);
	writer_key(writer, "virtualGpus");
	writer_unsigned(writer, adapter->virtual_gpus);
	if (adapter->system_process) {
		writer_key(writer, "systemProcess");
		writer_handle(writer, &adapter->system_process->handle_entry.handle);
	}
	writer_object_end(writer);
}

void encode_gpu_process(Writer *writer, const GpuProcess *gpu_process, PidNamespace reader)
{
	writer_object_begin(writer);
	writer_key(writer, "process");
	writer_handle(writer, &gpu_process->handle_entry.handle);
	writer_key(writer, "adapter");
	writer_handle(writer, &gpu_process->adapter->handle_entry.handle);
	writer_key(writer, "state");
	writer_string(writer, gpu_process_state_name(gpu_process->state));
	writer_key(writer, "systemProcess");
	writer_boolean(writer, gpu_process->is_system);
	if (gpu_process->process) {
		writer_key(writer, "pid");
		encode_pid(writer, gpu_process->process, reader);
	}
	OPTIONAL_STRING(writer, "name", gpu_process->name);
	if (gpu_process->vm) {
		writer_key(writer, "virtualMachineGuid");
		writer_guid(writer, &gpu_process->vm->guid);
	}
	writer_key(writer, "contexts");
	writer_unsigned(writer, gpu_process->context_count);
	writer_key(writer, "ranges");
	writer_unsigned(writer, address_space_range_count(&gpu_process->space));
	writer_object_end(writer);
}

static void encode_mapping(Writer *writer, GpuProtection protection, bool has_allocation,
			   uint64_t allocation, uint64_t offset)
{
	writer_key(writer, "protection");
	writer_string(writer, gpu_protection_names[protection]);
	if (!has_allocation)
		return;
	writer_key(writer, "allocation");
	writer_unsigned(writer, allocation);
	writer_key(writer, "offsetInBytes");
	writer_unsigned(writer, offset);
}

void encode_range(Writer *writer, const GpuRange *range)
{
	writer_object_begin(writer);
	writer_key(writer, "startVirtualAddress");
	writer_address(writer, pages_to_bytes(range->range.first));
	writer_key(writer, "sizeInBytes");
	writer_unsigned(writer, pages_to_bytes(range->range.end - range->range.first));
	writer_key(writer, "kind");
	writer_string(writer, gpu_range_kind_name(range->kind));
	writer_key(writer, "allowUserModeMapping");
	writer_boolean(writer, range->allow_user_mode_mapping);
	if (range->kind == GPU_RANGE_MAPPING)
		encode_mapping(writer, range->protection, range->has_allocation, range->allocation,
			       range->offset);
	writer_object_end(writer);
}

void encode_translation(Writer *writer, const Translation *translation, bool with_page_table)
{
	writer_key(writer, "state");
	writer_string(writer, translation_state_name(translation->state));
	if (translation->state == TRANSLATION_DRIVER_PAGE_TABLE && with_page_table) {
		writer_key(writer, "pageTableAddress");
		writer_address(writer, translation->page_table_address);
	}
	if (translation->state == TRANSLATION_MAPPED)
		encode_mapping(writer, translation->protection, translation->has_allocation,
			       translation->allocation, translation->offset);
}
