/* SPDX-License-Identifier: MIT */
#include "client/vail-view/text-image.h"

#include <stdlib.h>
#include <string.h>

#include "client/vail-view/font.h"

typedef struct Line {
	const char *text;
	size_t length;
} Line;

/* Returns the length of the line that the text begins with: a number of whole words if that fits.
 */
static size_t line_length(const char *text, size_t columns)
{
	size_t length = strlen(text);

	if (length <= columns)
		return length;
	for (length = columns; length > 0; length--)
		if (text[length] == ' ')
			return length;
	return columns;
}

/* Splits the text. Returns the number of lines. */
static size_t split(const char *text, size_t columns, Line lines[TEXT_LINES_MAX])
{
	size_t count = 0;

	while (*text && count < TEXT_LINES_MAX) {
		size_t length = line_length(text, columns);

		lines[count++] = (Line){ text, length };
		text += length;
		text += strspn(text, " ");
	}
	return count;
}

static void draw_glyph(const TextImage *image, size_t column, size_t line, char character)
{
	const uint8_t *rows = font_glyph(character);
	uint8_t *to = image->pixels + line * CELL_HEIGHT * image->width + column * CELL_WIDTH;

	for (size_t y = 0; y < GLYPH_HEIGHT; y++)
		for (size_t x = 0; x < GLYPH_WIDTH; x++)
			if (rows[y] >> (GLYPH_WIDTH - 1 - x) & 1)
				to[y * image->width + x] = 255;
}

bool text_image_init(TextImage *image, const char *text, size_t columns)
{
	Line lines[TEXT_LINES_MAX];
	size_t count = split(text, columns, lines), longest = 1;

	for (size_t i = 0; i < count; i++)
		longest = lines[i].length > longest ? lines[i].length : longest;
	*image = (TextImage){ .width = (uint32_t)(longest * CELL_WIDTH),
			      .height = (uint32_t)((count > 0 ? count : 1) * CELL_HEIGHT) };
	image->pixels = calloc(image->width, image->height);
	if (!image->pixels)
		return false;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < lines[i].length; j++)
			draw_glyph(image, j, i, lines[i].text[j]);
	return true;
}

void text_image_deinit(TextImage *image)
{
	free(image->pixels);
	*image = (TextImage){ 0 };
}
