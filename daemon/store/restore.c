/* SPDX-License-Identifier: MIT */
/* Restores persisted records: orders them, restores each, and removes those that do not fit. */
#include "daemon/store/restore.h"
#include "daemon/core/removal-batch.h"

#include <stdlib.h>
#include <string.h>

/* Storage for the structure of any record. */
typedef union AnyRecord {
	RecordedAdapter adapter;
	RecordedClientAdapter client_adapter;
	RecordedVm vm;
	RecordedVirtualGpu virtual_gpu;
	RecordedGpuProcess gpu_process;
	RecordedEntry entry;
	RecordedRange range;
	RecordedContext context;
	RecordedRegistration registration;
	RestoredObject object;
	RecordedSharing sharing;
	RecordedHolder holder;
	RecordedDisplay display;
} AnyRecord;

static RestoreReason (*const restorers[])(Restore *restore, void *record) = {
	[STORE_ADAPTER] = restore_adapter,
	[STORE_CLIENT_ADAPTER] = restore_client_adapter,
	[STORE_VIRTUAL_MACHINE] = restore_vm,
	[STORE_VIRTUAL_GPU] = restore_virtual_gpu,
	[STORE_GPU_PROCESS] = restore_gpu_process,
	[STORE_PAGE_TABLE_ENTRY] = restore_page_table_entry,
	[STORE_RESERVATION] = restore_reservation,
	[STORE_MAPPING] = restore_mapping,
	[STORE_CONTEXT] = restore_context,
	[STORE_REGISTRATION] = restore_registration,
	[STORE_OBJECT] = restore_object,
	[STORE_SHARING] = restore_sharing,
	[STORE_HOLDER] = restore_holder,
	[STORE_DISPLAY] = restore_display,
};
_Static_assert(ARRAY_SIZE(restorers) == STORE_KIND_MAX, "each kind has a function");

/* --- helpers --------------------------------------------------------------------------------- */

/* Finds or adds the process, under the uid that it was recorded with. */
static RestoreReason find_process(Restore *restore, const RecordedProcess *from, Process **ret)
{
	Broker *broker = restore->broker;
	const Host *host = broker->host;
	pid_t pid = 0;
	Failure failure;

	ProcessOrigin origin = { .key = from->key, .uid = from->uid, .payer = from->payer };

	*ret = process_find(broker, from->key);
	/* If nothing else is attached, the records before have ended, perhaps with another payer.
	 */
	if (*ret && (*ret)->attached == 1)
		return restore_reason(process_recharge(broker, *ret, &origin, &failure));
	if (*ret)
		return RESTORE_OK;
	switch (host->find_persisted_process(host->self, from->key, &pid)) {
	case LOOKUP_FOUND:
		break;
	case LOOKUP_EXHAUSTED:
		return RESTORE_NO_RESOURCES;
	case LOOKUP_ABSENT:
		return RESTORE_HAS_ENDED;
	default:
		return RESTORE_PROCESS_IS_GONE;
	}
	origin.pid = pid;
	NTSTATUS status = process_attach(broker, &origin, ret, &failure);
	if (status == STATUS_SUCCESS)
		restore->processes[restore->process_count++] = *ret;
	return restore_reason(status);
}

RestoreReason restore_caller(Restore *restore, const RecordedProcess *from, const Payer *payer,
			     Caller *ret)
{
	Process *process;
	RestoreReason reason = find_process(restore, from, &process);

	if (reason != RESTORE_OK)
		return reason;
	*ret = (Caller){
		.process = process->key,
		.pid = process->pid,
		.account = payer->uid,
		.is_operator = payer->is_operator,
		.credentials = { .uid = process->uid },
	};
	return RESTORE_OK;
}

RestoreReason restore_reason(NTSTATUS status)
{
	switch (status) {
	case STATUS_SUCCESS:
		return RESTORE_OK;
	case STATUS_NO_MEMORY:
		return RESTORE_NO_MEMORY;
	case STATUS_INSUFFICIENT_RESOURCES:
		return RESTORE_NO_WATCH;
	default:
		return RESTORE_REFUSED;
	}
}

/* --- one record ------------------------------------------------------------------------------ */

/*
 * Returns the kind from the start of the text, which store_save_*() always writes alike. So each
 * text is parsed only when it is restored.
 */
static StoreKind kind_of(const PersistedRecord *record)
{
	static const char beginning[] = "{\"kind\":\"";
	const char *text = record->text;
	bool is_named = strncmp(text, beginning, strlen(beginning)) == 0;
	const char *name = is_named ? text + strlen(beginning) : "";
	size_t length = strcspn(name, "\"");
	StoreKind kind = 0;

	while (kind < STORE_KIND_MAX && (strlen(record_kinds[kind].name) != length ||
					 memcmp(record_kinds[kind].name, name, length) != 0))
		kind++;
	return kind;
}

