/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_RECORD_LINE_H
#define DAEMON_HOST_PERSIST_RECORD_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/persisted-record.h"
#include "proto/buffer.h"
#include "proto/json.h"

/*
 * A line of the record file: the CRC-32 of a JSON text as eight lower-case hexadecimal digits, a
 * space, and the text. It sets the state of one record, and replaces earlier lines of that record:
 *
 *   8b1a9953 {"serial":7,"record":{"kind":"virtualMachine",...}}
 *   f7ff9e8b {"serial":7,"record":null}                              a removal
 *   74e566ac {"serial":7,"record":{"kind":"virtualMachine",...}}     an invalidated line
 *
 * An invalidated line also removes the record. Its checksum is the correct one with every bit
 * inverted, so it can be written in place when no line can be appended. The file starts with a
 * header line:
 *
 *   01234567 {"version":2,"bootId":"...","build":"0.1.0","last":{"serial":7,"process":3,...}}
 */

/* Namespace of a persisted record's number. */
typedef enum PersistedKind {
	PERSISTED_ENTITY,  /* an entity of the core, by serial */
	PERSISTED_PROCESS, /* a process whose pidfd is stored, by ProcessKey */
	PERSISTED_FD,      /* a stored fd, by id */
	PERSISTED_KIND_MAX,
} PersistedKind;

/*
 * Upper bound for numbers; the lower bound is 1. The daemon never assigns others. A file that has
 * one was forged: continuing from a higher number could overflow, and 0 stands for no record.
 */
#define PERSISTED_NUMBER_MAX (UINT64_MAX / 4)

/* Upper bound for the size of a removal line. */
#define REMOVAL_LINE_SIZE_MAX 64

/*
 * Appends a line for the record. A NULL text makes it a removal line. Returns false, with the
 * buffer unchanged, if out of memory.
 */
bool record_line_append(Buffer *buffer, PersistedKind kind, const PersistedRecord *record);

/* Length of the checksum at the start of a line. */
#define LINE_CHECKSUM_SIZE 8

/* Inverts a checksum in place. Returns false if it is not eight hexadecimal digits. */
bool line_checksum_invert(char checksum[static LINE_CHECKSUM_SIZE]);

/*
 * Parses a line, without its newline. The text of the result points into the line; it is NULL for
 * a removal or an invalidated line. Returns false if the line is damaged.
 */
bool record_line_parse(const char *line, size_t length, PersistedKind *ret_kind,
		       PersistedRecord *ret);

/*
 * The version of the files that this daemon writes. It reads all versions up to that. Raise it when
 * records get members that the last release does not know: that release would drop these records
 * one by one, but it refuses a file of a newer version as a whole.
 *
 * 2: members for display rights, hand-overs, payers, drop-ins, libvirt's metadata and found VMs.
 */
#define RECORD_VERSION 2
#define BOOT_ID_LENGTH 32 /* hexadecimal digits */

typedef struct RecordHeader {
	uint64_t version;
	char boot_id[BOOT_ID_LENGTH + 1];
	uint64_t last[PERSISTED_KIND_MAX]; /* highest number ever saved, by kind */
} RecordHeader;

/* Notes that the number is in use, so that it is never given out again. */
static inline void record_header_note(RecordHeader *header, PersistedKind kind, uint64_t number)
{
	if (number > header->last[kind])
		header->last[kind] = number;
}

/* Appends the header line. Returns false, with the buffer unchanged, if out of memory. */
bool record_header_append(Buffer *buffer, const RecordHeader *header);

/*
 * Parses the header line, without its newline. Sets only the version if it is 0 or above
 * RECORD_VERSION. Returns 0, or -EBADMSG if the line is damaged.
 */
int record_header_parse(const char *line, size_t length, JsonParser *parser, RecordHeader *ret);

/*
 * Sets the version of a sound header line to RECORD_VERSION in place. Returns false if that would
 * change the length of the line.
 */
bool record_header_raise(char *line, size_t length);

#endif
