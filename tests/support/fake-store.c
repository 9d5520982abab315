/* SPDX-License-Identifier: MIT */
/* The restart of the fake host: persisted records, the fd store, stop and start. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake-host.h"

/* --- persisted records ----------------------------------------------------------------------- */

/*
 * Returns the index of the persisted record with this serial, or the index at which to insert it.
 */
static size_t find_index(const FakeHost *fake_host, uint64_t serial)
{
	size_t low = 0, high = fake_host->persisted_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (fake_host->persisted[middle].serial < serial)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const FakeHost *fake_host, size_t index, uint64_t serial)
{
	return index < fake_host->persisted_count && fake_host->persisted[index].serial == serial;
}

void fake_host_persist_record(FakeHost *fake_host, uint64_t serial, const char *text, size_t size)
{
	size_t index = find_index(fake_host, serial);

	if (is_at(fake_host, index, serial)) {
		free(fake_host->persisted[index].text);
	} else {
		fake_host->persisted =
			realloc(fake_host->persisted,
				(fake_host->persisted_count + 1) * sizeof(*fake_host->persisted));
		fake_host_must(fake_host->persisted != NULL);
		memmove(&fake_host->persisted[index + 1], &fake_host->persisted[index],
			(fake_host->persisted_count - index) * sizeof(*fake_host->persisted));
		fake_host->persisted_count++;
	}
	if (serial > fake_host->last_persisted_serial)
		fake_host->last_persisted_serial = serial;
	fake_host->persisted[index] =
		(FakePersistedRecord){ .serial = serial, .text = strndup(text, size) };
	fake_host_must(fake_host->persisted[index].text != NULL);
}

static bool fake_persist(void *self, uint64_t serial, const char *record, size_t size)
{
	FakeHost *fake_host = self;

	fake_host_must(serial > 0 && serial <= fake_host->service.broker->last_serial);
	fake_host_must(memchr(record, '\n', size) == NULL && memchr(record, '\0', size) == NULL);
	if (fake_host->refuse_persist && fake_host->persists_before_refusal == 0)
		return false;
	if (fake_host->refuse_persist)
		fake_host->persists_before_refusal--;
	fake_host->persist_calls++;
	fake_host_persist_record(fake_host, serial, record, size);
	return true;
}

/* The serial must have a record, because a record is removed only once. */
static void remove_record(FakeHost *fake_host, uint64_t serial)
{
	size_t index = find_index(fake_host, serial);

	if (fake_host->is_stopping)
		return;
	if (fake_host->crashes && fake_host->removals_before_crash == 0)
		return;
	if (fake_host->crashes)
		fake_host->removals_before_crash--;
	fake_host_must(is_at(fake_host, index, serial));
	free(fake_host->persisted[index].text);
	memmove(&fake_host->persisted[index], &fake_host->persisted[index + 1],
		(fake_host->persisted_count - index - 1) * sizeof(*fake_host->persisted));
	fake_host->persisted_count--;
}

static void fake_remove(void *self, const uint64_t *serials, size_t count)
{
	for (size_t i = 0; i < count; i++)
		remove_record(self, serials[i]);
}

/*
 * The host may remove these at any later time. This one has removed none of them when the daemon
 * restarts, so all tests of restarts prove that they do no harm.
 */
static void end_record(FakeHost *fake_host, uint64_t serial)
{
	size_t index = find_index(fake_host, serial);

	fake_host_must(is_at(fake_host, index, serial));
	fake_host->ended =
		realloc(fake_host->ended, (fake_host->ended_count + 1) * sizeof(*fake_host->ended));
	fake_host_must(fake_host->ended != NULL);
	fake_host->ended[fake_host->ended_count++] = (FakePersistedRecord){
		.serial = serial,
		.text = strdup(fake_host->persisted[index].text),
	};
	remove_record(fake_host, serial);
}

