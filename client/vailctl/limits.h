/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_LIMITS_H
#define CLIENT_VAILCTL_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/json.h"

/* The limits in a reply of GetStatus, as people read them. */

typedef struct LimitRow {
	const char *name;
	uint64_t used; /* of the caller or, for operators, of the account that uses most */
	uint64_t maximum;
	uint64_t full; /* the use from which requests are refused */
	char *owner;   /* who uses it; NULL if the use is a total, or the caller's own */
	size_t tail; /* bytes at the end of the owner that must stay: digits of a GUID or handle */
} LimitRow;

typedef struct LimitRows {
	LimitRow *rows;
	size_t count;
} LimitRows;

/*
 * Reads the limits. Their names point into limits, which must outlive the rows. Asks vaild for the
 * names of VMs and adapters if any are needed. The caller calls limit_rows_deinit() in any case.
 *
 * ret_rows: must be all zero.
 *
 * Returns false if out of memory.
 */
bool limit_rows_read(Tool *tool, const JsonValue *limits, LimitRows *ret_rows);
void limit_rows_deinit(LimitRows *rows);

/* Sorts by name. */
void limit_rows_sort(LimitRows *rows);

/* Removes unused limits, and sorts the others: most used first. */
void limit_rows_keep_used(LimitRows *rows);

/* Returns the colour of a limit: TABLE_PLAIN unless it is full or nearly so. */
TableColour limit_row_colour(const LimitRow *row);

/* Adds a cell like "virtualGpusPerMachine: 64 of 64 used (100 %) by VM demo". */
void limit_row_add_sentence(Table *table, const LimitRow *row);

#endif