/*
 * Tests whether an entity without a record of its own has the serial. These are the ones that a new
 * broker creates, up to the software adapter, and the system processes of restored adapters. The
 * record of a GPU process may be that of such a system process.
 */
static bool serial_is_taken(Broker *broker, StoreKind kind, uint64_t serial)
{
	if (kind == STORE_ADAPTER)
		return false;
	return serial <= adapter_software(broker)->entity.serial ||
	       (kind != STORE_GPU_PROCESS && entity_find(broker, ENTITY_GPU_PROCESS, serial));
}

/* Sets *ret_field to the name of the field that is invalid, or NULL. */
static RestoreReason restore_value(Restore *restore, StoreKind kind, uint64_t serial,
				   const JsonValue *value, const char **ret_field)
{
	static const char *const ignored[] = { "kind", NULL };
	const RecordKind *record_kind = &record_kinds[kind];
	AnyRecord record;
	uint64_t stated;
	RestoreReason reason;

	memset(&record, 0, sizeof(record));
	if (!json_read_unsigned(json_member(value, "serial"), &stated) || stated != serial)
		return RESTORE_WRONG_SERIAL;
	if (serial_is_taken(restore->broker, kind, serial))
		return RESTORE_SERIAL_IS_TAKEN;
	NTSTATUS status = fields_read(&record_kind->table, value, ignored, &record, ret_field);
	if (status == STATUS_INVALID_PARAMETER) {
		reason = RESTORE_INVALID_FIELD;
	} else {
		*ret_field = NULL;
		reason = status == STATUS_SUCCESS ? restorers[kind](restore, &record)
						  : restore_reason(status);
	}
	fields_free(&record_kind->table, &record);
	return reason;
}

/* Returns false if a resource is exhausted; the record is neither restored nor dropped then. */
static bool restore_one(Restore *restore, Store *store, RestoreEntry *entry)
{
	StoreReport *report = restore->report;
	const PersistedRecord *record = entry->record;
	const char *error, *field = NULL;
	RestoreReason reason = RESTORE_UNKNOWN_KIND;
	JsonValue *value = NULL;

	if (entry->kind != STORE_KIND_MAX) {
		value = json_parse(store->parser, record->text, record->size, &error);
		reason = restore_value(restore, entry->kind, record->number, value, &field);
	}
	if (reason == RESTORE_OK) {
		report->restored[entry->kind]++;
	} else if (restore_reason_is_exhaustion(reason)) {
		restore_refuse(report, entry->kind, record->number, reason);
	} else {
		entry->is_dropped = true;
		entry->had_ended = reason == RESTORE_HAS_ENDED;
		if (!entry->had_ended)
			restore_report_drop(report, entry->kind, record->number, reason, field);
		if (entry->kind == STORE_RESERVATION && reason != RESTORE_GPU_PROCESS_IS_GONE)
			restore->has_lost_reservation = true;
	}
	json_free(value); /* owns the field's name */
	return !restore_reason_is_exhaustion(reason);
}

/* --- all records ----------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
	const RestoreEntry *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return compare_numbers(x->record->number, y->record->number);
}

/* Returns NULL if out of memory. */
static RestoreEntry *order_records(const PersistedRecords *records)
{
	RestoreEntry *entries = calloc(records->count + 1, sizeof(*entries));

	for (size_t i = 0; entries && i < records->count; i++)
		entries[i] = (RestoreEntry){ .kind = kind_of(&records->items[i]),
					     .record = &records->items[i] };
	if (entries)
		qsort(entries, records->count, sizeof(*entries), compare_entries);
	return entries;
}

/*
 * Tests whether an entity that has not been restored had ended before the restart: its record was
 * removed, or was dropped for that reason.
 */
static bool had_ended(const Restore *restore, StoreKind kind, uint64_t serial)
{
	const PersistedRecords *records = restore->records;
	const PersistedRecord record = { .number = serial };
	const RestoreEntry wanted = { .kind = kind, .record = &record };
	const RestoreEntry *found =
		bsearch(&wanted, restore->entries, records->count, sizeof(wanted), compare_entries);

	if (found)
		return found->had_ended;
	return serial <= records->last_number && !records->is_incomplete;
}

RestoreReason restore_without_vm(const Restore *restore, uint64_t vm)
{
	return had_ended(restore, STORE_VIRTUAL_MACHINE, vm) ? RESTORE_HAS_ENDED
							     : RESTORE_VM_IS_GONE;
}

RestoreReason restore_without_gpu_process(const Restore *restore, uint64_t gpu_process)
{
	return had_ended(restore, STORE_GPU_PROCESS, gpu_process) ? RESTORE_HAS_ENDED
								  : RESTORE_GPU_PROCESS_IS_GONE;
}

