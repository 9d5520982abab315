/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/persistence.h"

#include <limits.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/folder-advice.h"
#include "daemon/host/persist/lock-file.h"
#include "daemon/host/persist/persistence-restore.h"
#include "daemon/host/persist/record-identity.h"
#include "proto/fd-util.h"

static void notify_work_due(const Persistence *persistence)
{
	if (persistence->options.work_due)
		persistence->options.work_due(persistence->options.work_context);
}

/*
 * Removes the fd that ended first, and its record before, because an fd without a record is dropped
 * without a remark.
 */
static void remove_ended_fd(Persistence *persistence)
{
	StoreName name = fd_store_first_ended(&persistence->store)->name;

	record_file_remove(&persistence->records, name.kind, name.number);
	fd_store_remove_ended(&persistence->store);
}

/* Tests whether an fd can be stored. Fds that have ended make room for it. */
static bool make_room(Persistence *persistence)
{
	FdStore *store = &persistence->store;

	while (!fd_store_has_room(store) && fd_store_first_ended(store))
		remove_ended_fd(persistence);
	return fd_store_has_room(store);
}

/* Stores the fd under the name, or uses the entry again that has ended. */
static bool store_fd(Persistence *persistence, const StoreName *name, int fd)
{
	FdStore *store = &persistence->store;
	StoreEntry *entry = fd_store_find(store, name);

	return entry ? fd_store_use(store, entry, fd) : fd_store_add(store, name, fd) != NULL;
}

/* Stores the fd under the name, with a record that identifies it. */
static bool persist_with_fd(Persistence *persistence, const StoreName *name, const Buffer *record,
			    int fd)
{
	const PersistedRecord identity = {
		.number = name->number,
		.text = buffer_head(record),
		.size = buffer_size(record),
	};

	/* After a crash in between, the next start removes the record. */
	if (!fd_store_find(&persistence->store, name) && !make_room(persistence))
		return false;
	if (!record_file_save(&persistence->records, name->kind, &identity))
		return false;
	if (store_fd(persistence, name, fd))
		return true;
	record_file_remove(&persistence->records, name->kind, name->number);
	return false;
}

static void end_record(void *self, const StoreName *name)
{
	Persistence *persistence = self;

	record_file_remove_later(&persistence->records, name->kind, &name->number, 1);
	notify_work_due(persistence);
}

static bool persist_process(void *self, const HostProcess *process)
{
	Persistence *persistence = self;
	StoreName name = { .kind = PERSISTED_PROCESS, .number = process->key };
	Buffer record = BUFFER_INIT;
	ProcessIdentity identity;

	if (!persistence->store.is_lasting)
		return true;
	Lookup lookup = host_process_identify(process, &identity);
	/* A dead process needs no record: its exit is about to be reported. */
	if (lookup != LOOKUP_FOUND)
		return lookup == LOOKUP_GONE;
	bool is_persisted = encode_process_identity(&record, &identity) &&
			    persist_with_fd(persistence, &name, &record, process->pidfd);
	buffer_deinit(&record);
	return is_persisted;
}

/*
 * Removes the record of a process that has exited at once. A start then knows that everything of
 * the process had ended before, although the other records may be still there.
 */
static void release_process(void *self, const HostProcess *process)
{
	Persistence *persistence = self;
	const StoreEntry *ended = fd_store_release(&persistence->store, process->pidfd);

	if (!ended)
		return;
	if (!process->has_pid)
		record_file_remove(&persistence->records, PERSISTED_PROCESS, ended->name.number);
	end_record(persistence, &ended->name);
}

/* Describes an fd in a record. Returns false if it cannot be stored, or if out of memory. */
static bool describe_fd(const Persistence *persistence, int fd, Buffer *record)
{
	const PersistenceOptions *options = &persistence->options;
	FdInfo facts;

	return fd_info_read(&options->roots, &options->memfds, fd, &facts) == 0 &&
	       facts.kind != FD_OTHER && encode_fd_identity(record, &facts);
}

uint64_t persistence_fdstore_add(Persistence *persistence, int fd)
{
	StoreName name = { .kind = PERSISTED_FD, .number = persistence->last_id + 1 };
	Buffer record = BUFFER_INIT;

	if (!persistence->is_open)
		return 0;
	if (!persistence->store.is_lasting)
		return ++persistence->last_id;
	StoreEntry *same = fd_store_find_same(&persistence->store, fd);
	if (same && !same->has_ended)
		return fd_store_use(&persistence->store, same, fd) ? same->name.number : 0;
	if (same)
		name = same->name;
	bool is_persisted = describe_fd(persistence, fd, &record) &&
			    persist_with_fd(persistence, &name, &record, fd);
	buffer_deinit(&record);
	if (!is_persisted)
		return 0;
	if (!same)
		persistence->last_id++;
	return name.number;
}

