/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_REPORT_H
#define CLIENT_VAILCTL_REPORT_H

#include "client/vailctl/listing.h"
#include "client/vailctl/table.h"
#include "client/vailctl/vailctl.h"
#include "proto/json-writer.h"
#include "proto/json.h"

/* Prints lists: as a table, or with --json as one document. Functions return the exit status. */

/* Adds a cell with the number in the member, or "-" if it is absent. */
void table_add_number(Table *table, const JsonValue *object, const char *name);

/* Adds a cell with the name of the user whose uid is in the member, or "-" if it is absent. */
void table_add_user(Table *table, const JsonValue *object, const char *name);

/*
 * Adds a cell with the age of the member's value, or with the point in time and its age, or "-" if
 * it is absent. The value is in seconds on CLOCK_BOOTTIME.
 */
void table_add_age(Table *table, const JsonValue *object, const char *name);
void table_add_since(Table *table, const JsonValue *object, const char *name);

/* Adds a cell with the size in the member, which is in bytes, or "-" if it is absent. */
void table_add_size(Table *table, const JsonValue *object, const char *name);

/*
 * Prints the table, as wide as the terminal at most, or the sentence if it has no rows (nothing
 * with
 * --no-legend).
 */
int report_table(const Tool *tool, Table *table, const char *empty);

/*
 * Like report_table(), for entities that only operators see all of.
 *
 * empty: the sentence without its end, such as "No virtual machines".
 * scope: the end of the sentence for other users, which says what they see. It begins with a space.
 */
int report_visible(const Tool *tool, Table *table, const char *empty, const char *scope);

/*
 * Like report_visible() without any row. On a terminal, operators also get the hint, a sentence
 * about how to make the first one.
 */
int report_none_yet(const Tool *tool, const char *empty, const char *scope, const char *hint);

/* The scope of entities that all processes of a user see. */
#define VISIBLE_TO_USER " that you may see"

/* Opens a JSON document and writes its status member. The caller closes the object. */
void report_document_begin(Writer *writer);

/* Prints a document with the items of one or two listings; the second may be NULL. */
int report_listings_json(const Listing *first, const Listing *second);

/*
 * Fetches the items of a method without parameters, and prints them as JSON or as a table.
 *
 * key: see listing_fetch().
 * fill: adds the row of one item to the table.
 * empty: see report_table().
 */
int report_list(Tool *tool, const char *method, const char *key, Table *table,
		void (*fill)(Table *table, const JsonValue *item), const char *empty);

#endif
