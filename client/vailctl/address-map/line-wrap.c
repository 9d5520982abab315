/* SPDX-License-Identifier: MIT */
#include "client/vailctl/address-map/line-wrap.h"

#include <stdarg.h>
#include <string.h>

void words_place(Words *words, size_t gap, size_t columns)
{
	if (words->column > 0 && words->column + gap + columns > words->width) {
		fputc('\n', words->out);
		words->column = 0;
	}
	if (words->column > 0) {
		fprintf(words->out, "%*s", (int)gap, "");
		words->column += gap;
	}
	words->column += columns;
}

void words_add(Words *words, const char *format, ...)
{
	char text[256], *rest = text, *word;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	while ((word = strsep(&rest, " "))) {
		words_place(words, 1, strlen(word));
		fputs(word, words->out);
	}
}

void words_end(Words *words)
{
	fputc('\n', words->out);
	words->column = 0;
}
