/* SPDX-License-Identifier: MIT */
/* Encodes entities as persisted records. */
#include <string.h>

#include "daemon/store/record-schema.h"

/* Shrink the buffer after a record that needs more than this, which is rare. */
#define BUFFER_SIZE_MAX (64u << 10)

void store_init(Store *store, Broker *broker, JsonParser *parser)
{
	*store = (Store){ .broker = broker, .parser = parser, .text = BUFFER_INIT };
}

void store_deinit(Store *store)
{
	buffer_deinit(&store->text);
}

const char *store_kind_name(StoreKind kind)
{
	return kind < STORE_KIND_MAX ? record_kinds[kind].name : "unknown";
}

static bool write_record(Store *store, StoreKind kind, const void *structure)
{
	Writer writer = WRITER_INIT(&store->text);

	buffer_truncate(&store->text, 0);
	writer_object_begin(&writer);
	writer_key(&writer, "kind");
	writer_string(&writer, record_kinds[kind].name);
	fields_write(&writer, &record_kinds[kind].table, structure);
	writer_object_end(&writer);
	return !writer.failed;
}

static NTSTATUS save(Store *store, StoreKind kind, uint64_t serial, const void *structure,
		     Failure *failure)
{
	const Host *host = store->broker->host;
	bool is_saved = write_record(store, kind, structure) &&
			host->persist(host->self, serial, buffer_head(&store->text),
				      buffer_size(&store->text));

	buffer_truncate(&store->text, 0);
	if (store->text.capacity > BUFFER_SIZE_MAX)
		buffer_shrink(&store->text);
	if (is_saved)
		return STATUS_SUCCESS;
	return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "store",
			   "this was not done, because the daemon could not persist it across a "
			   "restart; see its log, and free some space in its runtime directory");
}

static RecordedProcess process_of(const Process *process)
{
	return (RecordedProcess){
		.key = process->key,
		.uid = process->uid,
		.payer = process->entry.account->payer,
	};
}

NTSTATUS store_save_adapter(Store *store, const Adapter *adapter, Failure *failure)
{
	const RecordedAdapter record = {
		.serial = adapter->entity.serial,
		.handle = adapter->handle_entry.handle,
		.system_process = adapter->system_process->handle_entry.handle,
		.name = adapter->name,
	};

	return save(store, STORE_ADAPTER, record.serial, &record, failure);
}

NTSTATUS store_save_client_adapter(Store *store, const Adapter *adapter, uint64_t max_virtual_gpus,
				   Failure *failure)
{
	const GpuMmu *mmu = &adapter->mmu;
	RecordedClientAdapter record = {
		.serial = adapter->entity.serial,
		.handle = adapter->handle_entry.handle,
		.system_process = adapter->system_process->handle_entry.handle,
		.name = adapter->name,
		.level_count = mmu->level_count,
		.max_virtual_gpus = max_virtual_gpus,
		.driver_uid = adapter->driver_uid,
		.payer = adapter->charge.account->payer,
	};

	for (unsigned int level = 0; level < mmu->level_count; level++)
		record.index_bits[level] = mmu->index_bits[level];
	return save(store, STORE_CLIENT_ADAPTER, record.serial, &record, failure);
}

/* --- machines -------------------------------------------------------------------------------- */

static RecordedProcess agent_of(uid_t uid, const Process *process)
{
	return process ? process_of(process) : (RecordedProcess){ .uid = uid };
}

static void record_incoming(RecordedVm *record, const IncomingVmm *incoming)
{
	const Agent *agent = &incoming->agent;

	record->has_incoming = true;
	record->incoming = (RecordedIncoming){
		.vmm = process_of(incoming->process),
		.names_agent = incoming->names_agent,
		.agent_user = agent->user,
		.agent = agent_of(agent->uid, agent->process),
		.guest_state = incoming->told_guest.state,
	};
}

