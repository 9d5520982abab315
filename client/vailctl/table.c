/* SPDX-License-Identifier: MIT */
#include "client/vailctl/table.h"

#include <assert.h>
#include <libsmartcols/libsmartcols.h>
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

void table_add_tail(Table *table, const char *text, size_t tail)
{
	table_add(table, text);
	if (!table->failed)
		table->cells[table->cell_count - 1].tail = tail;
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

/* Returns the column that is left out next, or column_count if none may be. */
static size_t next_dropped(const Table *table, const size_t *widths)
{
	size_t next = table->column_count;

	for (size_t i = 0; i < table->column_count; i++)
		if (widths[i] > 0 && table->columns[i].drop > 0 &&
		    (next == table->column_count ||
		     table->columns[i].drop >= table->columns[next].drop))
			next = i;
	return next;
}

static size_t sum_widths(const size_t *widths, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		if (widths[i] > 0)
			sum += widths[i] + (sum > 0 ? strlen(GAP) : 0);
	return sum;
}

/* Gives the free width to shortened columns, the narrowest first. */
static void widen(const size_t *natural, size_t *widths, size_t count, size_t left)
{
	for (; left > 0; left--) {
		size_t narrowest = count;

		for (size_t i = 0; i < count; i++)
			if (widths[i] > 0 && widths[i] < natural[i] &&
			    (narrowest == count || widths[i] < widths[narrowest]))
				narrowest = i;
		if (narrowest == count)
			return;
		widths[narrowest]++;
	}
}

/* Returns the width that a cell needs in any case. */
static size_t cell_minimum(const TableCell *cell)
{
	size_t shortened = cell->tail + strlen("...");

	if (cell->tail == 0)
		return 0;
	return shortened < cell->width ? shortened : cell->width;
}

/* Returns the width to which a column may be shortened. */
static size_t minimum_width(const Table *table, size_t column, size_t natural, bool header)
{
	size_t minimum = table->columns[column].minimum;
	size_t name = header ? strlen(table->columns[column].name) : 0;

	if (minimum == 0)
		return natural;
	if (minimum < name)
		minimum = name;
	for (size_t i = column; i < table->cell_count; i += table->column_count)
		if (cell_minimum(&table->cells[i]) > minimum)
			minimum = cell_minimum(&table->cells[i]);
	return minimum < natural ? minimum : natural;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Tests whether two cells of the column that differ have the same prefix, or if out of memory. */
static bool is_ambiguous(const Table *table, size_t column, size_t prefix)
{
	size_t rows = table->cell_count / table->column_count;
	const char **texts = calloc(rows + 1, sizeof(*texts));
	bool is_found = !texts;

	for (size_t i = 0; texts && i < rows; i++)
		texts[i] = table->cells[i * table->column_count + column].text;
	if (texts)
		qsort(texts, rows, sizeof(*texts), compare_texts);
	for (size_t i = 1; texts && i < rows && !is_found; i++)
		is_found = strncmp(texts[i - 1], texts[i], prefix) == 0 &&
			   strcmp(texts[i - 1], texts[i]) != 0;
	free(texts);
	return is_found;
}

/* Returns the width of the column if the whole table does not fit. */
static size_t prefix_width(const Table *table, size_t column, size_t natural)
{
	size_t prefix = table->columns[column].prefix;

	if (prefix == 0 || prefix >= natural || is_ambiguous(table, column, prefix))
		return natural;
	return prefix;
}

void table_layout(const Table *table, bool header, size_t ret_widths[TABLE_COLUMNS_MAX])
{
	size_t natural[TABLE_COLUMNS_MAX], count = table->column_count, dropped, width;
	bool is_limited = table->max_width > 0;

	assert(count <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < count; i++) {
		natural[i] = column_width(table, i, header);
		ret_widths[i] = natural[i];
	}
	if (!is_limited || sum_widths(natural, count) <= table->max_width)
		return;
	for (size_t i = 0; i < count; i++) {
		natural[i] = prefix_width(table, i, natural[i]);
		ret_widths[i] = minimum_width(table, i, natural[i], header);
	}
	while ((width = sum_widths(ret_widths, count)) > table->max_width &&
	       (dropped = next_dropped(table, ret_widths)) < count)
		ret_widths[dropped] = 0;
	if (width < table->max_width)
		widen(natural, ret_widths, count, table->max_width - width);
}

static const char *colour_begin(TableColour colour)
{
	static const char *const begins[] = {
		[TABLE_PLAIN] = NULL,        [TABLE_GREEN] = "\033[32m",
		[TABLE_YELLOW] = "\033[33m", [TABLE_RED] = "\033[1;31m",
		[TABLE_BLUE] = "\033[34m",   [TABLE_UNDERLINED] = "\033[4m",
	};
	_Static_assert(ARRAY_SIZE(begins) == TABLE_COLOUR_MAX,
		       "each colour has an escape sequence");

	return begins[colour];
}

/* Returns false if out of memory. */
static bool set_cell(struct libscols_cell *output, const TableCell *cell, const TableColumn *column,
		     size_t width)
{
	_cleanup_free_ char *text = NULL;

	if (column->folds)
		text = text_fold(cell->text, width, 0);
	else if (column->prefix > 0 && column->prefix == width)
		text = strndup(cell->text, width);
	else
		text = text_escape_around(cell->text, cell->tail, width);
	return text && scols_cell_set_data(output, text) == 0 &&
	       scols_cell_set_color(output, colour_begin(cell->colour)) == 0;
}

static int column_flags(const TableColumn *column)
{
	return (column->right ? SCOLS_FL_RIGHT : 0) | (column->folds ? SCOLS_FL_WRAP : 0);
}

/* Lets the library end a line of a folded cell where text_fold() has. Returns false on failure. */
static bool set_folding(struct libscols_column *output, const TableColumn *column)
{
	return !column->folds || (scols_column_set_safechars(output, "\n") == 0 &&
				  scols_column_set_wrapfunc(output, scols_wrapnl_chunksize,
							    scols_wrapnl_nextchunk, NULL) == 0);
}

/* The library makes a column at least as wide as its name, even if it does not print the names. */
static bool add_columns(const Table *table, const size_t *widths, bool header,
			struct libscols_table *output)
{
	for (size_t i = 0; i < table->column_count; i++) {
		if (widths[i] == 0)
			continue;
		struct libscols_column *column =
			scols_table_new_column(output, header ? table->columns[i].name : NULL, 0,
					       column_flags(&table->columns[i]));
		if (!column || !set_folding(column, &table->columns[i]) ||
		    scols_cell_set_color(scols_column_get_header(column),
					 colour_begin(TABLE_UNDERLINED)) != 0)
			return false;
	}
	return true;
}

static bool add_row(const Table *table, const size_t *widths, const TableCell *cells,
		    struct libscols_table *output)
{
	struct libscols_line *line = scols_table_new_line(output, NULL);
	size_t at = 0;

	for (size_t i = 0; line && i < table->column_count; i++)
		if (widths[i] > 0 && !set_cell(scols_line_get_cell(line, at++), &cells[i],
					       &table->columns[i], widths[i]))
			return false;
	return line;
}

/* Sets what the library would otherwise decide from stdout. The cells are escaped already. */
static bool set_style(const Table *table, FILE *out, bool header, struct libscols_table *output)
{
	return scols_table_set_stream(output, out) == 0 &&
	       scols_table_set_termforce(output, SCOLS_TERMFORCE_NEVER) == 0 &&
	       scols_table_enable_noencoding(output, true) == 0 &&
	       scols_table_set_column_separator(output, GAP) == 0 &&
	       scols_table_enable_noheadings(output, !header) == 0 &&
	       scols_table_enable_colors(output, table->has_colours) == 0;
}

bool table_print(const Table *table, FILE *out, bool header)
{
	struct libscols_table *output = scols_new_table();
	size_t widths[TABLE_COLUMNS_MAX];
	bool printed = output && !table->failed;

	assert(table->failed || table->cell_count % table->column_count == 0);
	if (printed) {
		table_layout(table, header, widths);
		printed = set_style(table, out, header, output) &&
			  add_columns(table, widths, header, output);
	}
	for (size_t i = 0; printed && i < table->cell_count; i += table->column_count)
		printed = add_row(table, widths, &table->cells[i], output);
	printed = printed && scols_print_table(output) == 0;
	scols_unref_table(output);
	return printed;
}
