/* SPDX-License-Identifier: MIT */
/* The restart of the fake host: persisted records, the fd store, stop and start. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-host.h"

/* --- persisted records ----------------------------------------------------------------------- */

/* Returns the index of the record with this serial, or the index at which to insert it. */
static size_t find_index(const World *world, uint64_t serial)
{
	size_t low = 0, high = world->kept_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (world->kept[middle].serial < serial)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const World *world, size_t index, uint64_t serial)
{
	return index < world->kept_count && world->kept[index].serial == serial;
}

void world_write_record(World *world, uint64_t serial, const char *text, size_t size)
{
	size_t index = find_index(world, serial);

	if (is_at(world, index, serial)) {
		free(world->kept[index].text);
	} else {
		world->kept = realloc(world->kept, (world->kept_count + 1) * sizeof(*world->kept));
		world_must(world->kept != NULL);
		memmove(&world->kept[index + 1], &world->kept[index],
			(world->kept_count - index) * sizeof(*world->kept));
		world->kept_count++;
	}
	if (serial > world->last_kept_serial)
		world->last_kept_serial = serial;
	world->kept[index] = (FakeKept){ .serial = serial, .text = strndup(text, size) };
	world_must(world->kept[index].text != NULL);
}

static bool fake_keep(void *self, uint64_t serial, const char *record, size_t size)
{
	World *world = self;

	world_must(serial > 0 && serial <= world->service.broker->last_serial);
	world_must(memchr(record, '\n', size) == NULL && memchr(record, '\0', size) == NULL);
	if (world->refuse_keep && world->keeps_before_refusal == 0)
		return false;
	if (world->refuse_keep)
		world->keeps_before_refusal--;
	world->keeps++;
	world_write_record(world, serial, record, size);
	return true;
}

/* A serial must have a record: each is removed only once. */
static void remove_record(World *world, uint64_t serial)
{
	size_t index = find_index(world, serial);

	if (world->is_stopping)
		return;
	if (world->crashes && world->drops_before_crash == 0)
		return;
	if (world->crashes)
		world->drops_before_crash--;
	world_must(is_at(world, index, serial));
	free(world->kept[index].text);
	memmove(&world->kept[index], &world->kept[index + 1],
		(world->kept_count - index - 1) * sizeof(*world->kept));
	world->kept_count--;
}

static void fake_drop(void *self, const uint64_t *serials, size_t count)
{
	for (size_t i = 0; i < count; i++)
		remove_record(self, serials[i]);
}

const char *world_record(const World *world, const char *part)
{
	for (size_t i = 0; i < world->kept_count; i++)
		if (strstr(world->kept[i].text, part))
			return world->kept[i].text;
	return NULL;
}

/* --- the fd store and processes -------------------------------------------------------------- */

static uint64_t fake_keep_descriptor(void *self, Descriptor descriptor)
{
	World *world = self;
	FakeDescriptor *fake = world_descriptor_of(world, descriptor);

	world_must(fake->kept_id == 0);
	if (world->refuse_keep_descriptor)
		return 0;
	return fake->kept_id = ++world->last_kept_id;
}

static Evidence fake_find_kept_descriptor(void *self, uint64_t id, Descriptor *ret)
{
	World *world = self;

	if (world->exhaust_find_descriptor)
		return EVIDENCE_EXHAUSTED;
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++) {
		FakeDescriptor *fake = &world->descriptors[i];

		if (!fake->open || fake->kept_id != id || fake->is_claimed)
			continue;
		fake->is_claimed = true;
		*ret = (Descriptor)i + 1;
		return EVIDENCE_FOUND;
	}
	return EVIDENCE_ABSENT;
}

static Evidence fake_find_kept_process(void *self, ProcessKey key, pid_t *ret_pid)
{
	const World *world = self;

	for (size_t i = 0; i < world->process_count; i++) {
		const FakeProcess *process = &world->processes[i];

		if (process->key != key || !process->is_persisted)
			continue;
		if (process->is_hidden)
			return EVIDENCE_EXHAUSTED;
		*ret_pid = process->pid;
		return process->alive ? EVIDENCE_FOUND : EVIDENCE_GONE;
	}
	return EVIDENCE_ABSENT;
}

static void fake_restoring(void *self, size_t done, size_t count)
{
	(void)self;
	world_must(done < count);
}

static void fake_stop_keeping(void *self)
{
	((World *)self)->is_stopping = true;
}

void world_init_store(World *world)
{
	Host *host = &world->host;

	host->keep = fake_keep;
	host->drop = fake_drop;
	host->keep_descriptor = fake_keep_descriptor;
	host->find_kept_descriptor = fake_find_kept_descriptor;
	host->find_kept_process = fake_find_kept_process;
	host->restoring = fake_restoring;
	host->stop_keeping = fake_stop_keeping;
}

/* --- start and stop -------------------------------------------------------------------------- */

/* Copies the records, because the restore reads them while it removes some. */
static PersistedRecord *copy_records(const World *world)
{
	PersistedRecord *records = calloc(world->kept_count + 1, sizeof(*records));

	world_must(records != NULL);
	for (size_t i = 0; i < world->kept_count; i++)
		records[i] = (PersistedRecord){
			.number = world->kept[i].serial,
			.text = strdup(world->kept[i].text),
			.size = strlen(world->kept[i].text),
		};
	return records;
}

