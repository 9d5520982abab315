/* SPDX-License-Identifier: MIT */
/* Which texts of a clipboard are passed on. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/common/clipboard-text.h"
#include "proto/macros.h"

TestSuite(clipboard_text);

#define TEXT(bytes)                      \
	{                                \
		bytes, sizeof(bytes) - 1 \
	}

typedef struct Sample {
	const char *bytes;
	size_t size;
} Sample;

static const Sample valid[] = {
	TEXT("a"),
	TEXT("two\nlines\ttab\r\n"),
	TEXT("\x7f"),
	TEXT("\xc2\x80"), /* the lowest and highest of each length */
	TEXT("\xdf\xbf"),
	TEXT("\xe0\xa0\x80"),
	TEXT("\xed\x9f\xbf"),
	TEXT("\xee\x80\x80"),
	TEXT("\xef\xbf\xbf"),
	TEXT("\xf0\x90\x80\x80"),
	TEXT("\xf4\x8f\xbf\xbf"),
};

static const Sample invalid[] = {
	TEXT(""),
	TEXT("\0"),
	TEXT("a\0b"),
	TEXT("\x80"),     /* a continuation alone */
	TEXT("\xc1\xbf"), /* overlong */
	TEXT("\xe0\x9f\xbf"),
	TEXT("\xf0\x8f\xbf\xbf"),
	TEXT("\xed\xa0\x80"),     /* a surrogate */
	TEXT("\xf4\x90\x80\x80"), /* beyond U+10FFFF */
	TEXT("\xf5\x80\x80\x80"),
	TEXT("\xff"),
	TEXT("a\xc3"), /* cut */
	TEXT("\xe2\x82"),
	TEXT("\xf0\x9f\x98"),
	TEXT("\xc3"
	     "a"),
	TEXT("\xe2\x82"
	     "a"),
	TEXT("\xf0\x9f\x98"
	     "a"),
};

Test(clipboard_text, utf8_is_valid)
{
	for (size_t i = 0; i < ARRAY_SIZE(valid); i++)
		cr_assert(clipboard_text_is_valid(valid[i].bytes, valid[i].size), "row %zu", i);
}

Test(clipboard_text, everything_else_is_invalid)
{
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
		cr_assert_not(clipboard_text_is_valid(invalid[i].bytes, invalid[i].size), "row %zu",
			      i);
}

Test(clipboard_text, size_is_limited)
{
	static char text[CLIPBOARD_TEXT_MAX + 1];

	memset(text, 'x', sizeof(text));
	cr_assert(clipboard_text_is_valid(text, CLIPBOARD_TEXT_MAX));
	cr_assert_not(clipboard_text_is_valid(text, CLIPBOARD_TEXT_MAX + 1));
}
