/* SPDX-License-Identifier: MIT */
#include "daemon/host/restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/host/log/log.h"
#include "daemon/host/persist/folder-advice.h"
#include "daemon/host/server.h"

static void on_persistence_work_due(void *context)
{
	Server *server = context;

	upkeep_persistence(&server->upkeep);
}

static bool open_persistence(Server *server)
{
	PersistenceOptions options = {
		.runtime_directory = server->options.runtime_directory,
		.roots = server->options.roots,
		.memfds = server->memfds,
		.processes = &server->processes,
		.parser = server->service.parser,
		.statistics = &server->service.statistics,
		.work_due = on_persistence_work_due,
		.work_context = server,
	};

	return persistence_open(&server->persistence, &options, &server->passed) == 0;
}

typedef struct DropName {
	char text[96];
} DropName;

/* Returns "registration 17" or "registration 17 and 3 others". */
static DropName name_of_drop(const StoreDrop *drop)
{
	DropName subject;
	int length = snprintf(subject.text, sizeof(subject.text), "%s %llu",
			      store_kind_name(drop->kind), (unsigned long long)drop->serial);

	if (drop->count > 1)
		snprintf(subject.text + length, sizeof(subject.text) - (size_t)length,
			 " and %zu other%s", drop->count - 1, drop->count == 2 ? "" : "s");
	return subject;
}

/* Logs the persisted records that were not restored, mostly because their processes have exited. */
static void report_drops(Server *server, const StoreReport *report)
{
	char message[128];
	size_t reported = 0;

	for (size_t i = 0; i < report->told_count; i++) {
		const StoreDrop *drop = &report->drops[i];
		DropName subject = name_of_drop(drop);

		log_warning("%s %s not restored: %s", subject.text, drop->count > 1 ? "are" : "is",
			    drop->reason);
		snprintf(message, sizeof(message), "%s dropped: %s",
			 drop->count > 1 ? "were" : "was", drop->reason);
		statistics_remark(&server->service.statistics, subject.text, message);
		reported += drop->count;
	}
	server->service.statistics.dropped += report->drop_count;
	if (reported < report->drop_count)
		log_warning("%zu further record%s not restored", report->drop_count - reported,
			    report->drop_count - reported == 1 ? " is" : "s are");
}

/* Logs why the daemon does not start. Nothing is lost, and the next start retries. */
static void report_refusal(const StoreDrop *refusal)
{
	DropName subject = name_of_drop(refusal);

	log_error("cannot restore the persisted state now; it is kept for the next start: %s: %s",
		  refusal->kind < STORE_KIND_MAX ? subject.text : "all records", refusal->reason);
}

/* Leaves out the software adapter, which always exists. */
static void report_restored(Server *server, const StoreReport *report)
{
	const size_t *counts = report->restored;
	uint64_t restored = 0;

	for (StoreKind kind = STORE_ADAPTER + 1; kind < STORE_KIND_MAX; kind++)
		restored += counts[kind];
	server->service.statistics.restored += restored;
	if (restored > 0)
		log_info("restored %llu record%s: %zu VM%s, %zu vGPU%s, %zu registration%s, "
			 "%zu object%s, %zu GPU process%s",
			 (unsigned long long)restored, restored == 1 ? "" : "s",
			 counts[STORE_VIRTUAL_MACHINE],
			 counts[STORE_VIRTUAL_MACHINE] == 1 ? "" : "s", counts[STORE_VIRTUAL_GPU],
			 counts[STORE_VIRTUAL_GPU] == 1 ? "" : "s", counts[STORE_REGISTRATION],
			 counts[STORE_REGISTRATION] == 1 ? "" : "s", counts[STORE_OBJECT],
			 counts[STORE_OBJECT] == 1 ? "" : "s", counts[STORE_GPU_PROCESS],
			 counts[STORE_GPU_PROCESS] == 1 ? "" : "es");
	if (counts[STORE_CLIENT_ADAPTER] > 0)
		log_info(counts[STORE_CLIENT_ADAPTER] == 1
				 ? "%zu adapter waits up to %d seconds for its driver to register "
				   "it again"
				 : "%zu adapters wait up to %d seconds for their drivers to "
				   "register them again",
			 counts[STORE_CLIENT_ADAPTER], LIMIT_DRIVER_WAIT_SECONDS);
}

static bool restore_records(Server *server)
{
	_cleanup_(persisted_records_deinit) PersistedRecords records = { 0 };
	_cleanup_free_ StoreReport *report = calloc(1, sizeof(*report));
	int error = report ? persistence_load(&server->persistence, &records) : -ENOMEM;

	if (error < 0) {
		log_error("cannot read the persisted state now; it is kept for the next start: %s",
			  strerror(-error));
		return false;
	}
	if (!store_restore(&server->service.store, &records, report)) {
		report_refusal(&report->refusal);
		return false;
	}
	report_drops(server, report);
	report_restored(server, report);
	return true;
}

static bool restore_quarantines(Server *server)
{
	const char *directory = server->options.state_directory;
	char advice[FOLDER_ADVICE_SIZE];
	int error = quarantine_store_open(&server->quarantines, directory);

	if (error == 0)
		error = quarantine_store_restore(&server->quarantines, server->service.broker,
						 server->service.parser,
						 &server->service.statistics);
	if (error == -ELOOP)
		log_error("%s/quarantine: vaild does not follow a symbolic link here; remove it, "
			  "and move the folder that it leads to here",
			  directory);
	else if (error < 0)
		log_error("%s: cannot restore the quarantines: %s; %s, or choose another directory "
			  "with --state-dir",
			  directory, strerror(-error), folder_advice(directory, error, advice));
	if (error < 0)
		return false;
	server->service.statistics.restored += (uint64_t)error;
	if (error > 0)
		log_info("restored %d quarantine%s", error, error == 1 ? "" : "s");
	return true;
}

bool restore_all(Server *server)
{
	bool restored =
		open_persistence(server) && restore_records(server) && restore_quarantines(server);

	if (!restored)
		return false;
	persistence_end_restore(&server->persistence);
	driver_timeout_begin(&server->driver_wait, server->service.broker);
	return true;
}
