/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/persistence.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/lock-file.h"
#include "daemon/host/persist/record-identity.h"
#include "proto/fd-util.h"

/* Outcome of restoring a stored fd. */
typedef enum Outcome {
	OUTCOME_RESTORED,
	OUTCOME_NO_RESOURCES,   /* says nothing about the fd, so everything is kept */
	OUTCOME_PROCESS_EXITED, /* expected, so there is no remark */
	OUTCOME_NO_RECORD,
	OUTCOME_DUPLICATE,
	OUTCOME_NOT_RETURNED,
	OUTCOME_OTHER_PROCESS,
	OUTCOME_UNREADABLE,
	OUTCOME_OTHER_DESCRIPTOR,
	OUTCOME_MAX,
} Outcome;

static const char *const outcome_texts[] = {
	[OUTCOME_RESTORED] = "it was restored",
	[OUTCOME_NO_RESOURCES] = "out of file descriptors or memory",
	[OUTCOME_PROCESS_EXITED] = "its process is gone",
	[OUTCOME_NO_RECORD] = "it has no record",
	[OUTCOME_DUPLICATE] = "it was stored twice",
	[OUTCOME_NOT_RETURNED] = "the service manager did not return it",
	[OUTCOME_OTHER_PROCESS] = "it is not the recorded process",
	[OUTCOME_UNREADABLE] = "it cannot be examined",
	[OUTCOME_OTHER_DESCRIPTOR] = "it is not the recorded file descriptor",
};
_Static_assert(ARRAY_SIZE(outcome_texts) == OUTCOME_MAX, "each outcome has a text");

/* Stores the fd under the name, with a record that identifies it. */
static bool keep_stored(Keeper *keeper, const StoreName *name, const Buffer *record, int descriptor)
{
	const PersistedRecord identity = {
		.number = name->number,
		.text = buffer_head(record),
		.size = buffer_size(record),
	};

	/* After a crash in between, the next start removes the record. */
	if (!descriptor_store_has_room(&keeper->store) ||
	    !record_file_keep(&keeper->records, name->kind, &identity))
		return false;
	if (descriptor_store_add(&keeper->store, name, descriptor))
		return true;
	record_file_drop(&keeper->records, name->kind, name->number);
	return false;
}

static void let_go_stored(Keeper *keeper, int descriptor)
{
	StoreName gone;

	if (descriptor_store_release(&keeper->store, descriptor, &gone))
		record_file_drop(&keeper->records, gone.kind, gone.number);
}

static bool keep_process(void *self, const HostProcess *process)
{
	Keeper *keeper = self;
	StoreName name = { .kind = KEPT_PROCESS, .number = process->key };
	Buffer record = BUFFER_INIT;
	ProcessIdentity identity;

	if (!keeper->store.is_lasting)
		return true;
	Evidence evidence = host_process_identify(process, &identity);
	/* A dead process needs no record: its exit is about to be reported. */
	if (evidence != EVIDENCE_FOUND)
		return evidence == EVIDENCE_GONE;
	bool is_kept = encode_process_identity(&record, &identity) &&
		       keep_stored(keeper, &name, &record, process->pidfd);
	buffer_deinit(&record);
	return is_kept;
}

static void let_go_process(void *self, const HostProcess *process)
{
	let_go_stored(self, process->pidfd);
}

uint64_t keeper_keep_descriptor(Keeper *keeper, int descriptor)
{
	StoreName name = { .kind = KEPT_DESCRIPTOR, .number = keeper->last_id + 1 };
	Buffer record = BUFFER_INIT;
	DescriptorFacts facts;

	if (!keeper->is_open)
		return 0;
	if (!keeper->store.is_lasting)
		return ++keeper->last_id;
	StoreEntry *same = descriptor_store_find_same(&keeper->store, descriptor);
	if (same)
		return descriptor_store_use(&keeper->store, same, descriptor) ? same->name.number
									      : 0;
	bool is_kept = descriptor_facts_read(&keeper->options.roots, &keeper->options.memfds,
					     descriptor, &facts) == 0 &&
		       facts.kind != DESCRIPTOR_OTHER &&
		       encode_descriptor_identity(&record, &facts) &&
		       keep_stored(keeper, &name, &record, descriptor);
	buffer_deinit(&record);
	return is_kept ? ++keeper->last_id : 0;
}

void keeper_release_descriptor(Keeper *keeper, int descriptor)
{
	if (keeper->is_open)
		let_go_stored(keeper, descriptor);
}

bool keeper_keep(Keeper *keeper, uint64_t serial, const char *text, size_t size)
{
	const PersistedRecord record = { .number = serial, .text = text, .size = size };

	if (!keeper->is_open || !keeper->store.is_lasting)
		return keeper->is_open; /* nothing can be restored, so there is nothing to write */
	return record_file_keep(&keeper->records, KEPT_THING, &record);
}

void keeper_drop(Keeper *keeper, const uint64_t *serials, size_t count)
{
	if (keeper->is_open)
		record_file_drop_all(&keeper->records, KEPT_THING, serials, count);
}