/* Records the agent that the update names, for the VMM or for the incoming VMM. */
static void record_updated_agent(RecordedVm *record, const VmUpdate *update)
{
	const VmSettings *settings = update->settings;
	RecordedProcess agent = agent_of(settings->agent_uid, update->agent_process);

	if (settings->for_incoming) {
		record->incoming.names_agent = true;
		record->incoming.agent_user = settings->agent_user;
		record->incoming.agent = agent;
		return;
	}
	record->has_agent = settings->agent_user || update->agent_process;
	record->agent_user = settings->agent_user;
	record->agent = agent;
	record->agent_is_from_drop_in = settings->agent_is_from_drop_in;
}

/* Records the operator's VMM and account. */
static void record_take_over(RecordedVm *record, const VmTakeOver *take_over)
{
	record->is_found = false;
	record->vmm = process_of(take_over->vmm);
	record->vmm.uid = take_over->vmm_uid;
	record->account = take_over->charge.account->payer.uid;
	record->registered_by = take_over->registrar;
}

static void record_update(RecordedVm *record, const VmUpdate *update)
{
	const VmSettings *settings = update->settings;

	if (update->take_over)
		record_take_over(record, update->take_over);
	if (update->incoming)
		record_incoming(record, update->incoming);
	if (!settings)
		return;
	if (settings->name)
		record->name = settings->name;
	if (settings->guest_state != GUEST_STATE_UNKNOWN)
		*(settings->for_incoming ? &record->incoming.guest_state : &record->guest_state) =
			settings->guest_state;
	record->has_metadata |= settings->has_metadata;
	if (settings->has_display_clients)
		record->display_clients = settings->display_clients;
	if (settings->has_agent)
		record_updated_agent(record, update);
}

NTSTATUS store_save_vm(Store *store, const VirtualMachine *vm, const VmUpdate *update,
		       Failure *failure)
{
	RecordedVm record = {
		.serial = vm->entity.serial,
		.guid = vm->guid,
		.name = vm->name,
		.vmm = process_of(vm->vmm),
		.account = vm->charge.account->payer.uid,
		.registered_by = vm->registered_by,
		.by_operator = vm->by_operator,
		.display_clients = vm->display_clients,
		.has_metadata = vm->has_metadata,
		.has_agent = agent_exists(&vm->agent),
		.agent_user = vm->agent.user,
		.agent = agent_of(vm->agent.uid, vm->agent.process),
		.agent_is_from_drop_in = vm->agent.is_from_drop_in,
		.since = vm->since,
		.is_found = vm_is_found(vm),
		.guest_state = vm->told_guest.state,
	};

	if (vm->incoming)
		record_incoming(&record, vm->incoming);
	if (update)
		record_update(&record, update);
	return save(store, STORE_VIRTUAL_MACHINE, record.serial, &record, failure);
}

static RecordedFunction record_function(HeldGpu *held)
{
	return (RecordedFunction){
		.kind = held->kind,
		.pci_class = held->pci_class,
		.function = held->function,
		.device = held->parent[0] != '\0' ? held->parent : NULL,
	};
}

NTSTATUS store_save_virtual_gpu(Store *store, const VirtualGpu *virtual_gpu, Failure *failure)
{
	RecordedVirtualGpu record = {
		.serial = virtual_gpu->entity.serial,
		.handle = virtual_gpu->handle_entry.handle,
		.vm = virtual_gpu->vm->entity.serial,
		.profile = virtual_gpu->profile,
		.was_found = virtual_gpu->held != NULL,
	};

	if (virtual_gpu->held) {
		record.found = record_function(virtual_gpu->held);
	} else {
		record.adapter = virtual_gpu->adapter->entity.serial;
		record.payer = virtual_gpu->charge.account->payer;
	}
	return save(store, STORE_VIRTUAL_GPU, record.serial, &record, failure);
}

NTSTATUS store_save_registration(Store *store, const Registration *registration, Failure *failure)
{
	const RecordedRegistration record = {
		.serial = registration->entity.serial,
		.vm = registration->vm->entity.serial,
		.process = process_of(registration->process),
		.payer = registration->charge.account->payer,
		.graphics_context = registration->graphics_context,
		.since = registration->since,
		.connection_credentials = registration->connection_credentials,
		.process_credentials = registration->process_credentials,
	};

	return save(store, STORE_REGISTRATION, record.serial, &record, failure);
}

