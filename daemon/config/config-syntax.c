/* SPDX-License-Identifier: MIT */
/*
 * Words faults in the syntax of a configuration file. The state of the scan at the fault determines
 * the allowed text, and the byte there hints at the author's intention.
 */
#include "daemon/config/config-syntax.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "proto/json-scan.h"
#include "proto/json.h"

/* A fault in the text. */
typedef struct SyntaxFault {
	const char *text;
	size_t length;
	size_t position; /* of the byte at fault; the length if the text ends too early */
	JsonScan scan;   /* its state before that byte */
} SyntaxFault;

/* Returns the byte at the position, or NUL outside of the text. */
static char byte_at(const SyntaxFault *fault, size_t position)
{
	return position < fault->length ? fault->text[position] : '\0';
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Returns the position of the last byte before the fault that is not blank, or that of the fault.
 */
static size_t byte_before(const SyntaxFault *fault)
{
	for (size_t at = fault->position; at > 0; at--)
		if (!is_blank(fault->text[at - 1]))
			return at - 1;
	return fault->position;
}

static bool is_in_object(const SyntaxFault *fault)
{
	return fault->scan.depth > 0 && fault->scan.objects >> (fault->scan.depth - 1) & 1;
}

static bool is_comment(const SyntaxFault *fault)
{
	char byte = byte_at(fault, fault->position), next = byte_at(fault, fault->position + 1);

	return byte == '#' || (byte == '/' && (next == '/' || next == '*'));
}

/* Tests whether a number goes on with something else than digits, such as 0x10, 10k or 1_000. */
static bool is_odd_number(const SyntaxFault *fault)
{
	char byte = byte_at(fault, fault->position);

	return fault->position > 0 && isdigit((unsigned char)fault->text[fault->position - 1]) &&
	       (isalnum((unsigned char)byte) || byte == '_' || byte == '.');
}

/* Returns a sentence about a usual fault, or NULL if this is another one. */
static const char *guess(SyntaxFault *fault)
{
	char byte = byte_at(fault, fault->position);
	size_t before = byte_before(fault);

	if (fault->scan.state > JSON_SCAN_AFTER_VALUE && fault->scan.state != JSON_SCAN_END)
		return NULL;
	if (is_comment(fault))
		return "comments are not allowed; remove this one";
	if (byte == '\'')
		return "a string stands between double quotes; replace the single ones";
	if ((byte == '}' || byte == ']') && byte_at(fault, before) == ',') {
		fault->position = before;
		return "no comma is allowed behind the last value; remove it";
	}
	if (is_odd_number(fault))
		return "a number consists of decimal digits, like 1000; correct it";
	return NULL;
}

/* Returns a sentence about the text that the state of the scan allows. */
static const char *allowed(const SyntaxFault *fault)
{
	switch (fault->scan.state) {
	case JSON_SCAN_BEFORE_VALUE:
		return "a value is expected here: true, false, a number, a string in double "
		       "quotes, { or [";
	case JSON_SCAN_BEFORE_FIRST_ITEM:
		return "a value or ] is expected here";
	case JSON_SCAN_BEFORE_FIRST_KEY:
		return "a key in double quotes or } is expected here";
	case JSON_SCAN_BEFORE_KEY:
		return "a key in double quotes is expected here";
	case JSON_SCAN_BEFORE_COLON:
		return "a colon is expected here, between key and value";
	case JSON_SCAN_AFTER_VALUE:
		return is_in_object(fault) ? "a comma or } is expected here"
					   : "a comma or ] is expected here";
	case JSON_SCAN_ESCAPE:
	case JSON_SCAN_UNICODE:
		return "there is no such escape; write \\\\ for a backslash";
	case JSON_SCAN_LITERAL:
		return "only the words true, false and null are allowed here";
	case JSON_SCAN_END:
		return "there is text behind the value; a file contains one object alone";
	default:
		return "a number consists of decimal digits, like 1000; correct it";
	}
}

/* Returns a sentence about a text that ends too early. */
static const char *missing(const SyntaxFault *fault)
{
	if (fault->scan.state >= JSON_SCAN_STRING && fault->scan.state <= JSON_SCAN_CHARACTER)
		return "the file ends inside a string; add the closing quote";
	if (fault->scan.state != JSON_SCAN_AFTER_VALUE &&
	    fault->scan.state != JSON_SCAN_BEFORE_FIRST_KEY &&
	    fault->scan.state != JSON_SCAN_BEFORE_FIRST_ITEM)
		return "the file ends too early; complete it";
	return is_in_object(fault) ? "the file ends too early; add }"
				   : "the file ends too early; add ]";
}

static const char *explain(SyntaxFault *fault, JsonScanResult result, const char *sentence)
{
	const char *guessed;

	switch (result) {
	case JSON_SCAN_COMPLETE: /* and more text behind it */
	case JSON_SCAN_FAULT_SYNTAX:
		guessed = guess(fault);
		return guessed ? guessed : allowed(fault);
	case JSON_SCAN_INCOMPLETE:
		return missing(fault);
	case JSON_SCAN_FAULT_CONTROL:
		if (byte_at(fault, fault->position) == '\n')
			return "a string must end on its line; add the closing quote, or write "
			       "\\n";
		return sentence;
	default:
		return sentence;
	}
}

const char *config_syntax_check(const char *text, size_t length, size_t *ret_position)
{
	static const JsonBounds bounds = { .depth = JSON_DEPTH_MAX,
					   .values = UINT32_MAX,
					   .digits = UINT32_MAX };
	SyntaxFault fault = { .text = text, .length = length };
	const char *sentence = json_check(text, length, &fault.position);
	size_t position = 0;

	if (!sentence)
		return NULL;
	JsonScanResult result = json_scan(&fault.scan, &bounds, text, length, &position);
	sentence = explain(&fault, result, sentence);
	*ret_position = fault.position;
	return sentence;
}