static void fake_remove_later(void *self, const uint64_t *serials, size_t count)
{
	FakeHost *fake_host = self;

	for (size_t i = 0; i < count && !fake_host->is_stopping; i++)
		if (fake_host->crashes)
			remove_record(self, serials[i]);
		else
			end_record(self, serials[i]);
}

/* Persists the records again whose removal is not written. */
static void bring_ended_back(FakeHost *fake_host)
{
	for (size_t i = 0; i < fake_host->ended_count; i++) {
		FakePersistedRecord *record = &fake_host->ended[i];

		fake_host_persist_record(fake_host, record->serial, record->text,
					 strlen(record->text));
	}
	fake_host_write_ended(fake_host, fake_host->ended_count);
}

void fake_host_write_ended(FakeHost *fake_host, size_t count)
{
	fake_host_must(count <= fake_host->ended_count);
	for (size_t i = 0; i < count; i++)
		free(fake_host->ended[i].text);
	fake_host->ended_count -= count;
	for (size_t i = 0; i < fake_host->ended_count; i++)
		fake_host->ended[i] = fake_host->ended[i + count];
	if (fake_host->ended_count > 0)
		return;
	free(fake_host->ended);
	fake_host->ended = NULL;
}

const char *fake_host_record(const FakeHost *fake_host, const char *part)
{
	for (size_t i = 0; i < fake_host->persisted_count; i++)
		if (strstr(fake_host->persisted[i].text, part))
			return fake_host->persisted[i].text;
	return NULL;
}

/* --- the fd store and processes -------------------------------------------------------------- */

static bool fake_fdstore_is_ready(void *self, const Caller *caller)
{
	FakeHost *fake_host = self;

	(void)caller;
	fake_host->must_ask_fdstore = false;
	if (fake_host->fdstore_turns == 0)
		return true;
	fake_host->fdstore_turns--;
	return false;
}

static uint64_t fake_fdstore_add(void *self, int fd)
{
	FakeHost *fake_host = self;
	FakeFd *fake = fake_host_fd_of(fake_host, fd);

	fake_host_must(!fake_host->must_ask_fdstore);
	fake_host_must(fake->fdstore_id == 0);
	if (fake_host->refuse_fdstore_add)
		return 0;
	return fake->fdstore_id = ++fake_host->last_fdstore_id;
}

static Lookup fake_fdstore_find(void *self, uint64_t id, int *ret)
{
	FakeHost *fake_host = self;

	if (fake_host->exhaust_fdstore_find)
		return LOOKUP_EXHAUSTED;
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++) {
		FakeFd *fake = &fake_host->fds[i];

		if (!fake->open || fake->fdstore_id != id || fake->is_claimed)
			continue;
		fake->is_claimed = true;
		*ret = (int)i + 1;
		return LOOKUP_FOUND;
	}
	return LOOKUP_ABSENT;
}

static Lookup fake_find_persisted_process(void *self, ProcessKey key, pid_t *ret_pid)
{
	const FakeHost *fake_host = self;

	for (size_t i = 0; i < fake_host->process_count; i++) {
		const FakeProcess *process = &fake_host->processes[i];

		if (process->key != key || !process->is_persisted)
			continue;
		if (process->is_hidden)
			return LOOKUP_EXHAUSTED;
		*ret_pid = process->pid;
		return process->alive ? LOOKUP_FOUND : LOOKUP_GONE;
	}
	return key > fake_host->last_key || fake_host->has_lost_records ? LOOKUP_GONE
									: LOOKUP_ABSENT;
}

static void fake_restoring(void *self, size_t done, size_t count)
{
	(void)self;
	fake_host_must(done < count);
}

static void fake_stop_persisting(void *self)
{
	((FakeHost *)self)->is_stopping = true;
}

void fake_host_init_store(FakeHost *fake_host)
{
	Host *host = &fake_host->host;

	host->persist = fake_persist;
	host->remove = fake_remove;
	host->remove_later = fake_remove_later;
	host->fdstore_is_ready = fake_fdstore_is_ready;
	host->fdstore_add = fake_fdstore_add;
	host->fdstore_find = fake_fdstore_find;
	host->find_persisted_process = fake_find_persisted_process;
	host->restoring = fake_restoring;
	host->stop_persisting = fake_stop_persisting;
}

