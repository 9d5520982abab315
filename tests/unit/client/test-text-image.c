/* SPDX-License-Identifier: MIT */
/* The sentences in vail-view's window: the font, the ends of lines, and where characters are drawn.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "client/vail-view/font.h"
#include "client/vail-view/text-image.h"

TestSuite(text_image);

Test(text_image, every_printable_character_has_a_glyph_of_its_own)
{
	for (int one = ' '; one <= '~'; one++) {
		const uint8_t *glyph = font_glyph((char)one);

		cr_expect(memcmp(glyph, font_glyph('\n'), GLYPH_HEIGHT) != 0, "%c is a box", one);
		for (size_t y = 0; y < GLYPH_HEIGHT; y++)
			cr_expect_eq(glyph[y] >> GLYPH_WIDTH, 0, "%c is too wide", one);
		for (int other = ' '; other < one; other++)
			cr_expect(memcmp(glyph, font_glyph((char)other), GLYPH_HEIGHT) != 0,
				  "%c looks like %c", one, other);
	}
}

Test(text_image, other_characters_are_boxes)
{
	const uint8_t *box = font_glyph('\x7f');

	for (int character = -128; character <= 127; character++)
		if (character < ' ' || character > '~')
			cr_expect_eq(font_glyph((char)character), box);
}

/* Returns the character whose glyph is drawn in the cell, or 0 if it is none's. */
static char read_cell(const TextImage *image, size_t column, size_t line)
{
	uint8_t rows[GLYPH_HEIGHT] = { 0 };

	for (size_t y = 0; y < GLYPH_HEIGHT; y++)
		for (size_t x = 0; x < GLYPH_WIDTH; x++) {
			size_t at =
				(line * CELL_HEIGHT + y) * image->width + column * CELL_WIDTH + x;
			unsigned int bit = image->pixels[at] ? 1u << (GLYPH_WIDTH - 1 - x) : 0;

			rows[y] = (uint8_t)(rows[y] | bit);
		}
	for (int character = ' '; character <= 0x7f; character++)
		if (memcmp(rows, font_glyph((char)character), GLYPH_HEIGHT) == 0)
			return (char)character;
	return 0;
}

/* Reads the image: lines end with "|", and boxes are "\x7f". */
static void read_image(const TextImage *image, char *text)
{
	for (size_t line = 0; line < image->height / CELL_HEIGHT; line++) {
		for (size_t column = 0; column < image->width / CELL_WIDTH; column++)
			*text++ = read_cell(image, column, line);
		*text++ = '|';
	}
	*text = '\0';
}

static const struct {
	const char *text;
	size_t columns;
	const char *lines;
} texts[] = {
	{ "", 10, " |" },
	{ "one", 10, "one|" },
	{ "one two", 7, "one two|" },
	{ "one two", 6, "one|two|" },
	{ "one two three", 8, "one two|three  |" },
	{ "one  two", 4, "one |two |" },
	{ "one two", 3, "one|two|" },
	{ "abcdefgh", 3, "abc|def|gh |" },
	{ "a bcdefgh", 3, "a  |bcd|efg|h  |" },
	{ "abc", 1, "a|b|c|" },
	{ "\xc3\xa9t\n", 10, "\x7f\x7ft\x7f|" },
	{ "ends with a blank ", 17, "ends with a blank|" },
};

Test(text_image, lines_end_between_words)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		TextImage image;
		char lines[200];

		cr_assert(text_image_init(&image, texts[i].text, texts[i].columns));
		cr_assert_leq((image.width / CELL_WIDTH + 1) * (image.height / CELL_HEIGHT),
			      sizeof(lines) - 1);
		read_image(&image, lines);
		cr_expect_str_eq(lines, texts[i].lines, "case %zu: %s", i, lines);
		text_image_deinit(&image);
	}
}

Test(text_image, lines_that_do_not_fit_are_left_out)
{
	char text[1000];
	TextImage image;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert(text_image_init(&image, text, 1));
	cr_expect_eq(image.height, TEXT_LINES_MAX * CELL_HEIGHT);
	text_image_deinit(&image);
	cr_expect_null(image.pixels);
}
