/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_QUARANTINE_STORE_H
#define DAEMON_HOST_PERSIST_QUARANTINE_STORE_H

#include "daemon/api/statistics.h"
#include "daemon/core/broker.h"
#include "proto/json.h"

/*
 * Stores quarantines on disk, one file per GUID: DIR/quarantine/GUID.json. A change is one rename
 * or one unlink, and affects no other quarantine. Files are complete: each is written under another
 * name, synced and renamed. A damaged file is saved as GUID.json.damaged, and its GUID stays in
 * quarantine, because the name of the file is enough to identify it.
 */
typedef struct QuarantineStore {
	int directory; /* -1 if not open */
} QuarantineStore;

/* Opens the directory, and creates it if missing. Returns 0 or a negative errno. */
int quarantine_store_open(QuarantineStore *store, const char *state_directory);
void quarantine_store_close(QuarantineStore *store);

/*
 * Save or remove a quarantine durably. Return false, with the stored state unchanged, if that
 * fails. The reason may be NULL. Removing a quarantine that does not exist succeeds.
 */
bool quarantine_store_save(QuarantineStore *store, const Guid *guid, const char *reason,
			   const Payer *payer);
bool quarantine_store_remove(QuarantineStore *store, const Guid *guid);

/*
 * Restores all quarantines into the broker, and adds a remark for each damaged file. Root pays for
 * those from damaged files, and from files of older versions, which name no payer. Returns the
 * number of quarantines, or a negative errno if the daemon must not start.
 */
int quarantine_store_restore(QuarantineStore *store, Broker *broker, JsonParser *parser,
			     Statistics *statistics);

#endif