/* --- start and stop -------------------------------------------------------------------------- */

/* Copies the records, because the restore reads them while it removes some. */
static PersistedRecord *copy_records(const FakeHost *fake_host)
{
	PersistedRecord *records = calloc(fake_host->persisted_count + 1, sizeof(*records));

	fake_host_must(records != NULL);
	for (size_t i = 0; i < fake_host->persisted_count; i++)
		records[i] = (PersistedRecord){
			.number = fake_host->persisted[i].serial,
			.text = strdup(fake_host->persisted[i].text),
			.size = strlen(fake_host->persisted[i].text),
		};
	return records;
}

/* Forgets processes and closes fds that the restore has not claimed. */
static void release_unclaimed(FakeHost *fake_host)
{
	for (size_t i = 0; i < fake_host->process_count; i++)
		fake_host->processes[i].is_persisted = fake_host->processes[i].watched;
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++) {
		FakeFd *fake = &fake_host->fds[i];

		if (fake->open && fake->fdstore_id > 0 && !fake->is_claimed) {
			fake->open = false;
			fake_host->is_shut[fake->channel] |= fake->channel > 0;
		}
		fake->is_claimed = false;
	}
}

static void restore_quarantines(FakeHost *fake_host)
{
	for (size_t i = 0; i < fake_host->quarantine_count; i++) {
		const FakeQuarantine *quarantine = &fake_host->quarantines[i];
		char *reason = quarantine->has_reason ? strdup(quarantine->reason) : NULL;
		Failure failure;

		fake_host_must(quarantine_restore(fake_host->service.broker, &quarantine->payer,
						  &quarantine->guid, &reason,
						  &failure) == STATUS_SUCCESS);
	}
}

/* Runs the daemon code of a start. */
static bool start_broker(FakeHost *fake_host, PersistedRecord *items, size_t count)
{
	const PersistedRecords records = { .items = items,
					   .count = count,
					   .is_incomplete = fake_host->has_lost_records,
					   .last_number = fake_host->last_persisted_serial };
	Service *service = &fake_host->service;

	service->broker = broker_new(&fake_host->host, &service->settings.limits,
				     &service->settings.software_adapter);
	if (!service->broker)
		return false;
	service->broker->drop_ins = fake_host->drop_ins;
	store_init(&service->store, service->broker, service->parser);
	bool is_restored = store_restore(&service->store, &records, &fake_host->report);
	fake_host_must(is_restored == (fake_host->report.refusal.reason[0] == '\0'));
	return is_restored;
}

static void free_records(PersistedRecord *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *)records[i].text);
	free(records);
}

bool fake_host_try_start(FakeHost *fake_host)
{
	bring_ended_back(fake_host);
	PersistedRecord *records = copy_records(fake_host);
	size_t count = fake_host->persisted_count;

	if (fake_host->own_code)
		fake_host->own_code(true);
	bool is_started = start_broker(fake_host, records, count);
	if (fake_host->own_code)
		fake_host->own_code(false);
	free_records(records, count);
	if (is_started) {
		restore_quarantines(fake_host);
		release_unclaimed(fake_host);
		broker_check(fake_host->service.broker);
	} else {
		fake_host_stop(fake_host);
	}
	return is_started;
}

void fake_host_start(FakeHost *fake_host)
{
	fake_host_must(fake_host_try_start(fake_host));
}

void fake_host_stop(FakeHost *fake_host)
{
	fake_host->is_stopping = true;
	fake_host->service.broker = broker_free(fake_host->service.broker);
	store_deinit(&fake_host->service.store);
	for (size_t i = 0; i < FAKE_HOST_FD_MAX; i++)
		fake_host->fds[i].is_claimed = false;
	fake_host->is_stopping = fake_host->crashes = false;
}

void fake_host_restart(FakeHost *fake_host)
{
	fake_host_stop(fake_host);
	fake_host_start(fake_host);
}

