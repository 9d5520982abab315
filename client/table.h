/* SPDX-License-Identifier: MIT */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "macros.h"

/*
 * A table for people: each column as wide as its widest cell, two blanks between. Cells are added
 * row by row, from the left to the right, and escaped for a terminal.
 */

typedef struct TableColumn {
	const char *name;
	bool right; /* numbers stand on the right */
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
	char *text; /* the table's */
	size_t width;
	TableColour colour;
} TableCell;

typedef struct Table Table;

struct Table {
	const TableColumn *columns; /* not the table's */
	size_t column_count;
	TableCell *cells;
	size_t cell_count;
	size_t capacity;
	bool has_colours; /* it goes to a terminal that shows them */
	bool failed;      /* there was no memory for a cell */
};

/* columns: an array, which has to live as long as the table. */
#define TABLE_INIT(columns_array) \
	((Table){ .columns = (columns_array), .column_count = ARRAY_SIZE(columns_array) })

void table_deinit(Table *table);

/* Adds a cell; text is copied. NULL and "" are shown as "-". */
void table_add(Table *table, const char *text);
_printf_(2, 3) void table_add_format(Table *table, const char *format, ...);

/* Adds a cell that is shown in a colour where the table has_colours. */
void table_add_coloured(Table *table, TableColour colour, const char *text);

/* The columns that the table takes on a terminal. */
size_t table_width(const Table *table, bool header);

/* Prints the rows, under a row of names with header. Returns false, having printed nothing, when
 * there was no memory. */
bool table_print(const Table *table, FILE *out, bool header);

#endif
