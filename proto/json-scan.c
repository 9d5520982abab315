/* SPDX-License-Identifier: MIT */
#include "proto/json-scan.h"

static JsonScanResult fault_at(uint8_t byte)
{
	return byte == '\0' ? JSON_SCAN_FAULT_NUL : JSON_SCAN_FAULT_SYNTAX;
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* The ASCII characters that a string simply contains. */
static const bool is_plain[256] = {
	[0x20 ... 0x21] = true, /* up to the quote */
	[0x23 ... 0x5b] = true, /* up to the backslash */
	[0x5d ... 0x7f] = true,
};

/* The characters that may follow a backslash, except for u. */
static const bool is_short_escape[256] = {
	['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true,
	['f'] = true, ['n'] = true,  ['r'] = true, ['t'] = true,
};

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static JsonScanResult enter(JsonScan *scan, JsonScanState state)
{
	scan->state = state;
	return JSON_SCAN_INCOMPLETE;
}

static JsonScanResult end_value(JsonScan *scan)
{
	if (scan->depth > 0)
		return enter(scan, JSON_SCAN_AFTER_VALUE);
	scan->state = JSON_SCAN_END;
	return JSON_SCAN_COMPLETE;
}

/* --- strings --------------------------------------------------------------------------------- */

static JsonScanResult begin_string(JsonScan *scan, bool is_key)
{
	scan->in_key = is_key;
	return enter(scan, JSON_SCAN_STRING);
}

static JsonScanResult end_string(JsonScan *scan)
{
	return scan->in_key ? enter(scan, JSON_SCAN_BEFORE_COLON) : end_value(scan);
}

/* Begins a character of two to four bytes. Later bytes are 0x80 to 0xbf, the second one in part. */
static JsonScanResult begin_character(JsonScan *scan, uint8_t byte)
{
	if (byte < 0xc2 || byte > 0xf4)
		return JSON_SCAN_FAULT_UTF8;
	scan->continuation = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
	scan->lowest = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;  /* not overlong */
	scan->highest = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf; /* surrogates, U+10FFFF */
	return enter(scan, JSON_SCAN_CHARACTER);
}

static JsonScanResult scan_character(JsonScan *scan, uint8_t byte)
{
	if (byte < scan->lowest || byte > scan->highest)
		return JSON_SCAN_FAULT_UTF8;
	scan->lowest = 0x80;
	scan->highest = 0xbf;
	if (--scan->continuation == 0)
		scan->state = JSON_SCAN_STRING;
	return JSON_SCAN_INCOMPLETE;
}

static JsonScanResult scan_string(JsonScan *scan, uint8_t byte)
{
	if (byte == '"')
		return end_string(scan);
	if (byte == '\\')
		return enter(scan, JSON_SCAN_ESCAPE);
	if (byte >= 0x80)
		return begin_character(scan, byte);
	if (byte >= 0x20)
		return JSON_SCAN_INCOMPLETE;
	return byte == '\0' ? JSON_SCAN_FAULT_NUL : JSON_SCAN_FAULT_CONTROL;
}

static JsonScanResult scan_escape(JsonScan *scan, uint8_t byte)
{
	if (is_short_escape[byte])
		return enter(scan, JSON_SCAN_STRING);
	if (byte != 'u')
		return byte > 0 && byte < 0x20 ? JSON_SCAN_FAULT_CONTROL : fault_at(byte);
	scan->unicode_digits = 0;
	scan->unicode_is_zero = true;
	return enter(scan, JSON_SCAN_UNICODE);
}

static JsonScanResult scan_unicode(JsonScan *scan, uint8_t byte)
{
	uint8_t letter = byte | 0x20;

	if (!is_digit(byte) && (letter < 'a' || letter > 'f'))
		return fault_at(byte);
	if (byte != '0')
		scan->unicode_is_zero = false;
	if (++scan->unicode_digits < 4)
		return JSON_SCAN_INCOMPLETE;
	return scan->unicode_is_zero ? JSON_SCAN_FAULT_ZERO : enter(scan, JSON_SCAN_STRING);
}

/* --- values ---------------------------------------------------------------------------------- */

static JsonScanResult begin_container(JsonScan *scan, const JsonBounds *bounds, bool is_object)
{
	if (scan->depth == bounds->depth)
		return JSON_SCAN_FAULT_DEPTH;
	uint64_t level = UINT64_C(1) << scan->depth++;

	if (is_object)
		scan->objects |= level;
	else
		scan->objects &= ~level;
	return enter(scan, is_object ? JSON_SCAN_BEFORE_FIRST_KEY : JSON_SCAN_BEFORE_FIRST_ITEM);
}

static bool in_object(const JsonScan *scan)
{
	return scan->objects >> (scan->depth - 1) & 1;
}

static JsonScanResult end_container(JsonScan *scan)
{
	scan->depth--;
	return end_value(scan);
}

static JsonScanResult begin_literal(JsonScan *scan, const char *rest)
{
	scan->literal = rest;
	return enter(scan, JSON_SCAN_LITERAL);
}

static JsonScanResult begin_number(JsonScan *scan, uint8_t byte)
{
	if (byte != '-' && !is_digit(byte))
		return fault_at(byte);
	scan->digits = byte != '-' && byte != '0';
	return enter(scan, byte == '-'   ? JSON_SCAN_MINUS
			   : byte == '0' ? JSON_SCAN_ZERO
					 : JSON_SCAN_INTEGER);
}

/* Begins a value of the byte's type. */
static JsonScanResult begin_value_of(JsonScan *scan, const JsonBounds *bounds, uint8_t byte)
{
	switch (byte) {
	case '{':
	case '[':
		return begin_container(scan, bounds, byte == '{');
	case '"':
		return begin_string(scan, false);
	case 't':
		return begin_literal(scan, "rue");
	case 'f':
		return begin_literal(scan, "alse");
	case 'n':
		return begin_literal(scan, "ull");
	default:
		return begin_number(scan, byte);
	}
}

static JsonScanResult begin_value(JsonScan *scan, const JsonBounds *bounds, uint8_t byte)
{
	JsonScanResult result = begin_value_of(scan, bounds, byte);

	if (result == JSON_SCAN_INCOMPLETE && ++scan->values > bounds->values)
		return JSON_SCAN_FAULT_VALUES;
	return result;
}

static JsonScanResult scan_literal(JsonScan *scan, uint8_t byte)
{
	if (byte == '\0' || byte != (uint8_t)*scan->literal)
		return fault_at(byte);
	return *++scan->literal == '\0' ? end_value(scan) : JSON_SCAN_INCOMPLETE;
}

static JsonScanResult scan_after_value(JsonScan *scan, uint8_t byte)
{
	bool is_object = in_object(scan);

	if (byte == ',')
		return enter(scan, is_object ? JSON_SCAN_BEFORE_KEY : JSON_SCAN_BEFORE_VALUE);
	return byte == (is_object ? '}' : ']') ? end_container(scan) : fault_at(byte);
}

static JsonScanResult scan_before_key(JsonScan *scan, uint8_t byte)
{
	if (byte == '}' && scan->state == JSON_SCAN_BEFORE_FIRST_KEY)
		return end_container(scan);
	return byte == '"' ? begin_string(scan, true) : fault_at(byte);
}

/* --- numbers --------------------------------------------------------------------------------- */

/* Tests whether the number can end here. */
static bool number_may_end(JsonScanState state)
{
	return state == JSON_SCAN_ZERO || state == JSON_SCAN_INTEGER ||
	       state == JSON_SCAN_FRACTION || state == JSON_SCAN_EXPONENT;
}

static JsonScanResult scan_digit(JsonScan *scan, const JsonBounds *bounds, uint8_t byte)
{
	if (scan->state == JSON_SCAN_ZERO)
		return JSON_SCAN_FAULT_SYNTAX;
	bool is_counted = byte != '0' || scan->digits > 0 || scan->state >= JSON_SCAN_E;
	if (is_counted && ++scan->digits > bounds->digits)
		return JSON_SCAN_FAULT_DIGITS;
	switch (scan->state) {
	case JSON_SCAN_MINUS:
		return enter(scan, byte == '0' ? JSON_SCAN_ZERO : JSON_SCAN_INTEGER);
	case JSON_SCAN_POINT:
		return enter(scan, JSON_SCAN_FRACTION);
	case JSON_SCAN_E:
	case JSON_SCAN_SIGN:
		return enter(scan, JSON_SCAN_EXPONENT);
	default:
		return JSON_SCAN_INCOMPLETE;
	}
}

/* Ends the number before this byte, which is not scanned if the number is the whole text. */
static JsonScanResult end_number(JsonScan *scan, uint8_t byte)
{
	JsonScanResult result = end_value(scan);

	if (result == JSON_SCAN_COMPLETE || is_blank(byte))
		return result;
	return scan_after_value(scan, byte);
}

static JsonScanResult scan_number(JsonScan *scan, const JsonBounds *bounds, uint8_t byte)
{
	JsonScanState state = scan->state;

	if (is_digit(byte))
		return scan_digit(scan, bounds, byte);
	if (byte == '.' && (state == JSON_SCAN_ZERO || state == JSON_SCAN_INTEGER))
		return enter(scan, JSON_SCAN_POINT);
	if ((byte | 0x20) == 'e' && number_may_end(state) && state != JSON_SCAN_EXPONENT)
		return enter(scan, JSON_SCAN_E);
	if ((byte == '+' || byte == '-') && state == JSON_SCAN_E)
		return enter(scan, JSON_SCAN_SIGN);
	return number_may_end(state) ? end_number(scan, byte) : fault_at(byte);
}

/* --- the text -------------------------------------------------------------------------------- */

/* Tests whether the text is a number, which ends before the byte that shows its end. */
static bool is_in_lone_number(const JsonScan *scan)
{
	return scan->depth == 0 && scan->state >= JSON_SCAN_MINUS &&
	       scan->state <= JSON_SCAN_EXPONENT;
}

static JsonScanResult scan_byte(JsonScan *scan, const JsonBounds *bounds, uint8_t byte)
{
	switch (scan->state) {
	case JSON_SCAN_BEFORE_FIRST_ITEM:
		return byte == ']' ? end_container(scan) : begin_value(scan, bounds, byte);
	case JSON_SCAN_BEFORE_VALUE:
		return begin_value(scan, bounds, byte);
	case JSON_SCAN_BEFORE_FIRST_KEY:
	case JSON_SCAN_BEFORE_KEY:
		return scan_before_key(scan, byte);
	case JSON_SCAN_BEFORE_COLON:
		return byte == ':' ? enter(scan, JSON_SCAN_BEFORE_VALUE) : fault_at(byte);
	case JSON_SCAN_AFTER_VALUE:
		return scan_after_value(scan, byte);
	case JSON_SCAN_STRING:
		return scan_string(scan, byte);
	case JSON_SCAN_ESCAPE:
		return scan_escape(scan, byte);
	case JSON_SCAN_UNICODE:
		return scan_unicode(scan, byte);
	case JSON_SCAN_CHARACTER:
		return scan_character(scan, byte);
	case JSON_SCAN_LITERAL:
		return scan_literal(scan, byte);
	default:
		return scan_number(scan, bounds, byte);
	}
}

/* Returns the size of the whole and valid escape at the head of the text, or 0 if there is none. */
static size_t escape_size(const char *text, size_t size)
{
	static const bool is_hex[256] = {
		['0' ... '9'] = true,
		['A' ... 'F'] = true,
		['a' ... 'f'] = true,
	};

	if (size < 2 || text[0] != '\\')
		return 0;
	if (is_short_escape[(uint8_t)text[1]])
		return 2;
	if (size < 6 || text[1] != 'u' || !is_hex[(uint8_t)text[2]] || !is_hex[(uint8_t)text[3]] ||
	    !is_hex[(uint8_t)text[4]] || !is_hex[(uint8_t)text[5]])
		return 0;
	return text[2] == '0' && text[3] == '0' && text[4] == '0' && text[5] == '0' ? 0 : 6;
}

/* Skips characters and escapes of a string. A faster form of what scan_byte() does. */
static size_t skip_string(const char *text, size_t position, size_t size)
{
	for (size_t escape;; position += escape) {
		while (position < size && is_plain[(uint8_t)text[position]])
			position++;
		escape = escape_size(text + position, size - position);
		if (escape == 0)
			return position;
	}
}

static size_t skip_blanks(const char *text, size_t position, size_t size)
{
	while (position < size && is_blank((uint8_t)text[position]))
		position++;
	return position;
}

static size_t skip_zeros(const char *text, size_t position, size_t size)
{
	while (position < size && text[position] == '0')
		position++;
	return position;
}

/* Returns the position of the next byte for scan_byte(). */
static size_t skip(const JsonScan *scan, const char *text, size_t position, size_t size)
{
	if (scan->state == JSON_SCAN_STRING)
		return skip_string(text, position, size);
	if (scan->state <= JSON_SCAN_AFTER_VALUE)
		return skip_blanks(text, position, size);
	if (scan->state == JSON_SCAN_FRACTION && scan->digits == 0)
		return skip_zeros(text, position, size);
	return position;
}

JsonScanResult json_scan(JsonScan *scan, const JsonBounds *bounds, const char *text, size_t size,
			 size_t *position)
{
	JsonScanResult result = JSON_SCAN_INCOMPLETE;

	if (scan->state == JSON_SCAN_END)
		return JSON_SCAN_COMPLETE;
	while (result == JSON_SCAN_INCOMPLETE &&
	       (*position = skip(scan, text, *position, size)) < size) {
		bool in_lone_number = is_in_lone_number(scan);

		result = scan_byte(scan, bounds, (uint8_t)text[*position]);
		if (result == JSON_SCAN_INCOMPLETE ||
		    (result == JSON_SCAN_COMPLETE && !in_lone_number))
			++*position;
	}
	return result;
}

JsonScanResult json_scan_end(JsonScan *scan)
{
	if (scan->depth == 0 && number_may_end(scan->state))
		scan->state = JSON_SCAN_END;
	return scan->state == JSON_SCAN_END ? JSON_SCAN_COMPLETE : JSON_SCAN_FAULT_CUT;
}
