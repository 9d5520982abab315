/* SPDX-License-Identifier: MIT */
/* The method of io.vaild.Gpu that tells which VMs hold GPU devices. */
#include <stdio.h>

#include "daemon/api/caller-roles.h"
#include "daemon/api/encode-optional.h"
#include "daemon/api/encode.h"
#include "daemon/api/methods.h"
#include "daemon/api/names.h"

/* Returns the adapter of the function or of its device. Returns NULL if vaild lists none. */
static const Adapter *find_adapter(Broker *broker, const HeldGpu *gpu)
{
	return adapter_find_device(broker, gpu->parent[0] != '\0' ? gpu->parent : gpu->function);
}

static const char *text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void write_gpu(Writer *writer, Broker *broker, const HeldGpu *gpu)
{
	const Adapter *adapter = find_adapter(broker, gpu);
	char pci_class[16];

	snprintf(pci_class, sizeof(pci_class), "0x%06x", (unsigned int)gpu->pci_class);
	writer_object_begin(writer);
	writer_key(writer, "function");
	writer_string(writer, gpu->function);
	writer_key(writer, "kind");
	writer_string(writer, held_gpu_kind_name((HeldGpuKind)gpu->kind));
	OPTIONAL_STRING(writer, "device", text_or_null(gpu->parent));
	if (adapter) {
		writer_key(writer, "adapter");
		writer_handle(writer, &adapter->handle_entry.handle);
	}
	OPTIONAL_STRING(writer, "profile", text_or_null(gpu->profile));
	OPTIONAL_STRING(writer, "pciClass", gpu->pci_class != 0 ? pci_class : NULL);
	writer_object_end(writer);
}

/*
 * Writes what one of the VM's processes holds. lookup: the result of the search, which has set
 * *held if it is FOUND.
 */
static void write_holder(const ListView *view, Writer *writer, const VirtualMachine *vm,
			 const Process *process, Lookup lookup, const HeldGpus *held)
{
	size_t count = lookup == LOOKUP_FOUND ? held->count : 0;

	writer_object_begin(writer);
	writer_key(writer, "virtualMachineGuid");
	writer_guid(writer, &vm->guid);
	OPTIONAL_STRING(writer, "name", vm->name);
	writer_key(writer, "vmmPid");
	encode_pid(writer, process, view->caller->pid_namespace);
	if (process != vm->vmm) {
		writer_key(writer, "incoming");
		writer_boolean(writer, true);
	}
	writer_key(writer, "since");
	writer_seconds(writer, vm->since);
	writer_key(writer, "complete");
	writer_boolean(writer,
		       lookup == LOOKUP_ABSENT || (lookup == LOOKUP_FOUND && held->is_complete));
	writer_key(writer, "gpus");
	writer_array_begin(writer);
	for (size_t i = 0; i < count; i++)
		write_gpu(writer, view->service->broker, &held->items[i]);
	writer_array_end(writer);
	writer_object_end(writer);
}

/* Returns the running VM with the serial, or NULL. */
static const VirtualMachine *find_vm(const ListView *view, uint64_t serial)
{
	const VirtualMachine *vm = entity_container(
		entity_find(view->service->broker, ENTITY_VIRTUAL_MACHINE, serial), VirtualMachine);

	return vm_is_ending(vm) ? NULL : vm;
}

/* Moves to the next process that runs a VM: after the VMM, the incoming VMM of the same VM. */
static ListStep next_process(const ListView *view, ListCursor *cursor,
			     const VirtualMachine **ret_vm, const Process **ret_process)
{
	const VirtualMachine *vm = cursor->is_inside ? find_vm(view, cursor->position) : NULL;

	cursor->is_inside = false;
	if (vm && vm->incoming) {
		*ret_vm = vm;
		*ret_process = vm->incoming->process;
		return LIST_ITEM;
	}
	ListStep step = list_next_entity(view, cursor, NULL);
	if (step != LIST_ITEM)
		return step;
	*ret_vm = find_vm(view, cursor->position);
	*ret_process = (*ret_vm)->vmm;
	cursor->is_inside = (*ret_vm)->incoming != NULL;
	return LIST_ITEM;
}

/*
 * Looks at the process's open files at the moment at which the item is written. It may have opened
 * or closed a device since the last time, and another VM may have got it.
 */
static ListStep next_holder(const ListView *view, ListCursor *cursor, Writer *writer)
{
	const Host *host = view->service->host;
	ListCursor next = *cursor;
	const VirtualMachine *vm;
	const Process *process;
	ListStep step = next_process(view, &next, &vm, &process);
	HeldGpus held;

	if (step == LIST_ITEM && writer) {
		Lookup lookup = host->find_held_gpus(host->self, view->caller, process->key,
						     process->uid, &held);

		if (lookup == LOOKUP_PENDING)
			return LIST_WAITS;
		write_holder(view, writer, vm, process, lookup, &held);
	}
	*cursor = next;
	return step;
}

static bool holder_is_visible(Service *service, const Caller *caller, const Entity *entity)
{
	(void)service;
	return caller_monitors_vm(caller, container_of(entity, VirtualMachine, entity));
}

static const Guid *holder_machine(const Entity *entity)
{
	return &container_of(entity, VirtualMachine, entity)->guid;
}

static size_t holder_parts(const Entity *entity)
{
	size_t processes = container_of(entity, VirtualMachine, entity)->incoming ? 2 : 1;

	return processes * (1 + LIMIT_HELD_GPUS);
}

const ListOperations list_gpu_holders = {
	.next = next_holder,
	.count = list_count_entities,
	.type = ENTITY_VIRTUAL_MACHINE,
	.is_visible = holder_is_visible,
	.machine = holder_machine,
	.parts = holder_parts,
};
