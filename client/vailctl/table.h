/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_TABLE_H
#define CLIENT_VAILCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/macros.h"

/*
 * A table of text. Its layout fits a width: columns are shortened or left out, as they allow.
 * libsmartcols aligns the cells, with two spaces between the columns. Add cells row by row, from
 * left to right. Texts are escaped for a terminal.
 */

/* The digits of a GUID up to its first dash, as the prefix of a column. */
#define GUID_PREFIX 8

/* Maximum number of columns of a table. */
#define TABLE_COLUMNS_MAX 16

/*
 * A column that sets neither drop, minimum nor prefix is always printed as a whole: the place for
 * handles that people copy.
 */
typedef struct TableColumn {
	const char *name;
	bool right;            /* align to the right, for numbers */
	unsigned char drop;    /* the column with the highest number is left out first; 0: never */
	unsigned char minimum; /* may be shortened to this width, at least 3; 0: never */
	bool folds;            /* is folded to the lines below, and not cut, when it is shortened */
	/*
	 * If the whole table does not fit, this column is first cut to this width, without dots.
	 * Its cells are GUIDs, and a command takes the beginning of one. 0: never, and it is not
	 * cut if two rows with other cells would look the same.
	 */
	unsigned char prefix;
} TableColumn;

typedef enum TableColour {
	TABLE_PLAIN,
	TABLE_GREEN,
	TABLE_YELLOW,
	TABLE_RED,
	TABLE_BLUE,
	TABLE_UNDERLINED,
	TABLE_COLOUR_MAX,
} TableColour;

typedef struct TableCell {
	char *text;   /* escaped; owned by the cell */
	size_t width; /* in columns of the terminal */
	TableColour colour;
	size_t tail; /* columns at its end that stay when it is shortened; all: it is not */
} TableCell;

typedef struct Table Table;

struct Table {
	const TableColumn *columns; /* not owned */
	size_t column_count;
	TableCell *cells;
	size_t cell_count;
	size_t capacity;
	size_t max_width; /* to fit, in columns of the terminal; 0: print everything */
	bool has_colours; /* print colours */
	bool failed;      /* out of memory; cells are missing */
};

/* The array of columns must outlive the table. */
#define TABLE_INIT(columns_array) \
	((Table){ .columns = (columns_array), .column_count = ARRAY_SIZE(columns_array) })

void table_deinit(Table *table);

/* Adds a cell with a copy of text. NULL and "" are shown as "-". */
void table_add(Table *table, const char *text);
_printf_(2, 3) void table_add_format(Table *table, const char *format, ...);

/* Adds a cell that is printed in the colour if the table has_colours. */
void table_add_coloured(Table *table, TableColour colour, const char *text);

/*
 * Adds a cell that keeps the last bytes of its text when it is shortened. They are printable ASCII,
 * such as the digits of a GUID. With a tail of the whole text, it is never shortened.
 */
void table_add_tail(Table *table, const char *text, size_t tail);

/* Returns the width of the whole table in columns of the terminal. */
size_t table_width(const Table *table, bool header);

/*
 * Decides the width of each column, so that the table fits max_width. Cuts columns to their
 * prefixes. If that is not enough, leaves columns out until the rest fits when it is shortened as
 * far as it may be, and then shortens no further than necessary. A table that cannot fit is wider.
 *
 * ret_widths: one for each column, in columns of the terminal; 0: left out.
 */
void table_layout(const Table *table, bool header, size_t ret_widths[TABLE_COLUMNS_MAX]);

/*
 * Prints the rows, below the names of the columns if header is set. A text that was shortened ends
 * with "...". Returns false, without printing anything, if out of memory now or when a cell was
 * added.
 */
bool table_print(const Table *table, FILE *out, bool header);

#endif
