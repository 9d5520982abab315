/* SPDX-License-Identifier: MIT */
#ifndef HOST_RECORD_LINE_H
#define HOST_RECORD_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "json.h"
#include "persisted-record.h"

/*
 * A line of the record file: the CRC-32 of a JSON text as eight lower-case digits, a blank, the
 * text. It says what is so of one thing from now on, and replaces what an earlier line said of it:
 *
 *   8b1a9953 {"serial":7,"record":{"kind":"virtualMachine",...}}
 *   f7ff9e8b {"serial":7,"record":null}                              it is gone
 *   74e566ac {"serial":7,"record":{"kind":"virtualMachine",...}}     so it is: this is crossed out
 *
 * The last has the checksum of the first with each bit inverted, which is written over the other
 * where there is no room for one line more. And the first line is the header:
 *
 *   01234567 {"version":1,"bootId":"...","build":"0.1.0","last":{"serial":7,"process":3,...}}
 */

/* Whose number it is: each kind counts by itself. */
typedef enum KeptKind {
	KEPT_THING,      /* the core's, by serial */
	KEPT_PROCESS,    /* the host's own, by ProcessKey: whose pidfd is kept */
	KEPT_DESCRIPTOR, /* the host's own, by id: what descriptor is kept */
	KEPT_KIND_MAX,
} KeptKind;

/* No number that was ever given is higher: it is somebody's doing, and what is counted on from it
 * would begin again at 0. */
#define KEPT_NUMBER_MAX (UINT64_MAX / 4)

/* Upper bound for the length of a removal line. */
#define GONE_LINE_SIZE_MAX 64

/*
 * Appends a line. The text of the record is NULL for a removal line. Returns false, with the
 * buffer unchanged, if out of memory.
 */
bool record_line_append(Buffer *buffer, KeptKind kind, const PersistedRecord *record);

/* Of a line, its first bytes. */
#define LINE_CHECKSUM_SIZE 8

/* Crosses a line out, or makes it good again. False: what is there is no checksum. */
bool line_checksum_invert(char checksum[static LINE_CHECKSUM_SIZE]);

/* Takes a line, without its end, apart; the text stays the line's. Of one that is crossed out there
 * is none. False: it is damaged. */
bool record_line_parse(const char *line, size_t length, KeptKind *ret_kind, PersistedRecord *ret);

#define RECORD_VERSION 1
#define BOOT_ID_LENGTH 32 /* of hexadecimal digits */

typedef struct RecordHeader {
	uint64_t version;
	char boot_id[BOOT_ID_LENGTH + 1];
	uint64_t last[KEPT_KIND_MAX]; /* the highest number ever recorded */
} RecordHeader;

bool record_header_append(Buffer *buffer, const RecordHeader *header);

/* As above; returns 0, -EBADMSG or -ENOMEM. Of another version than RECORD_VERSION nothing else is
 * known. */
int record_header_parse(const char *line, size_t length, JsonParser *parser, RecordHeader *ret);

#endif
