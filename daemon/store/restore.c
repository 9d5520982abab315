/* SPDX-License-Identifier: MIT */
/* From records to things: which come first, what fits, and what becomes of the rest. */
#include "restore.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The largest structure of a record. */
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
} AnyRecord;

static const char *(*const restorers[])(Restore *restore, void *record) = {
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
};
_Static_assert(ARRAY_SIZE(restorers) == STORE_KIND_MAX, "each kind comes back");

/* --- what several of them need --------------------------------------------------------------- */

/* The process, which is there from now on under the uid that it was known by. */
static const char *find_process(Restore *restore, const RecordedProcess *from, Process **ret)
{
	Broker *broker = restore->broker;
	const Host *host = broker->host;
	pid_t pid = 0;
	Failure failure;

	*ret = process_find(broker, from->key);
	if (*ret)
		return NULL;
	switch (host->find_kept_process(host->self, from->key, &pid)) {
	case EVIDENCE_FOUND:
		break;
	case EVIDENCE_EXHAUSTED:
		return "there are no resources left to look at its process";
	default:
		return "its process is gone";
	}
	const ProcessOrigin origin = {
		.key = from->key,
		.pid = pid,
		.uid = from->uid,
		.payer = { .uid = from->account },
	};
	NTSTATUS status = process_attach(broker, &origin, ret, &failure);
	if (status == STATUS_SUCCESS)
		restore->processes[restore->process_count++] = *ret;
	return restore_reason(status);
}

const char *restore_caller(Restore *restore, const RecordedProcess *from, uid_t account,
			   Caller *ret)
{
	Process *process;
	const char *reason = find_process(restore, from, &process);

	if (reason)
		return reason;
	*ret = (Caller){
		.process = process->key,
		.pid = process->pid,
		.account = account,
		.credentials = { .uid = process->uid },
	};
	return NULL;
}

const char *restore_reason(NTSTATUS status)
{
	switch (status) {
	case STATUS_SUCCESS:
		return NULL;
	case STATUS_NO_MEMORY:
		return "there is no memory for it";
	case STATUS_INSUFFICIENT_RESOURCES:
		return "its process cannot be watched";
	default:
		return "it fits nowhere";
	}
}

/* --- one record ------------------------------------------------------------------------------ */

static void report_drop(StoreReport *report, StoreKind kind, uint64_t serial, const char *format,
			...) _printf_(4, 5);

static void report_drop(StoreReport *report, StoreKind kind, uint64_t serial, const char *format,
			...)
{
	va_list arguments;

	report->dropped[kind]++;
	if (report->drop_count++ >= STORE_DROPS_MAX)
		return;
	StoreDrop *drop = &report->drops[report->drop_count - 1];
	drop->kind = kind;
	drop->serial = serial;
	va_start(arguments, format);
	vsnprintf(drop->reason, sizeof(drop->reason), format, arguments);
	va_end(arguments);
}

static StoreKind kind_of(const JsonValue *value)
{
	const char *name = json_string(json_member(value, "kind"));
	StoreKind kind = 0;

	while (kind < STORE_KIND_MAX && (!name || strcmp(record_kinds[kind].name, name) != 0))
		kind++;
	return kind;
}

/* Whether what came without a record of its own has the serial: what a fresh broker makes by
 * itself, which is first, and system processes, which may have one all the same. */
static bool serial_is_taken(Broker *broker, StoreKind kind, uint64_t serial)
{
	if (kind == STORE_ADAPTER)
		return false;
	return serial <= adapter_software(broker)->thing.serial ||
	       (kind != STORE_GPU_PROCESS && thing_find(broker, THING_GPU_PROCESS, serial));
}

/* The one that the host has kept it under is the one that it names. */
static const char *restore_value(Restore *restore, StoreKind kind, uint64_t serial,
				 const JsonValue *value, const char **ret_name)
{
	static const char *const ignored[] = { "kind", NULL };
	const RecordKind *record_kind = &record_kinds[kind];
	AnyRecord record;
	uint64_t named;
	const char *reason;

	memset(&record, 0, sizeof(record));
	*ret_name = NULL;
	if (!json_read_unsigned(json_member(value, "serial"), &named) || named != serial)
		return "it names another serial than its own";
	if (serial_is_taken(restore->broker, kind, serial))
		return RESTORE_SERIAL_IS_TAKEN;
	if (fields_read(&record_kind->table, value, ignored, &record, ret_name)) {
		*ret_name = NULL;
		reason = restorers[kind](restore, &record);
	} else {
		reason = "not as it has to be";
	}
	fields_free(&record_kind->table, &record);
	return reason;
}

static void restore_one(Restore *restore, Store *store, StoreKind kind, const StoredRecord *stored,
			StoreReport *report)
{
	const char *reason, *name = NULL;
	JsonValue *value = NULL;

	if (kind == STORE_KIND_MAX) {
		reason = "it is of no kind that this vaild knows";
	} else {
		value = json_parse(store->parser, stored->text, stored->size, &reason);
		reason = restore_value(restore, kind, stored->serial, value, &name);
	}
	if (!reason) {
		report->restored[kind]++;
	} else {
		report_drop(report, kind, stored->serial, "%s%s%s", name ? name : "",
			    name ? " is " : "", reason);
		broker_drop(restore->broker, stored->serial);
	}
	json_free(value);
}

