/* SPDX-License-Identifier: MIT */
/* From records to things: which come first, what fits, and what becomes of the rest. */
#include "restore.h"
#include "drops.h"

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
		return RESTORE_NO_EVIDENCE;
	default:
		return RESTORE_PROCESS_IS_GONE;
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
		return RESTORE_NO_MEMORY;
	case STATUS_INSUFFICIENT_RESOURCES:
		return RESTORE_NO_WATCH;
	default:
		return "it fits nowhere";
	}
}

/* --- one record ------------------------------------------------------------------------------ */

/* By how the text begins, as it was written: so no text is parsed before its turn. */
static StoreKind kind_of(const StoredRecord *stored)
{
	static const char beginning[] = "{\"kind\":\"";
	const char *text = stored->text;
	bool is_named = strncmp(text, beginning, strlen(beginning)) == 0;
	const char *name = is_named ? text + strlen(beginning) : "";
	size_t length = strcspn(name, "\"");
	StoreKind kind = 0;

	while (kind < STORE_KIND_MAX && (strlen(record_kinds[kind].name) != length ||
					 memcmp(record_kinds[kind].name, name, length) != 0))
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
	NTSTATUS status = fields_read(&record_kind->table, value, ignored, &record, ret_name);
	if (status == STATUS_INVALID_PARAMETER) {
		reason = "not as it has to be";
	} else {
		*ret_name = NULL;
		reason = status == STATUS_SUCCESS ? restorers[kind](restore, &record)
						  : restore_reason(status);
	}
	fields_free(&record_kind->table, &record);
	return reason;
}

/* A record's place in the order in which they come back. */
typedef struct Place {
	StoreKind kind;
	const StoredRecord *stored;
	bool is_dropped;
} Place;

/* What became of the record, whose member of that name is wrong if there is one. */
static bool report_one(StoreReport *report, Place *place, const char *name, const char *reason)
{
	uint64_t serial = place->stored->serial;

	if (!reason) {
		report->restored[place->kind]++;
		return true;
	}
	if (restore_reason_is_exhaustion(reason)) {
		restore_refuse(report, place->kind, serial, reason);
		return false;
	}
	place->is_dropped = true;
	restore_report_drop(report, place->kind, serial, "%s%s%s", name ? name : "",
			    name ? " is " : "", reason);
	return true;
}

/* False: something is exhausted, and the record is neither restored nor dropped. */
static bool restore_one(Restore *restore, Store *store, Place *place)
{
	const StoredRecord *stored = place->stored;
	const char *reason = "it is of no kind that this vaild knows", *name = NULL;
	JsonValue *value = NULL;

	if (place->kind != STORE_KIND_MAX) {
		value = json_parse(store->parser, stored->text, stored->size, &reason);
		reason = restore_value(restore, place->kind, stored->serial, value, &name);
	}
	bool is_done = report_one(restore->report, place, name, reason);
	json_free(value);
	return is_done;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
	const Place *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return compare_numbers(x->stored->serial, y->stored->serial);
}

/* NULL: there is no memory. */
static Place *order_records(const StoredRecords *records)
{
	Place *places = calloc(records->count + 1, sizeof(*places));

	for (size_t i = 0; places && i < records->count; i++)
		places[i] = (Place){ .kind = kind_of(&records->items[i]),
				     .stored = &records->items[i] };
	if (places)
		qsort(places, records->count, sizeof(*places), compare_places);
	return places;
}

static void report_unused(StoreReport *report, const SharedObject *object)
{
	report->restored[STORE_OBJECT]--;
	restore_report_drop(report, STORE_OBJECT, object->thing.serial, RESTORE_IS_UNUSED);
}

/* Objects that came back for nobody: they were shared by who is gone, and nobody holds them; or
 * who shares or holds them has not come back yet, and then there is nothing to report. */
static void end_unused_objects(Restore *restore, StoreReport *report)
{
	for (size_t i = 0; i < restore->object_count; i++) {
		SharedObject *object = restore->objects[i];

		if (object->vm || object->holder_count > 0)
			continue;
		if (report)
			report_unused(report, object);
		object_end_if_unused(restore->broker, object);
	}
}

static void release_processes(Restore *restore)
{
	for (size_t i = 0; i < restore->process_count; i++)
		process_release(restore->broker, restore->processes[i]);
}

/* Whether all there is to be known is known. */
static bool restore_things(Restore *restore, Store *store, Place *places, size_t count)
{
	const Host *host = restore->broker->host;

	for (size_t i = 0; i < count; i++) {
		host->restoring(host->self, i, count);
		if (!restore_one(restore, store, &places[i]))
			return false;
	}
	return restore_look_again(restore);
}

/* What comes back no more is let go, now that nothing can fail. */
static void drop_the_rest(Restore *restore, const Place *places, size_t count)
{
	Drops drops;

	drops_begin(&drops, restore->broker->host);
	for (size_t i = 0; i < count; i++)
		if (places[i].is_dropped)
			drops_add(&drops, places[i].stored->serial);
	drops_end(&drops);
	end_unused_objects(restore, restore->report);
	release_processes(restore);
	restore_end_unmatched(restore);
}

/* What has come back can be freed, with everything kept; that it goes is the end of nothing, and
 * nobody is told. */
static void take_apart(Restore *restore)
{
	const Host *host = restore->broker->host;

	host->stop_keeping(host->self);
	end_unused_objects(restore, NULL);
	release_processes(restore);
}

/* A record speaks of an object, a registration, or two processes at most. */
static bool restore_all(Restore *restore, Store *store, const StoredRecords *records)
{
	Broker *broker = restore->broker;
	/* Before the restart, or since: what a new broker makes by itself has serials, too. */
	uint64_t last_serial = records->last_serial > broker->last_serial ? records->last_serial
									  : broker->last_serial;
	size_t count = records->count;
	_cleanup_free_ Place *places = order_records(records);
	_cleanup_free_ Process **processes = calloc(2 * count + 1, sizeof(Process *));
	_cleanup_free_ SharedObject **objects = calloc(count + 1, sizeof(SharedObject *));
	_cleanup_free_ LookedAt *registrations = calloc(count + 1, sizeof(LookedAt));
	bool is_restored = places && processes && objects && registrations;

	restore->processes = processes;
	restore->objects = objects;
	restore->registrations = registrations;
	broker_restore_begin(broker, last_serial);
	if (is_restored)
		is_restored = restore_things(restore, store, places, count);
	else
		restore_refuse(restore->report, STORE_KIND_MAX, 0, RESTORE_NO_MEMORY);
	if (!is_restored) {
		take_apart(restore);
		return false;
	}
	broker_restore_end(broker, last_serial);
	drop_the_rest(restore, places, count);
	return true;
}

bool store_restore(Store *store, const StoredRecords *records, StoreReport *ret)
{
	Broker *broker = store->broker;
	Restore restore = { .broker = broker, .report = ret };
	Adapter *software = adapter_software(broker);
	Failure failure;

	*ret = (StoreReport){ 0 };
	if (!restore_all(&restore, store, records))
		return false;
	if (ret->restored[STORE_ADAPTER] == 0 &&
	    store_keep_adapter(store, software, &failure) != STATUS_SUCCESS)
		restore_report_drop(ret, STORE_ADAPTER, software->thing.serial,
				    "the software adapter could not be kept, and what is on it "
				    "will not be either");
	return true;
}
