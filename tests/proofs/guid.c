/* SPDX-License-Identifier: MIT */
/*
 * GUIDs and handles, proto/guid.c.
 *
 * Proved: guid_parse() accepts exactly 8-4-4-4-12 hex digits of either case, with or without both
 * braces, and not the nil GUID. It sets the bytes in the order of the digits, and leaves the result
 * unchanged if it refuses the text. guid_format() writes 37 bytes and no more, in lower case, and
 * guid_parse() reads every GUID but nil back. The same holds for handles, which have 32 lower-case
 * digits.
 *
 * Bound: texts of at most TEXT_MAX bytes. The longest accepted text has 38, and the code refuses a
 * longer one without a look at its digits, so the length does not matter beyond that.
 */
#include <string.h>

#include "proto/guid.h"
#include "tests/proofs/proof.h"

enum { TEXT_MAX = 40 };

typedef struct Text {
	char bytes[TEXT_MAX + 1];
} Text;

Text nondet_text(void);
Guid nondet_guid(void);
Handle nondet_handle(void);

/* Returns every text with its NUL, and any bytes behind that. */
static Text any_text(void)
{
	Text text = nondet_text();

	text.bytes[TEXT_MAX] = '\0';
	return text;
}

static int value_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Tests for one form of the contract, 8-4-4-4-12, with the nibbles of the GUID. */
static bool has_form(const char *text, uint8_t nibbles[static 32])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t count = 0;

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] == '-' ? text[i] != '-' : value_of(text[i]) < 0)
			return false;
		if (form[i] == 'x')
			nibbles[count++] = (uint8_t)value_of(text[i]);
	}
	return true;
}

PROOF(guid_parse)
{
	const Text storage = any_text();
	const char *text = storage.bytes;
	size_t length = strlen(text);
	uint8_t nibbles[32] = { 0 };
	Guid before = nondet_guid(), guid = before;
	bool is_accepted = guid_parse(text, &guid);
	bool is_form =
		(length == 36 && has_form(text, nibbles)) ||
		(length == 38 && text[0] == '{' && text[37] == '}' && has_form(text + 1, nibbles));
	bool is_nil = true;

	for (size_t i = 0; i < 32; i++)
		is_nil = is_nil && nibbles[i] == 0;
	assert(is_accepted == (is_form && !is_nil));
	for (size_t i = 0; i < 16; i++)
		assert(guid.bytes[i] ==
		       (is_accepted ? nibbles[2 * i] << 4 | nibbles[2 * i + 1] : before.bytes[i]));
}

PROOF(guid_format)
{
	Guid guid = nondet_guid(), back;
	char text[GUID_TEXT_LENGTH + 1];
	size_t at = nondet_size();

	assert(guid_format(&guid, text) == text);
	assert(text[GUID_TEXT_LENGTH] == '\0');
	assume(at < GUID_TEXT_LENGTH);
	assert((text[at] >= '0' && text[at] <= '9') || (text[at] >= 'a' && text[at] <= 'f') ||
	       text[at] == '-');
	assert(guid_parse(text, &back) == !guid_is_nil(&guid));
	if (!guid_is_nil(&guid))
		assert(guid_compare(&guid, &back) == 0);
}

PROOF(handle_parse)
{
	const Text storage = any_text();
	const char *text = storage.bytes;
	Handle before = nondet_handle(), handle = before;
	bool is_accepted = handle_parse(text, &handle);
	bool is_form = strlen(text) == HANDLE_TEXT_LENGTH;

	for (size_t i = 0; is_form && i < HANDLE_TEXT_LENGTH; i++)
		is_form = value_of(text[i]) >= 0 && !(text[i] >= 'A' && text[i] <= 'F');
	assert(is_accepted == is_form);
	for (size_t i = 0; i < 16; i++)
		assert(handle.bytes[i] ==
		       (is_accepted ? value_of(text[2 * i]) << 4 | value_of(text[2 * i + 1])
				    : before.bytes[i]));
}

PROOF(handle_format)
{
	Handle handle = nondet_handle(), back;
	char text[HANDLE_TEXT_LENGTH + 1];

	assert(handle_format(&handle, text) == text);
	assert(handle_parse(text, &back));
	assert(handle_compare(&handle, &back) == 0);
}