/* --- all of them ----------------------------------------------------------------------------- */

/* A record's place in the order in which they come back. */
typedef struct Place {
	StoreKind kind;
	const StoredRecord *stored;
} Place;

static int compare_places(const void *a, const void *b)
{
	const Place *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return compare_numbers(x->stored->serial, y->stored->serial);
}

/* NULL: there is no memory. Each text is parsed twice, so that not all are held at a time. */
static Place *order_records(Store *store, const StoredRecord *records, size_t count)
{
	Place *places = calloc(count + 1, sizeof(*places));

	for (size_t i = 0; places && i < count; i++) {
		const char *error;
		JsonValue *value =
			json_parse(store->parser, records[i].text, records[i].size, &error);

		places[i] = (Place){ .kind = kind_of(value), .stored = &records[i] };
		json_free(value);
	}
	if (places)
		qsort(places, count, sizeof(*places), compare_places);
	return places;
}

/* Objects that came back for nobody: they were shared by who is gone, and nobody holds them. */
static void end_unused_objects(Restore *restore, StoreReport *report)
{
	for (size_t i = 0; i < restore->object_count; i++) {
		SharedObject *object = restore->objects[i];

		if (object->vm || object->holder_count > 0)
			continue;
		report->restored[STORE_OBJECT]--;
		report_drop(report, STORE_OBJECT, object->thing.serial,
			    "it is neither shared nor held any more");
		object_end_if_unused(restore->broker, object);
	}
}

/* Whether the process has still the privileges of a display client. */
static Difference look_again(Broker *broker, const Registration *registration)
{
	const Host *host = broker->host;
	DisplayClients *clients = &registration->vm->display_clients;
	Credentials now = CREDENTIALS_INIT;
	const Privileges privileges = {
		.connection = &registration->connection_credentials,
		.process = &now,
	};

	if (host->read_credentials(host->self, registration->process->key, &now) != EVIDENCE_FOUND)
		return DIFFERENCE_UNREADABLE;
	Difference difference = DIFFERENCE_UNREADABLE;
	if (display_clients_refresh(clients, host, registration->connection_credentials.uid))
		difference = display_clients_compare(clients, &privileges);
	credentials_deinit(&now);
	return difference;
}

/* Those whose privileges are not what they were end now, before anybody is served. */
static void end_unmatched_registrations(Broker *broker, StoreReport *report)
{
	uint64_t cursor = 0;
	Registration *registration;

	while ((registration = registration_after(broker, cursor))) {
		Difference difference = look_again(broker, registration);

		cursor = registration->thing.serial;
		if (difference == DIFFERENCE_NONE)
			continue;
		report->restored[STORE_REGISTRATION]--;
		report_drop(report, STORE_REGISTRATION, cursor,
			    "its privileges are no display client's any more (%s)",
			    difference_name(difference));
		registration_end(broker, registration, END_PRIVILEGES_CHANGED);
	}
}

static void release_processes(Restore *restore)
{
	for (size_t i = 0; i < restore->process_count; i++)
		process_release(restore->broker, restore->processes[i]);
}

/* A record speaks of an object, or of two processes at most. */
static bool restore_all(Restore *restore, Store *store, const StoredRecord *records, size_t count,
			StoreReport *report)
{
	_cleanup_free_ Place *places = order_records(store, records, count);
	_cleanup_free_ Process **processes = calloc(2 * count + 1, sizeof(Process *));
	_cleanup_free_ SharedObject **objects = calloc(count + 1, sizeof(SharedObject *));

	if (!places || !processes || !objects)
		return false;
	restore->processes = processes;
	restore->objects = objects;
	for (size_t i = 0; i < count; i++)
		restore_one(restore, store, places[i].kind, places[i].stored, report);
	end_unused_objects(restore, report);
	release_processes(restore);
	return true;
}

/* The last that was given, before the restart or since. */
static uint64_t find_last_serial(const Broker *broker, const StoredRecord *records, size_t count)
{
	uint64_t last = broker->last_serial;

	for (size_t i = 0; i < count; i++)
		if (records[i].serial > last)
			last = records[i].serial;
	return last;
}

bool store_restore(Store *store, const StoredRecord *records, size_t count, StoreReport *ret)
{
	Broker *broker = store->broker;
	Restore restore = { .broker = broker };
	Adapter *software = adapter_software(broker);
	Failure failure;

	uint64_t last_serial = find_last_serial(broker, records, count);
	*ret = (StoreReport){ 0 };
	broker_restore_begin(broker, last_serial);
	bool is_restored = restore_all(&restore, store, records, count, ret);
	broker_restore_end(broker, last_serial);
	if (!is_restored)
		return false;
	end_unmatched_registrations(broker, ret);
	if (ret->restored[STORE_ADAPTER] == 0 &&
	    store_keep_adapter(store, software, &failure) != STATUS_SUCCESS)
		report_drop(ret, STORE_ADAPTER, software->thing.serial,
			    "the software adapter could not be kept, and what is on it will not "
			    "be either");
	return true;
}