int keeper_load(const Keeper *keeper, PersistedRecords *ret)
{
	return record_file_load(&keeper->records, KEPT_THING, ret);
}

Evidence keeper_find_process(const Keeper *keeper, ProcessKey key, pid_t *ret_pid)
{
	const HostProcess *process = process_table_find(keeper->options.processes, key);

	if (!process || !host_process_is_alive(process))
		return EVIDENCE_GONE;
	*ret_pid = process->pid;
	return EVIDENCE_FOUND;
}

Evidence keeper_find_descriptor(Keeper *keeper, uint64_t id, int *ret_descriptor)
{
	StoreName name = { .kind = KEPT_DESCRIPTOR, .number = id };
	StoreEntry *entry = descriptor_store_find(&keeper->store, &name);
	int descriptor = entry ? descriptor_store_claim(&keeper->store, entry) : -1;

	if (!entry)
		return EVIDENCE_ABSENT;
	if (descriptor < 0)
		return EVIDENCE_EXHAUSTED;
	*ret_descriptor = descriptor;
	return EVIDENCE_FOUND;
}

static void remark(const Keeper *keeper, const StoreName *name, Outcome outcome)
{
	const char *message = outcome_texts[outcome];
	char subject[64], sentence[128];

	snprintf(subject, sizeof(subject), "%s %ju",
		 name->kind == KEPT_PROCESS ? "process" : "descriptor", (uintmax_t)name->number);
	snprintf(sentence, sizeof(sentence), "was dropped: %s", message);
	log_warning("persisted %s was dropped: %s", subject, message);
	statistics_remark(keeper->options.statistics, subject, sentence);
}

/* Returns the outcome for the errno of a function that adds an entry to the store. */
static Outcome outcome_of_failed_add(int error)
{
	return error == EEXIST ? OUTCOME_DUPLICATE : OUTCOME_NO_RESOURCES;
}

/* Takes ownership of the pidfd. */
static Outcome take_back_process(Keeper *keeper, const StoreName *name, const JsonValue *record,
				 int pidfd)
{
	ProcessIdentity identity;
	HostProcess *process;
	bool is_sound = read_process_identity(record, &identity);

	if (!is_sound)
		identity = (ProcessIdentity){ 0 }; /* matches no process */
	switch (process_table_restore(keeper->options.processes, name->number, &identity, pidfd,
				      &process)) {
	case EVIDENCE_FOUND:
		return descriptor_store_take_back_used(&keeper->store, name, process->pidfd)
			       ? OUTCOME_RESTORED
			       : outcome_of_failed_add(errno);
	case EVIDENCE_GONE:
		return OUTCOME_PROCESS_EXITED;
	case EVIDENCE_EXHAUSTED:
		return OUTCOME_NO_RESOURCES;
	default:
		return OUTCOME_OTHER_PROCESS;
	}
}

/* Takes ownership of the fd. */
static Outcome take_back_descriptor(Keeper *keeper, const StoreName *name, const JsonValue *record,
				    int descriptor)
{
	DescriptorFacts facts;
	Outcome outcome = OUTCOME_RESTORED;
	int error = descriptor_facts_read(&keeper->options.roots, &keeper->options.memfds,
					  descriptor, &facts);

	if (error < 0)
		outcome = errno_is_exhaustion(-error) ? OUTCOME_NO_RESOURCES : OUTCOME_UNREADABLE;
	else if (!is_descriptor_identity(record, &facts))
		outcome = OUTCOME_OTHER_DESCRIPTOR;
	else if (!descriptor_store_take_back(&keeper->store, name, descriptor))
		outcome = outcome_of_failed_add(errno);
	if (outcome != OUTCOME_RESTORED)
		close(descriptor);
	return outcome;
}

/* Restores the fd if its record describes it. Takes ownership of the fd. */
static Outcome take_back_recorded(Keeper *keeper, const StoreName *name, int descriptor)
{
	Buffer text = BUFFER_INIT;
	const char *error;
	Outcome outcome;
	int read = record_file_read(&keeper->records, name->kind, name->number, &text);

	if (read < 0) {
		outcome = read == -ENOENT ? OUTCOME_NO_RECORD : OUTCOME_NO_RESOURCES;
		close(descriptor);
	} else {
		JsonValue *record = json_parse(keeper->options.parser, buffer_head(&text),
					       buffer_size(&text), &error);
		outcome = name->kind == KEPT_PROCESS
				  ? take_back_process(keeper, name, record, descriptor)
				  : take_back_descriptor(keeper, name, record, descriptor);
		json_free(record);
	}
	buffer_deinit(&text);
	return outcome;
}

