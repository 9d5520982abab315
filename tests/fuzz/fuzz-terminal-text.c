/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the escaping of untrusted text for a terminal. The result has no control character, takes
 * the columns that were announced, and can be cut or folded to any width.
 */
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "client/common/terminal-text.h"
#include "client/common/user-message.h"
#include "tests/fuzz/common/fuzz-input.h"

#define COLUMNS_MIN 3 /* text_escape_to() needs room for "..." */

const char program_name[] = "fuzz";

/* Returns the width, after checking that each character is one that a terminal only shows. */
static size_t columns_of(const char *text)
{
	mbstate_t state = { 0 };
	size_t width = 0;

	while (*text) {
		wchar_t character;
		size_t size = mbrtowc(&character, text, strlen(text), &state);

		fuzz_must(size > 0 && size <= MB_LEN_MAX && wcwidth(character) >= 0);
		fuzz_must(character < 0x202a || character > 0x202e); /* changes of direction */
		width += (size_t)wcwidth(character);
		text += size;
	}
	return width;
}

/* Cuts the text before its last bytes, as far as they are ASCII. */
static void check_tail(const char *text, size_t columns)
{
	size_t length = strlen(text), tail = 0;

	while (tail < length / 3 && (unsigned char)text[length - tail - 1] < 0x80)
		tail++;
	char *cut = text_escape_around(text, tail, columns);

	fuzz_must(cut);
	fuzz_must(columns_of(cut) <= columns || columns < tail + COLUMNS_MIN);
	fuzz_must(strcmp(cut + strlen(cut) - tail, text + length - tail) == 0);
	free(cut);
}

static void trim(char *line)
{
	size_t length = strlen(line);

	while (length > 0 && line[length - 1] == ' ')
		line[--length] = '\0';
}

/* Folds escaped text, and checks that each line fits, unless it is a single word. */
static void check_fold(const char *safe, size_t columns)
{
	char *folded = text_fold(safe, columns, 0), *rest = folded, *line;

	fuzz_must(folded && strlen(folded) == strlen(safe));
	while ((line = strsep(&rest, "\n"))) {
		trim(line);
		fuzz_must(!strchr(line, ' ') || columns_of(line) <= columns);
	}
	free(folded);
}

static void check(const char *text, size_t columns)
{
	size_t width;
	char *safe = text_escape(text, &width), *cut = text_escape_to(text, columns);

	fuzz_must(safe && cut);
	fuzz_must(columns_of(safe) == width);
	fuzz_must(columns_of(cut) <= columns);
	fuzz_must(width > columns || strcmp(safe, cut) == 0);
	check_tail(safe, columns);
	check_fold(safe, columns);
	free(safe);
	free(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { data, size };
	size_t columns = COLUMNS_MIN + input_byte(&input);
	char *text = input_text(input);

	fuzz_must(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	check(text, columns);
	fuzz_must(setlocale(LC_CTYPE, "C") != NULL);
	check(text, columns);
	free(text);
	return 0;
}