bool persistence_keeps(const Persistence *persistence)
{
	return !persistence->is_open && persistence->keeps_fds;
}

bool persistence_fdstore_release(Persistence *persistence, int fd)
{
	const StoreEntry *ended =
		persistence->is_open ? fd_store_release(&persistence->store, fd) : NULL;

	if (ended)
		end_record(persistence, &ended->name);
	return ended;
}

/* Records that may wait for their removal while others are saved. */
#define ENDED_MAX 4096

/* Records that are removed before one is saved, if more than ENDED_MAX wait. */
#define ENDED_PER_SAVE 8

/* Keeps the records that have ended from becoming ever more while the daemon is busy. */
static void hurry(Persistence *persistence)
{
	RecordFile *records = &persistence->records;

	if (records->index.ended_count > ENDED_MAX)
		record_file_remove_ended(records, ENDED_PER_SAVE);
}

bool persistence_save(Persistence *persistence, uint64_t serial, const char *text, size_t size)
{
	const PersistedRecord record = { .number = serial, .text = text, .size = size };

	if (!persistence->is_open || !persistence->store.is_lasting)
		return persistence
			->is_open; /* nothing can be restored, so there is nothing to write */
	hurry(persistence);
	return record_file_save(&persistence->records, PERSISTED_ENTITY, &record);
}

void persistence_remove(Persistence *persistence, const uint64_t *serials, size_t count)
{
	if (persistence->is_open)
		record_file_remove_all(&persistence->records, PERSISTED_ENTITY, serials, count);
}

void persistence_remove_later(Persistence *persistence, const uint64_t *serials, size_t count)
{
	if (persistence->is_open)
		record_file_remove_later(&persistence->records, PERSISTED_ENTITY, serials, count);
}

/* Records and fds that one slice removes. They take about 100 us. */
#define RECORDS_PER_SLICE 128
#define FDS_PER_SLICE     4

bool persistence_remove_ended(Persistence *persistence)
{
	RecordFile *records = &persistence->records;
	const FdStore *store = &persistence->store;

	if (!persistence->is_open)
		return false;
	if (record_file_has_ended(records))
		record_file_remove_ended(records, RECORDS_PER_SLICE);
	else
		for (int i = 0; i < FDS_PER_SLICE && fd_store_first_ended(store); i++)
			remove_ended_fd(persistence);
	return record_file_has_ended(records) || fd_store_first_ended(store);
}

/* Bytes of one slice. They take 30 to 100 us. */
#define SLICE_SIZE (64 << 10)

bool persistence_compact(Persistence *persistence)
{
	return persistence->is_open && record_file_compact_step(&persistence->records, SLICE_SIZE);
}

int persistence_load(const Persistence *persistence, PersistedRecords *ret)
{
	return record_file_load(&persistence->records, PERSISTED_ENTITY, ret);
}

/*
 * Tests whether a record of a process that was not restored may have existed when this start began,
 * or never. If not, the process had exited before.
 */
static bool had_record(const Persistence *persistence, ProcessKey key)
{
	const RecordFile *records = &persistence->records;

	return record_file_contains(records, PERSISTED_PROCESS, key) || records->was_damaged ||
	       key > record_file_last(records, PERSISTED_PROCESS);
}

Lookup persistence_find_process(const Persistence *persistence, ProcessKey key, pid_t *ret_pid)
{
	const HostProcess *process = process_table_find(persistence->options.processes, key);

	if (!process && !had_record(persistence, key))
		return LOOKUP_ABSENT;
	if (!process || !host_process_is_alive(process))
		return LOOKUP_GONE;
	*ret_pid = process->pid;
	return LOOKUP_FOUND;
}

Lookup persistence_fdstore_find(Persistence *persistence, uint64_t id, int *ret_fd)
{
	StoreName name = { .kind = PERSISTED_FD, .number = id };
	StoreEntry *entry = fd_store_find(&persistence->store, &name);
	int fd = entry ? fd_store_claim(&persistence->store, entry) : -1;

	if (!entry)
		return LOOKUP_ABSENT;
	if (fd < 0)
		return LOOKUP_EXHAUSTED;
	record_file_keep(&persistence->records, PERSISTED_FD, id);
	*ret_fd = fd;
	return LOOKUP_FOUND;
}

