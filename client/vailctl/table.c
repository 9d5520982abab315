/* SPDX-License-Identifier: MIT */
#include "client/vailctl/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/terminal-text.h"

#define GAP "  "

void table_deinit(Table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	*table = (Table){ 0 };
}

static bool table_reserve(Table *table)
{
	size_t capacity = table->capacity > 0 ? table->capacity * 2 : 64;

	if (table->cell_count < table->capacity)
		return true;
	TableCell *cells = reallocarray(table->cells, capacity, sizeof(*cells));
	if (!cells)
		return false;
	table->cells = cells;
	table->capacity = capacity;
	return true;
}

void table_add(Table *table, const char *text)
{
	TableCell cell = { .colour = TABLE_PLAIN };

	cell.text = text_escape(text && *text ? text : "-", &cell.width);
	if (!cell.text || !table_reserve(table)) {
		free(cell.text);
		table->failed = true;
		return;
	}
	table->cells[table->cell_count++] = cell;
}

void table_add_coloured(Table *table, TableColour colour, const char *text)
{
	table_add(table, text);
	if (!table->failed)
		table->cells[table->cell_count - 1].colour = colour;
}

void table_add_format(Table *table, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text)
		table_add(table, text);
	else
		table->failed = true;
}

static size_t column_width(const Table *table, size_t column, bool header)
{
	size_t width = header ? strlen(table->columns[column].name) : 0;

	for (size_t i = column; i < table->cell_count; i += table->column_count)
		if (table->cells[i].width > width)
			width = table->cells[i].width;
	return width;
}

size_t table_width(const Table *table, bool header)
{
	size_t width = 0;

	for (size_t i = 0; i < table->column_count; i++)
		width += column_width(table, i, header) + (i > 0 ? strlen(GAP) : 0);
	return width;
}

static const char *colour_begin(const Table *table, TableColour colour)
{
	static const char *const begins[] = {
		[TABLE_PLAIN] = "",          [TABLE_GREEN] = "\033[32m",
		[TABLE_YELLOW] = "\033[33m", [TABLE_RED] = "\033[1;31m",
		[TABLE_BLUE] = "\033[34m",   [TABLE_UNDERLINED] = "\033[4m",
	};
	_Static_assert(ARRAY_SIZE(begins) == TABLE_COLOUR_MAX,
		       "each colour has an escape sequence");

	return table->has_colours ? begins[colour] : "";
}

/* The last column gets no trailing spaces. */
static void print_cell(const Table *table, FILE *out, size_t column, size_t width,
		       const TableCell *cell)
{
	bool right = table->columns[column].right, last = column + 1 == table->column_count;
	int padding = (int)(width - cell->width);

	const char *begin = colour_begin(table, cell->colour);

	fprintf(out, "%*s%s%s%s%*s%s", right ? padding : 0, "", begin, cell->text,
		*begin ? "\033[0m" : "", right || last ? 0 : padding, "", last ? "\n" : GAP);
}

bool table_print(const Table *table, FILE *out, bool header)
{
	_cleanup_free_ size_t *widths = calloc(table->column_count, sizeof(*widths));

	if (!widths || table->failed)
		return false;
	assert(table->cell_count % table->column_count == 0);

	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = column_width(table, i, header);
	for (size_t i = 0; header && i < table->column_count; i++) {
		char *name = (char *)table->columns[i].name;

		print_cell(table, out, i, widths[i],
			   &(TableCell){ .text = name,
					 .width = strlen(name),
					 .colour = TABLE_UNDERLINED });
	}
	for (size_t i = 0; i < table->cell_count; i++)
		print_cell(table, out, i % table->column_count, widths[i % table->column_count],
			   &table->cells[i]);
	return true;
}