/* Returns false if out of resources; the fd stays stored then. */
static bool take_back_one(Keeper *keeper, PassedDescriptor *passed)
{
	int descriptor = TAKE_DESCRIPTOR(passed->descriptor);
	StoreName name;

	if (!store_name_parse(passed->name, &name)) {
		log_warning(
			"closing the passed file descriptor \"%s\": vaild does not know the name",
			passed->name);
		close(descriptor);
		descriptor_store_remove(&keeper->store, passed->name);
		return true;
	}
	if (name.kind == KEPT_PROCESS)
		process_table_continue_keys(keeper->options.processes, name.number);
	else if (name.number > keeper->last_id)
		keeper->last_id = name.number;
	Outcome outcome = take_back_recorded(keeper, &name, descriptor);
	if (outcome == OUTCOME_RESTORED)
		return true;
	if (outcome == OUTCOME_NO_RESOURCES) {
		log_error("cannot restore the persisted state now; it is kept for the next start: "
			  "%s: %s",
			  passed->name, outcome_texts[outcome]);
		return false;
	}
	if (outcome != OUTCOME_PROCESS_EXITED)
		remark(keeper, &name, outcome);
	record_file_drop(&keeper->records, name.kind, name.number);
	descriptor_store_remove(&keeper->store, passed->name);
	return true;
}

/* Drops the records whose fds were not restored. */
static void drop_missing(Keeper *keeper, KeptKind kind)
{
	StoreName name = { .kind = kind };

	while (record_file_next(&keeper->records, kind, &name.number)) {
		if (descriptor_store_find(&keeper->store, &name))
			continue;
		remark(keeper, &name, OUTCOME_NOT_RETURNED);
		record_file_drop(&keeper->records, kind, name.number);
	}
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

static bool keeper_take_back(Keeper *keeper, PassedDescriptors *passed)
{
	process_table_continue_keys(keeper->options.processes,
				    record_file_last(&keeper->records, KEPT_PROCESS));
	keeper->last_id = record_file_last(&keeper->records, KEPT_DESCRIPTOR);
	for (size_t i = 0; i < passed->count; i++)
		if (passed->items[i].descriptor >= 0 && !take_back_one(keeper, &passed->items[i]))
			return false;
	drop_missing(keeper, KEPT_PROCESS);
	drop_missing(keeper, KEPT_DESCRIPTOR);
	return true;
}

/* Opens the store, and disables it if the boot id is unknown. */
static void open_store(Keeper *keeper, const char *boot_id)
{
	descriptor_store_init(&keeper->store);
	if (!keeper->store.is_lasting || boot_id[0] != '\0')
		return;
	log_warning("nothing is persisted across restarts: the boot id is unknown; set "
		    "$VAILD_BOOT_ID to the contents of /proc/sys/kernel/random/boot_id");
	keeper->store.is_lasting = false;
}

/* Locks the directory: two daemons would overwrite each other's records. */
static int take_lock(const char *directory)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/records", directory);
	int lock =
		length < 0 || (size_t)length >= sizeof(path) ? -ENAMETOOLONG : path_lock_take(path);

	if (lock == -EADDRINUSE)
		log_error("%s: another vaild uses this directory; stop it, or choose another "
			  "directory with --runtime-dir",
			  directory);
	else if (lock < 0)
		log_error("%s: cannot lock the directory: %s; let vaild write to it, or choose "
			  "another directory with --runtime-dir",
			  directory, strerror(-lock));
	return lock;
}

static int open_records(Keeper *keeper)
{
	char boot_id[BOOT_ID_LENGTH + 1];
	int error = read_boot_id(boot_id);

	if (error < 0)
		return error;
	open_store(keeper, boot_id);
	/* The directory may have records of a vaild service; they are for its next start. */
	if (!keeper->store.is_lasting) {
		keeper->records = RECORD_FILE_INIT;
		return 0;
	}
	return record_file_open(&keeper->records,
				&(RecordFileOptions){
					.directory = keeper->options.runtime_directory,
					.boot_id = boot_id,
					.parser = keeper->options.parser,
					.statistics = keeper->options.statistics,
				});
}

int keeper_open(Keeper *keeper, const KeeperOptions *options, PassedDescriptors *passed)
{
	ProcessKeeper hooks = { .self = keeper, .keep = keep_process, .let_go = let_go_process };

	*keeper = (Keeper){ .options = *options };
	keeper->lock = take_lock(options->runtime_directory);
	int error = keeper->lock < 0 ? keeper->lock : open_records(keeper);
	if (error < 0) {
		fd_close(&keeper->lock);
		return error;
	}
	keeper->is_open = true;
	process_table_set_keeper(options->processes, &hooks);
	if (keeper_take_back(keeper, passed))
		return 0;
	keeper_close(keeper);
	return -ENOMEM;
}

void keeper_close(Keeper *keeper)
{
	if (!keeper->is_open)
		return;
	keeper->is_open = false;
	process_table_set_keeper(keeper->options.processes, NULL);
	record_file_close(&keeper->records);
	descriptor_store_deinit(&keeper->store);
	fd_close(&keeper->lock);
}

static void drop_record(void *context, const StoreName *name)
{
	Keeper *keeper = context;

	record_file_drop(&keeper->records, name->kind, name->number);
}

void keeper_end_restore(Keeper *keeper)
{
	size_t count = process_table_let_go_unwatched(keeper->options.processes);

	count += descriptor_store_forget_unclaimed(&keeper->store, drop_record, keeper);
	if (count > 0)
		log_info("removed %zu stored file descriptors that nothing uses", count);
}