/* --- GPU processes --------------------------------------------------------------------------- */

static void record_reservations(const AddressSpace *space, RecordedGpuProcess *record)
{
	const GpuRange *range;
	uint64_t cursor = 0;

	while ((range = address_space_next(space, &cursor)))
		if (range->kind == GPU_RANGE_DRIVER_RESERVATION)
			record->reservations[record->reservation_count++] = (RecordedReservation){
				.first = range->range.first,
				.end = range->range.end,
				.allow_user_mode_mapping = range->allow_user_mode_mapping,
			};
}

static void record_entries(const AddressSpace *space, RecordedGpuProcess *record)
{
	const PageTableEntry *entry;
	uint64_t cursor = 0;

	while ((entry = address_space_next_entry(space, &cursor)))
		record->entries[record->entry_count++] = entry->number;
}

NTSTATUS store_save_gpu_process(Store *store, const GpuProcess *gpu_process, Failure *failure)
{
	const AddressSpace *space = &gpu_process->space;
	const Process *process = gpu_process->process;
	uint64_t count = address_space_count(space, LIMIT_DRIVER_RESERVATIONS);
	uint64_t entry_count = address_space_count(space, LIMIT_PAGE_TABLE_ENTRIES);
	_cleanup_free_ RecordedReservation *reservations = calloc(count + 1, sizeof(*reservations));
	_cleanup_free_ uint64_t *entries = calloc(entry_count + 1, sizeof(*entries));
	RecordedGpuProcess record = {
		.serial = gpu_process->entity.serial,
		.handle = gpu_process->handle_entry.handle,
		.adapter = gpu_process->adapter->entity.serial,
		.is_system = gpu_process->is_system,
		.process = process ? process_of(process) : (RecordedProcess){ 0 },
		.vm = gpu_process->vm ? gpu_process->vm->entity.serial : 0,
		.name = gpu_process->name,
		.payer = gpu_process->payer,
		.reservations = reservations,
		.entries = entries,
	};

	if (!reservations || !entries)
		return failure_no_memory(failure);
	record_reservations(space, &record);
	record_entries(space, &record);
	return save(store, STORE_GPU_PROCESS, record.serial, &record, failure);
}

NTSTATUS store_save_page_table_entry(Store *store, const GpuProcess *gpu_process,
				     const PageTableEntry *entry, Failure *failure)
{
	const RecordedEntry record = {
		.serial = entry->serial,
		.gpu_process = gpu_process->entity.serial,
		.number = entry->number,
	};

	return save(store, STORE_PAGE_TABLE_ENTRY, record.serial, &record, failure);
}

NTSTATUS store_save_context(Store *store, const Context *context, Failure *failure)
{
	const GpuProcess *gpu_process = context->gpu_process;
	const RecordedContext record = {
		.serial = context->serial,
		.handle = context->handle_entry.handle,
		.gpu_process = gpu_process->entity.serial,
		.payer = context->charge.account->payer,
	};

	NTSTATUS status = save(store, STORE_CONTEXT, record.serial, &record, failure);
	if (status != STATUS_SUCCESS || !context->created_process)
		return status;
	/*
	 * Save the GPU process last. After a crash in between, the context has no GPU process, so
	 * it is not restored. A GPU process without a context would be.
	 */
	status = store_save_gpu_process(store, gpu_process, failure);
	if (status != STATUS_SUCCESS)
		broker_remove_record(store->broker, record.serial);
	return status;
}