RestoreReason restore_without_registration(const Restore *restore, uint64_t registration)
{
	return had_ended(restore, STORE_REGISTRATION, registration) ? RESTORE_HAS_ENDED
								    : RESTORE_REGISTRATION_IS_GONE;
}

/* Reports an unused object, unless nothing but its own record was left of it. */
static void report_unused(const Restore *restore, const SharedObject *object)
{
	StoreReport *report = restore->report;

	report->restored[STORE_OBJECT]--;
	if (object->has_lost_use || restore->records->is_incomplete)
		restore_report_drop(report, STORE_OBJECT, object->entity.serial, RESTORE_IS_UNUSED,
				    NULL);
}

/*
 * Ends the restored objects that are not shared or held. Reports nothing if the restore has failed:
 * their sharers and holders may only not have been restored yet.
 */
static void end_unused_objects(Restore *restore, bool is_restored)
{
	for (size_t i = 0; i < restore->object_count; i++) {
		SharedObject *object = restore->objects[i];

		if (object->vm || object->holder_count > 0)
			continue;
		if (is_restored)
			report_unused(restore, object);
		object_end_if_unused(restore->broker, object);
	}
}

static void release_processes(Restore *restore)
{
	for (size_t i = 0; i < restore->process_count; i++)
		process_release(restore->broker, restore->processes[i]);
}

/* Returns false if a resource is exhausted. */
static bool restore_entries(Restore *restore, Store *store, RestoreEntry *entries, size_t count)
{
	const Host *host = restore->broker->host;

	for (size_t i = 0; i < count; i++) {
		host->restoring(host->self, i, count);
		if (!restore_one(restore, store, &entries[i]))
			return false;
	}
	return restore_check_privileges(restore);
}

/* Removes the records that were not restored. Call when the restore can no longer fail. */
static void remove_dropped(Restore *restore, const RestoreEntry *entries, size_t count)
{
	RemovalBatch batch;

	removal_batch_begin(&batch, restore->broker->host);
	for (size_t i = 0; i < count; i++)
		if (entries[i].is_dropped)
			removal_batch_add(&batch, entries[i].record->number);
	removal_batch_end(&batch);
	end_unused_objects(restore, true);
	release_processes(restore);
	for (size_t i = 0; i < restore->handed_over_count; i++)
		vm_report_hand_over(restore->broker, restore->handed_over[i]);
	restore_end_changed(restore);
}

/* Prepares the broker to be freed without removing records and without events. */
static void abandon(Restore *restore)
{
	const Host *host = restore->broker->host;

	host->stop_persisting(host->self);
	end_unused_objects(restore, false);
	release_processes(restore);
}

/*
 * The arrays are large enough, because a record names at most one object, one registration, one VM,
 * and four processes.
 */
static bool restore_all(Restore *restore, Store *store, const PersistedRecords *records)
{
	Broker *broker = restore->broker;
	/* The entities that a new broker creates have serials too. */
	uint64_t last_serial = records->last_number > broker->last_serial ? records->last_number
									  : broker->last_serial;
	size_t count = records->count;
	_cleanup_free_ RestoreEntry *entries = order_records(records);
	_cleanup_free_ Process **processes = calloc(4 * count + 1, sizeof(Process *));
	_cleanup_free_ VirtualMachine **handed_over = calloc(count + 1, sizeof(VirtualMachine *));
	_cleanup_free_ SharedObject **objects = calloc(count + 1, sizeof(SharedObject *));
	_cleanup_free_ PendingRegistration *registrations =
		calloc(count + 1, sizeof(PendingRegistration));
	bool is_restored = entries && processes && objects && registrations && handed_over;

	restore->records = records;
	restore->has_lost_reservation = records->is_incomplete;
	restore->entries = entries;
	restore->processes = processes;
	restore->objects = objects;
	restore->registrations = registrations;
	restore->handed_over = handed_over;
	broker_restore_begin(broker, last_serial);
	if (is_restored)
		is_restored = restore_entries(restore, store, entries, count);
	else
		restore_refuse(restore->report, STORE_KIND_MAX, 0, RESTORE_NO_MEMORY);
	if (!is_restored) {
		abandon(restore);
		return false;
	}
	broker_restore_end(broker, last_serial);
	remove_dropped(restore, entries, count);
	return true;
}

bool store_restore(Store *store, const PersistedRecords *records, StoreReport *ret)
{
	Broker *broker = store->broker;
	Restore restore = { .broker = broker, .report = ret };
	Adapter *software = adapter_software(broker);
	Failure failure;

	*ret = (StoreReport){ 0 };
	if (!restore_all(&restore, store, records))
		return false;
	if (ret->restored[STORE_ADAPTER] == 0 &&
	    store_save_adapter(store, software, &failure) != STATUS_SUCCESS)
		restore_report_drop(ret, STORE_ADAPTER, software->entity.serial,
				    RESTORE_ADAPTER_NOT_SAVED, NULL);
	return true;
}