/* Forgets processes and closes fds that the restore has not claimed. */
static void release_unclaimed(World *world)
{
	for (size_t i = 0; i < world->process_count; i++)
		world->processes[i].is_persisted = world->processes[i].watched;
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++) {
		FakeDescriptor *fake = &world->descriptors[i];

		if (fake->open && fake->kept_id > 0 && !fake->is_claimed)
			fake->open = false;
		fake->is_claimed = false;
	}
}

static void restore_quarantines(World *world)
{
	for (size_t i = 0; i < world->quarantine_count; i++) {
		const FakeQuarantine *kept = &world->quarantines[i];
		char *reason = kept->has_reason ? strdup(kept->reason) : NULL;
		Failure failure;

		world_must(quarantine_restore(world->service.broker, &kept->guid, &reason,
					      &failure) == STATUS_SUCCESS);
	}
}

/* Runs the daemon code of a start. */
static bool start_broker(World *world, PersistedRecord *items, size_t count)
{
	const PersistedRecords records = { .items = items,
					   .count = count,
					   .last_number = world->last_kept_serial };
	Service *service = &world->service;

	service->broker = broker_new(&world->host, &service->settings.limits,
				     &service->settings.software_adapter);
	if (!service->broker)
		return false;
	store_init(&service->store, service->broker, service->parser);
	bool is_restored = store_restore(&service->store, &records, &world->report);
	world_must(is_restored == (world->report.refusal.reason[0] == '\0'));
	return is_restored;
}

static void free_records(PersistedRecord *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *)records[i].text);
	free(records);
}

bool world_try_start(World *world)
{
	PersistedRecord *records = copy_records(world);
	size_t count = world->kept_count;

	if (world->own_code)
		world->own_code(true);
	bool is_started = start_broker(world, records, count);
	if (world->own_code)
		world->own_code(false);
	free_records(records, count);
	if (is_started) {
		restore_quarantines(world);
		release_unclaimed(world);
		broker_check(world->service.broker);
	} else {
		world_stop(world);
	}
	return is_started;
}

void world_start(World *world)
{
	world_must(world_try_start(world));
}

void world_stop(World *world)
{
	world->is_stopping = true;
	world->service.broker = broker_free(world->service.broker);
	store_deinit(&world->service.store);
	for (size_t i = 0; i < WORLD_DESCRIPTOR_MAX; i++)
		world->descriptors[i].is_claimed = false;
	world->is_stopping = world->crashes = false;
}

void world_restart(World *world)
{
	world_stop(world);
	world_start(world);
}

/* --- the visible state ----------------------------------------------------------------------- */

static void write_accounts(const Account *account, FILE *out)
{
	if (!account)
		return;
	write_accounts(RB_LEFT(account, by_uid), out);
	fprintf(out, "account %u:", account->uid);
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		if (kind != LIMIT_QUARANTINES) /* charged to root after a restart */
			fprintf(out, " %" PRIu64, account->used[kind]);
	fputc('\n', out);
	write_accounts(RB_RIGHT(account, by_uid), out);
}

static void write_handles(const Named *named, FILE *out)
{
	char text[HANDLE_TEXT_LENGTH + 1];

	if (!named)
		return;
	write_handles(RB_LEFT(named, by_handle), out);
	fprintf(out, "handle %s %d\n", handle_format(&named->handle, text), named->type);
	write_handles(RB_RIGHT(named, by_handle), out);
}

/* Writes what no method shows: serials, watched processes and their use counts, handles. */
static void write_internals(const World *world, FILE *out)
{
	Broker *broker = world->service.broker;
	const Thing *thing;

	for (ThingType type = 0; type < THING_MAX; type++)
		for (thing = thing_after(broker, type, 0); thing; thing = thing_next(thing))
			if (type != THING_QUARANTINE)
				fprintf(out, "%d: serial %" PRIu64 "\n", type, thing->serial);
	for (const Process *process = process_first(broker); process;
	     process = process_next((Process *)process))
		fprintf(out, "process %" PRIu64 " %d %u attached %u\n", process->key, process->pid,
			process->uid, process->attached);
	write_handles(RB_ROOT(&broker->named), out);
}

static void write_spaces(World *world, Caller *operator, FILE * out)
{
	Broker *broker = world->service.broker;
	uint64_t cursor = 0;
	Thing *thing;

	while ((thing = thing_after(broker, THING_GPU_PROCESS, cursor))) {
		const GpuProcess *gpu_process = thing_owner(thing, GpuProcess);
		char handle[HANDLE_TEXT_LENGTH + 1], request[160];

		cursor = thing->serial;
		snprintf(request, sizeof(request),
			 "{\"method\":\"" DESCRIBE_SPACE
			 "\",\"more\":true,\"parameters\":{\"process\":\"%s\"}}\n",
			 handle_format(&gpu_process->named.handle, handle));
		fputs(exchange(world, operator, request), out);
	}
}

char *world_picture(World *world, Caller *operator)
{
	static const char *const lists[] = { LIST_MACHINES, LIST_REGISTRATIONS, LIST_OBJECTS,
					     LIST_ADAPTERS, LIST_PROCESSES };
	char *text = NULL, request[128];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	world_must(out != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		snprintf(request, sizeof(request), "{\"method\":\"%s\",\"more\":true}\n", lists[i]);
		fputs(exchange(world, operator, request), out);
	}
	fputs(exchange(world, operator, "{\"method\":\"io.vaild.Monitor.GetStatus\"}\n"), out);
	write_spaces(world, operator, out);
	write_accounts(RB_ROOT(&world->service.broker->accounts.tree), out);
	write_internals(world, out);
	fclose(out);
	return text;
}