/* --- the visible state ----------------------------------------------------------------------- */

static void write_accounts(const Account *account, FILE *out)
{
	if (!account)
		return;
	write_accounts(RB_LEFT(account, by_payer), out);
	fprintf(out, "account %u%s:", account->payer.uid,
		account->payer.is_operator ? " of operators" : "");
	for (LimitKind kind = 0; kind < LIMIT_MAX; kind++)
		if (kind != LIMIT_QUARANTINES) /* charged to root after a restart */
			fprintf(out, " %" PRIu64, account->used[kind]);
	fputc('\n', out);
	write_accounts(RB_RIGHT(account, by_payer), out);
}

static void write_handles(const HandleEntry *handle_entry, FILE *out)
{
	char text[HANDLE_TEXT_LENGTH + 1];

	if (!handle_entry)
		return;
	write_handles(RB_LEFT(handle_entry, by_handle), out);
	fprintf(out, "handle %s %d\n", handle_format(&handle_entry->handle, text),
		handle_entry->type);
	write_handles(RB_RIGHT(handle_entry, by_handle), out);
}

/* Writes what no method shows: serials, watched processes and their use counts, handles. */
static void write_internals(const FakeHost *fake_host, FILE *out)
{
	Broker *broker = fake_host->service.broker;
	const Entity *entity;

	for (EntityType type = 0; type < ENTITY_MAX; type++)
		for (entity = entity_after(broker, type, 0); entity; entity = entity_next(entity))
			if (type != ENTITY_QUARANTINE)
				fprintf(out, "%d: serial %" PRIu64 "\n", type, entity->serial);
	for (const Process *process = process_first(broker); process;
	     process = process_next((Process *)process))
		fprintf(out, "process %" PRIu64 " %d %u attached %u\n", process->key, process->pid,
			process->uid, process->attached);
	write_handles(RB_ROOT(&broker->handles), out);
}

static void write_spaces(FakeHost *fake_host, Caller *operator, FILE * out)
{
	Broker *broker = fake_host->service.broker;
	uint64_t cursor = 0;
	Entity *entity;

	while ((entity = entity_after(broker, ENTITY_GPU_PROCESS, cursor))) {
		const GpuProcess *gpu_process = entity_container(entity, GpuProcess);
		char handle[HANDLE_TEXT_LENGTH + 1], request[160];

		cursor = entity->serial;
		snprintf(request, sizeof(request),
			 "{\"method\":\"" DESCRIBE_SPACE
			 "\",\"more\":true,\"parameters\":{\"process\":\"%s\"}}\n",
			 handle_format(&gpu_process->handle_entry.handle, handle));
		fputs(exchange(fake_host, operator, request), out);
	}
}

/* A restart forgets when objects were updated, because no update writes a record. */
static void remove_last_updates(char *text)
{
	static const char member[] = ",\"lastUpdate\":";

	while ((text = strstr(text, member))) {
		const char *end = text + strlen(member);

		end += strcspn(end, ",}");
		memmove(text, end, strlen(end) + 1);
	}
}

char *fake_host_snapshot(FakeHost *fake_host, Caller *operator)
{
	static const char *const lists[] = { LIST_MACHINES, LIST_REGISTRATIONS, LIST_OBJECTS,
					     LIST_DISPLAYS, LIST_ADAPTERS,      LIST_PROCESSES };
	char *text = NULL, request[128];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fake_host_must(out != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		snprintf(request, sizeof(request), "{\"method\":\"%s\",\"more\":true}\n", lists[i]);
		fputs(exchange(fake_host, operator, request), out);
	}
	fputs(exchange(fake_host, operator, "{\"method\":\"io.vaild.Monitor.GetStatus\"}\n"), out);
	write_spaces(fake_host, operator, out);
	write_accounts(RB_ROOT(&fake_host->service.broker->accounts.tree), out);
	write_internals(fake_host, out);
	fclose(out);
	remove_last_updates(text);
	return text;
}