NTSTATUS store_save_space_change(Store *store, const GpuProcess *gpu_process,
				 const SpaceChange *change, Failure *failure)
{
	const AddressSpace *space = &gpu_process->space;
	NTSTATUS status = STATUS_SUCCESS;
	size_t saved = 0;

	for (; saved < change->part_count && status == STATUS_SUCCESS; saved++) {
		const RangePart *part = &change->parts[saved];
		const RecordedRange record = {
			.range = part->range,
			.gpu_process = gpu_process->entity.serial,
			.payer = space->user_ranges.account->payer,
			.is_inside = part->tree == &space->mappings,
		};
		StoreKind kind =
			part->range.kind == GPU_RANGE_MAPPING ? STORE_MAPPING : STORE_RESERVATION;

		status = save(store, kind, record.range.serial, &record, failure);
	}
	/* All or none: the saved records are new, so they can be removed. */
	for (size_t i = 0; status != STATUS_SUCCESS && i + 1 < saved; i++)
		broker_remove_record(store->broker, change->parts[i].range.serial);
	return status;
}

/* --- objects --------------------------------------------------------------------------------- */

NTSTATUS store_save_object_sizes(Store *store, const SharedObject *object, const ObjectFd *fds,
				 Failure *failure)
{
	RestoredObject record = {
		.serial = object->entity.serial,
		.handle = object->handle_entry.handle,
		.virtual_machine = object->virtual_machine,
		.settings = {
			.description = object->description,
			.name = object->name,
			.fd_count = object->fd_count,
		},
		.sharer_pid = object->sharer_pid,
		.since = object->since,
	};

	memcpy(record.settings.fds, fds, object->fd_count * sizeof(*fds));
	return save(store, STORE_OBJECT, record.serial, &record, failure);
}

static NTSTATUS save_fds(Store *store, SharedObject *object, Failure *failure)
{
	const Host *host = store->broker->host;

	for (size_t i = 0; i < object->fd_count; i++) {
		ObjectFd *fd = &object->fds[i];

		fd->id = host->fdstore_add(host->self, fd->fd);
		if (fd->id == 0)
			return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "store",
					   "the daemon's file descriptor store is full; unshare "
					   "some objects, or wait until some processes exit");
	}
	return STATUS_SUCCESS;
}

static NTSTATUS save_sharing(Store *store, const SharedObject *object, Failure *failure)
{
	RecordedSharing record = {
		.serial = object->sharing_serial,
		.object = object->handle_entry.handle,
		.vm = object->vm->entity.serial,
		.sharer = process_of(object->sharer),
		.payer = object->charge.account->payer,
		.fd_count = object->fd_count,
	};

	for (size_t i = 0; i < object->fd_count; i++)
		record.fds[i] = object->fds[i].id;
	return save(store, STORE_SHARING, record.serial, &record, failure);
}

NTSTATUS store_save_object(Store *store, SharedObject *object, Failure *failure)
{
	NTSTATUS status = save_fds(store, object, failure);

	if (status == STATUS_SUCCESS)
		status = store_save_object_sizes(store, object, object->fds, failure);
	if (status != STATUS_SUCCESS)
		return status;
	status = save_sharing(store, object, failure);
	if (status != STATUS_SUCCESS)
		broker_remove_record(store->broker, object->entity.serial);
	return status;
}

NTSTATUS store_save_display(Store *store, DisplayChannel *channel, Failure *failure)
{
	const Host *host = store->broker->host;

	channel->own.id = host->fdstore_add(host->self, channel->own.fd);
	if (channel->own.id == 0)
		return failure_set(failure, STATUS_INSUFFICIENT_RESOURCES, "store",
				   "the daemon's file descriptor store is full; close some display "
				   "channels, or wait until some processes exit");
	const RecordedDisplay record = {
		.display = {
			.serial = channel->entity.serial,
			.handle = channel->handle_entry.handle,
			.rights = channel->rights,
			.since = channel->since,
			.own = channel->own,
			.payer = channel->charge.account->payer,
		},
		.registration = channel->registration->entity.serial,
		.fd = channel->own.id,
	};
	return save(store, STORE_DISPLAY, record.display.serial, &record, failure);
}

NTSTATUS store_save_holder(Store *store, const ObjectHolder *holder, Failure *failure)
{
	const RecordedHolder record = {
		.serial = holder->serial,
		.object = holder->object->handle_entry.handle,
		.process = process_of(holder->process),
		.payer = holder->charge.account->payer,
		.since = holder->since,
	};

	return save(store, STORE_HOLDER, record.serial, &record, failure);
}
