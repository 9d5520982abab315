/* SPDX-License-Identifier: MIT */
#include "restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "server.h"

static bool open_keeper(Server *server)
{
	KeeperOptions options = {
		.runtime_directory = server->options.runtime_directory,
		.roots = server->options.roots,
		.memfds = server->memfds,
		.processes = &server->processes,
		.parser = server->service.parser,
		.statistics = &server->service.statistics,
	};

	return keeper_open(&server->keeper, &options, &server->passed) == 0;
}

/* Says what is no more, and why: mostly since its process has ended meanwhile. */
static void report_drops(Server *server, const StoreReport *report)
{
	char subject[64], message[128];

	for (size_t i = 0; i < report->drop_count && i < STORE_DROPS_MAX; i++) {
		const StoreDrop *drop = &report->drops[i];

		snprintf(subject, sizeof(subject), "%s %llu", store_kind_name(drop->kind),
			 (unsigned long long)drop->serial);
		log_warning("%s is not restored: %s", subject, drop->reason);
		snprintf(message, sizeof(message), "was dropped: %s", drop->reason);
		statistics_remark(&server->service.statistics, subject, message);
	}
	server->service.statistics.dropped += report->drop_count;
	if (report->drop_count > STORE_DROPS_MAX)
		log_warning("%zu further records are not restored",
			    report->drop_count - STORE_DROPS_MAX);
}

/* The software adapter is there in any case. */
static void report_restored(Server *server, const StoreReport *report)
{
	uint64_t restored = 0;

	for (StoreKind kind = STORE_ADAPTER + 1; kind < STORE_KIND_MAX; kind++)
		restored += report->restored[kind];
	server->service.statistics.restored += restored;
	if (restored > 0)
		log_info("restored %llu records: %zu VMs, %zu vGPUs, %zu registrations, %zu "
			 "objects, %zu GPU processes",
			 (unsigned long long)restored, report->restored[STORE_VIRTUAL_MACHINE],
			 report->restored[STORE_VIRTUAL_GPU], report->restored[STORE_REGISTRATION],
			 report->restored[STORE_OBJECT], report->restored[STORE_GPU_PROCESS]);
	if (report->restored[STORE_CLIENT_ADAPTER] > 0)
		log_info("for %d seconds adapters wait for their drivers to register them again: "
			 "%zu",
			 LIMIT_DRIVER_WAIT_SECONDS, report->restored[STORE_CLIENT_ADAPTER]);
}

/* The keeper's records as the store wants them; their texts stay the keeper's. */
static StoredRecord *stored_records(const KeptRecords *kept)
{
	StoredRecord *records = calloc(kept->count + 1, sizeof(*records));

	for (size_t i = 0; records && i < kept->count; i++)
		records[i] = (StoredRecord){ .serial = kept->items[i].number,
					     .text = kept->items[i].text,
					     .size = kept->items[i].size };
	return records;
}

static bool restore_kept(Server *server)
{
	_cleanup_(kept_records_deinit) KeptRecords kept = { 0 };
	_cleanup_free_ StoredRecord *records = NULL;
	_cleanup_free_ StoreReport *report = calloc(1, sizeof(*report));
	int error = keeper_load(&server->keeper, &kept);

	if (error == 0)
		records = stored_records(&kept);
	if (!records || !report ||
	    !store_restore(&server->service.store, records, kept.count, report)) {
		log_error("what was kept cannot be restored: %s",
			  strerror(error < 0 ? -error : ENOMEM));
		return false;
	}
	report_drops(server, report);
	report_restored(server, report);
	return true;
}

static bool restore_quarantines(Server *server)
{
	const char *directory = server->options.state_directory;
	int error = quarantine_store_open(&server->quarantines, directory);

	if (error == 0)
		error = quarantine_store_restore(&server->quarantines, server->service.broker,
						 server->service.parser,
						 &server->service.statistics);
	if (error < 0) {
		log_error("%s: quarantines cannot be restored: %s; make it a directory that vaild "
			  "may write to, or choose another with --state-dir",
			  directory, strerror(-error));
		return false;
	}
	server->service.statistics.restored += (uint64_t)error;
	if (error > 0)
		log_info("restored %d quarantines", error);
	return true;
}

bool restore_all(Server *server)
{
	bool restored = open_keeper(server) && restore_kept(server) && restore_quarantines(server);

	if (!restored)
		return false;
	keeper_end_restore(&server->keeper);
	driver_wait_begin(&server->driver_wait, server->service.broker);
	return true;
}