/*
 * Reads the boot id from the kernel, or from $VAILD_BOOT_ID, which the unit sets because its
 * sandbox can hide the kernel's. Sets an empty string if neither is available. Returns 0, or a
 * negative errno if out of resources.
 */
static int read_boot_id(char ret[static BOOT_ID_LENGTH + 1])
{
	const char *from_unit = getenv("VAILD_BOOT_ID");
	sd_id128_t id;
	int error = sd_id128_get_boot(&id);

	if (error < 0 && from_unit && sd_id128_from_string(from_unit, &id) >= 0)
		error = 0;
	if (error < 0 && errno_is_exhaustion(-error)) {
		log_error("cannot restore the persisted state now; it is kept for the next start: "
			  "cannot read the boot id: %s",
			  strerror(-error));
		return error;
	}
	ret[0] = '\0';
	if (error >= 0)
		sd_id128_to_string(id, ret);
	return 0;
}

/* Opens the store, and disables it if the boot id is unknown. */
static void open_store(Persistence *persistence, const char *boot_id)
{
	fd_store_init(&persistence->store);
	if (!persistence->store.is_lasting || boot_id[0] != '\0')
		return;
	log_warning("nothing is persisted across restarts: the boot id is unknown; set "
		    "$VAILD_BOOT_ID to the contents of /proc/sys/kernel/random/boot_id");
	persistence->store.is_lasting = false;
}

/* Locks the directory: two daemons would overwrite each other's records. */
static int take_lock(const char *directory)
{
	char path[PATH_MAX], advice[FOLDER_ADVICE_SIZE];
	int length = snprintf(path, sizeof(path), "%s/records", directory);
	int lock =
		length < 0 || (size_t)length >= sizeof(path) ? -ENAMETOOLONG : lock_file_take(path);

	if (lock == -EADDRINUSE)
		log_error("%s: another vaild uses this directory; stop it, or choose another "
			  "directory with --runtime-dir",
			  directory);
	else if (lock < 0)
		log_error("%s: cannot lock the directory: %s; %s, or choose another directory with "
			  "--runtime-dir",
			  directory, strerror(-lock), folder_advice(directory, lock, advice));
	return lock;
}

static int open_records(Persistence *persistence)
{
	char boot_id[BOOT_ID_LENGTH + 1];
	int error = read_boot_id(boot_id);

	if (error < 0)
		return error;
	open_store(persistence, boot_id);
	/* The directory may have records of a vaild service; they are for its next start. */
	if (!persistence->store.is_lasting) {
		persistence->records = RECORD_FILE_INIT;
		return 0;
	}
	return record_file_open(&persistence->records,
				&(RecordFileOptions){
					.directory = persistence->options.runtime_directory,
					.boot_id = boot_id,
					.parser = persistence->options.parser,
					.statistics = persistence->options.statistics,
					.work_due = persistence->options.work_due,
					.work_context = persistence->options.work_context,
				});
}

int persistence_open(Persistence *persistence, const PersistenceOptions *options, ListenFds *passed)
{
	ProcessPersistence hooks = { .self = persistence,
				     .persist = persist_process,
				     .release = release_process };

	*persistence = (Persistence){ .options = *options, .store.notify = -1 };
	persistence->lock = take_lock(options->runtime_directory);
	int error = persistence->lock < 0 ? persistence->lock : open_records(persistence);
	if (error < 0) {
		fd_close(&persistence->store.notify);
		fd_close(&persistence->lock);
		return error;
	}
	persistence->is_open = true;
	process_table_set_persistence(options->processes, &hooks);
	if (persistence_restore(persistence, passed))
		return 0;
	persistence_close(persistence);
	return -ENOMEM;
}

void persistence_close(Persistence *persistence)
{
	if (!persistence->is_open)
		return;
	persistence->is_open = false;
	persistence->keeps_fds = persistence->store.is_lasting;
	process_table_set_persistence(persistence->options.processes, NULL);
	record_file_close(&persistence->records);
	fd_store_deinit(&persistence->store);
	fd_close(&persistence->lock);
}

void persistence_end_restore(Persistence *persistence)
{
	size_t count = process_table_release_unwatched(persistence->options.processes);

	count += fd_store_end_unclaimed(&persistence->store, end_record, persistence);
	if (count > 0)
		log_info("removed %zu stored file descriptor%s that nothing uses", count,
			 count == 1 ? "" : "s");
}
