/* SPDX-License-Identifier: MIT */
#include "daemon/host/persist/persistence-restore.h"

#include <stdio.h>
#include <string.h>

#include "daemon/child/socket-drain.h"
#include "daemon/host/log/log.h"
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
	OUTCOME_OTHER_FD,
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
	[OUTCOME_OTHER_FD] = "it is not the recorded file descriptor",
};
_Static_assert(ARRAY_SIZE(outcome_texts) == OUTCOME_MAX, "each outcome has a text");

static void remark(const Persistence *persistence, const StoreName *name, Outcome outcome)
{
	const char *message = outcome_texts[outcome];
	char subject[64], sentence[128];

	snprintf(subject, sizeof(subject), "%s %ju",
		 name->kind == PERSISTED_PROCESS ? "process" : "descriptor",
		 (uintmax_t)name->number);
	snprintf(sentence, sizeof(sentence), "was dropped: %s", message);
	log_warning("persisted %s was dropped: %s", subject, message);
	statistics_remark(persistence->options.statistics, subject, sentence);
}

/* Returns the outcome for the errno of a function that adds an entry to the store. */
static Outcome outcome_of_failed_add(int error)
{
	return error == EEXIST ? OUTCOME_DUPLICATE : OUTCOME_NO_RESOURCES;
}

/* Takes ownership of the pidfd. */
static Outcome restore_process(Persistence *persistence, const StoreName *name,
			       const JsonValue *record, int pidfd)
{
	ProcessIdentity identity;
	HostProcess *process;
	bool is_sound = read_process_identity(record, &identity);

	if (!is_sound)
		identity = (ProcessIdentity){ 0 }; /* matches no process */
	switch (process_table_restore(persistence->options.processes, name->number, &identity,
				      pidfd, &process)) {
	case LOOKUP_FOUND:
		return fd_store_restore_used(&persistence->store, name, process->pidfd)
			       ? OUTCOME_RESTORED
			       : outcome_of_failed_add(errno);
	case LOOKUP_GONE:
		return OUTCOME_PROCESS_EXITED;
	case LOOKUP_EXHAUSTED:
		return OUTCOME_NO_RESOURCES;
	default:
		return OUTCOME_OTHER_PROCESS;
	}
}

/*
 * Closes an fd that is not restored, for whatever reason the outcome says. A display channel must
 * not go on without the daemon, and its last close, by the service manager, must not block. Returns
 * the outcome.
 */
static Outcome drop_fd(int fd, Outcome outcome)
{
	if (outcome != OUTCOME_NO_RESOURCES && !socket_end(fd))
		outcome = OUTCOME_NO_RESOURCES;
	close(fd);
	return outcome;
}

/* Takes ownership of the fd. */
static Outcome restore_fd(Persistence *persistence, const StoreName *name, const JsonValue *record,
			  int fd)
{
	FdInfo facts;
	Outcome outcome = OUTCOME_RESTORED;
	int error =
		fd_info_read(&persistence->options.roots, &persistence->options.memfds, fd, &facts);

	if (error < 0)
		outcome = errno_is_exhaustion(-error) ? OUTCOME_NO_RESOURCES : OUTCOME_UNREADABLE;
	else if (!matches_fd_identity(record, &facts))
		outcome = OUTCOME_OTHER_FD;
	else if (!fd_store_restore(&persistence->store, name, fd))
		outcome = outcome_of_failed_add(errno);
	return outcome == OUTCOME_RESTORED ? outcome : drop_fd(fd, outcome);
}

/* Restores the fd if its record describes it. Takes ownership of the fd. */
static Outcome restore_recorded(Persistence *persistence, const StoreName *name, int fd)
{
	Buffer text = BUFFER_INIT;
	const char *error;
	Outcome outcome;
	int read = record_file_read(&persistence->records, name->kind, name->number, &text);

	if (read < 0) {
		outcome = drop_fd(fd, read == -ENOENT ? OUTCOME_NO_RECORD : OUTCOME_NO_RESOURCES);
	} else {
		JsonValue *record = json_parse(persistence->options.parser, buffer_head(&text),
					       buffer_size(&text), &error);
		outcome = name->kind == PERSISTED_PROCESS
				  ? restore_process(persistence, name, record, fd)
				  : restore_fd(persistence, name, record, fd);
		json_free(record);
	}
	buffer_deinit(&text);
	return outcome;
}

/* Tests for an fd that had ended: its record was removed, but the fd itself not yet. */
static bool had_ended(const Persistence *persistence, const StoreName *name, Outcome outcome)
{
	const RecordFile *records = &persistence->records;

	return outcome == OUTCOME_NO_RECORD && !records->was_damaged &&
	       name->number <= record_file_last(records, name->kind);
}

/* Returns false if out of resources; the fd stays stored then. */
static bool restore_one(Persistence *persistence, ListenFd *passed)
{
	int fd = TAKE_FD(passed->fd);
	StoreName name;

	if (!store_name_parse(passed->name, &name)) {
		log_warning(
			"closing the passed file descriptor \"%s\": vaild does not know the name",
			passed->name);
		close(fd);
		fd_store_remove(&persistence->store, passed->name);
		return true;
	}
	if (name.kind == PERSISTED_PROCESS)
		process_table_continue_keys(persistence->options.processes, name.number);
	else if (name.number > persistence->last_id)
		persistence->last_id = name.number;
	Outcome outcome = restore_recorded(persistence, &name, fd);
	if (outcome == OUTCOME_RESTORED)
		return true;
	if (outcome == OUTCOME_NO_RESOURCES) {
		log_error("cannot restore the persisted state now; it is kept for the next start: "
			  "%s: %s",
			  passed->name, outcome_texts[outcome]);
		return false;
	}
	if (outcome != OUTCOME_PROCESS_EXITED && !had_ended(persistence, &name, outcome))
		remark(persistence, &name, outcome);
	record_file_remove_later(&persistence->records, name.kind, &name.number, 1);
	fd_store_remove(&persistence->store, passed->name);
	return true;
}

/* Drops the records whose fds were not restored. */
static void drop_missing(Persistence *persistence, PersistedKind kind)
{
	StoreName name = { .kind = kind };

	while (record_file_next(&persistence->records, kind, &name.number)) {
		if (fd_store_find(&persistence->store, &name))
			continue;
		remark(persistence, &name, OUTCOME_NOT_RETURNED);
		record_file_remove_later(&persistence->records, kind, &name.number, 1);
	}
}

bool persistence_restore(Persistence *persistence, ListenFds *passed)
{
	process_table_continue_keys(persistence->options.processes,
				    record_file_last(&persistence->records, PERSISTED_PROCESS));
	persistence->last_id = record_file_last(&persistence->records, PERSISTED_FD);
	for (size_t i = 0; i < passed->count; i++)
		if (passed->items[i].fd >= 0 && !restore_one(persistence, &passed->items[i]))
			return false;
	drop_missing(persistence, PERSISTED_PROCESS);
	drop_missing(persistence, PERSISTED_FD);
	return true;
}
