/* SPDX-License-Identifier: MIT */
#ifndef HOST_QUARANTINE_STORE_H
#define HOST_QUARANTINE_STORE_H

#include "broker.h"
#include "json.h"
#include "statistics.h"

/*
 * Quarantines on disk: one file a GUID, DIR/quarantine/GUID.json, so that each change is one
 * rename or one unlink and touches no other. A file is whole or absent: it is written under another
 * name, synced and renamed. A damaged one is set aside as GUID.json.damaged, and its GUID stays in
 * quarantine: the name alone says that somebody wanted it to be.
 */
typedef struct QuarantineStore {
	int directory; /* -1: not opened */
} QuarantineStore;

/* Opens, making the directories where they are missing. Returns 0 or a negative errno. */
int quarantine_store_open(QuarantineStore *store, const char *state_directory);
void quarantine_store_close(QuarantineStore *store);

bool quarantine_store_keep(QuarantineStore *store, const Guid *guid, const char *reason);
bool quarantine_store_drop(QuarantineStore *store, const Guid *guid);

/* Brings all that was kept into the broker, and remarks on what was not sound. Returns how many, or
 * a negative errno. */
int quarantine_store_restore(QuarantineStore *store, Broker *broker, JsonParser *parser,
			     Statistics *statistics);

#endif
