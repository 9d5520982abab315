/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STORE_PERSISTED_RECORD_H
#define DAEMON_STORE_PERSISTED_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

/* A persisted record: one JSON value on one line, identified by a number. */
typedef struct PersistedRecord {
	uint64_t number; /* serial of the entity, or a number that the host assigned */
	const char *text;
	size_t size; /* of the text, without the NUL that follows a loaded text */
} PersistedRecord;

/* Loaded persisted records, sorted by number. No two have the same number. */
typedef struct PersistedRecords {
	PersistedRecord *items;
	size_t count;
	uint64_t last_number; /* highest number ever persisted since boot; 0 if none */
	bool is_incomplete;   /* some records may be lost, because the file was damaged */
	Buffer text;          /* storage that the items point into */
} PersistedRecords;

#endif
