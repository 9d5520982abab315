/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAILCTL_TABLE_H
#define CLIENT_VAILCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/macros.h"

/*
 * A table of text, with columns as wide as their widest cell and two spaces between them. Add cells
 * row by row, from left to right. Texts are escaped for a terminal.
 */

typedef struct TableColumn {
	const char *name;
	bool right; /* align to the right, for numbers */
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
} TableCell;

typedef struct Table Table;

struct Table {
	const TableColumn *columns; /* not owned */
	size_t column_count;
	TableCell *cells;
	size_t cell_count;
	size_t capacity;
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

/* Returns the width of the table in columns of the terminal. */
size_t table_width(const Table *table, bool header);

/*
 * Prints the rows, below the names of the columns if header is set. Returns false, without printing
 * anything, if out of memory now or when a cell was added.
 */
bool table_print(const Table *table, FILE *out, bool header);

#endif
