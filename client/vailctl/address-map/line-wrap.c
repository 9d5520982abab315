/* SPDX-License-Identifier: MIT */
#include "client/vailctl/address-map/line-wrap.h"

#include <stdarg.h>
#include <string.h>

void line_wrap_place(LineWrap *wrap, size_t gap, size_t columns)
{
	if (wrap->column > 0 && wrap->column + gap + columns > wrap->width) {
		fputc('\n', wrap->out);
		wrap->column = 0;
	}
	if (wrap->column > 0) {
		fprintf(wrap->out, "%*s", (int)gap, "");
		wrap->column += gap;
	}
	wrap->column += columns;
}

void line_wrap_add(LineWrap *wrap, const char *format, ...)
{
	char text[256], *rest = text, *word;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	while ((word = strsep(&rest, " "))) {
		line_wrap_place(wrap, 1, strlen(word));
		fputs(word, wrap->out);
	}
}

void line_wrap_end(LineWrap *wrap)
{
	fputc('\n', wrap->out);
	wrap->column = 0;
}
