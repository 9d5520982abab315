/* SPDX-License-Identifier: MIT */
/*
 * read-console FILE ROW: reads a row of text from FILE, a PNG screenshot of a text console. Row 0
 * of the screenshot must begin with "0123456789abcdef", from which the program learns the shapes of
 * these characters. Prints the row up to its first blank, with ? for every other character.
 */
#include "tests/system/helpers/pixels.h"

#define CELL_WIDTH  8u
#define CELL_HEIGHT 16u

static const char alphabet[] = "0123456789abcdef";

typedef struct Cell {
	uint32_t pixels[CELL_HEIGHT][CELL_WIDTH];
} Cell;

static Cell cell_at(const Pixels *pixels, size_t row, size_t column)
{
	size_t stride = pixels->image.width * sizeof(uint32_t);
	Cell cell;

	for (size_t y = 0; y < CELL_HEIGHT; y++)
		memcpy(cell.pixels[y],
		       pixels->data + (row * CELL_HEIGHT + y) * stride +
			       column * sizeof(cell.pixels[y]),
		       sizeof(cell.pixels[y]));
	return cell;
}

static bool cells_are_equal(const Cell *a, const Cell *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool cell_is_blank(const Cell *cell)
{
	const uint32_t *pixels = cell->pixels[0];

	return memcmp(pixels, pixels + 1, sizeof(*cell) - sizeof(*pixels)) == 0;
}

/* Learns the characters' shapes. Exits with 1 if one is blank or two are equal. */
static void learn(const Pixels *pixels, Cell *glyphs)
{
	for (size_t i = 0; alphabet[i]; i++) {
		glyphs[i] = cell_at(pixels, 0, i);
		if (cell_is_blank(&glyphs[i]))
			errx(1, "row 0 has a blank instead of %c", alphabet[i]);
		for (size_t j = 0; j < i; j++)
			if (cells_are_equal(&glyphs[i], &glyphs[j]))
				errx(1, "%c and %c look the same in row 0", alphabet[j],
				     alphabet[i]);
	}
}

static char recognise(const Cell *cell, const Cell *glyphs)
{
	for (size_t i = 0; alphabet[i]; i++)
		if (cells_are_equal(cell, &glyphs[i]))
			return alphabet[i];
	return '?';
}

int main(int argc, char **argv)
{
	Cell glyphs[sizeof(alphabet)];

	if (argc != 3)
		errx(2, "usage: read-console FILE ROW");
	Pixels pixels = pixels_read(argv[1]);
	size_t row = helper_number(argv[2]), columns = pixels.image.width / CELL_WIDTH;
	if (columns < strlen(alphabet) || row >= pixels.image.height / CELL_HEIGHT)
		errx(1, "a screenshot of %u x %u is too small", pixels.image.width,
		     pixels.image.height);
	learn(&pixels, glyphs);
	for (size_t column = 0; column < columns; column++) {
		Cell cell = cell_at(&pixels, row, column);
		if (cell_is_blank(&cell))
			break;
		putchar(recognise(&cell, glyphs));
	}
	putchar('\n');
	return 0;
}
