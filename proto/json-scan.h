/* SPDX-License-Identifier: MIT */
#ifndef PROTO_JSON_SCAN_H
#define PROTO_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Checks JSON text as it arrives and builds nothing. The checks are the grammar of RFC 8259, UTF-8
 * and some bounds. NUL is refused, also as \u0000, because values become C strings.
 *
 * Each byte is scanned once, however the text is split. A fault is found at the first byte that no
 * valid text can have.
 */

/* The bounds of one text. A member has one value, so the bound on values also bounds members. */
typedef struct JsonBounds {
	uint8_t depth;   /* levels of objects and arrays, at most 64 */
	uint32_t values; /* including objects, arrays and null */
	uint32_t digits; /* of one number and its exponent, without the zeros that it begins with */
} JsonBounds;

typedef enum JsonScanState {
	JSON_SCAN_BEFORE_VALUE,
	JSON_SCAN_BEFORE_FIRST_ITEM, /* after [ */
	JSON_SCAN_BEFORE_FIRST_KEY,  /* after { */
	JSON_SCAN_BEFORE_KEY,        /* after a comma in an object */
	JSON_SCAN_BEFORE_COLON,
	JSON_SCAN_AFTER_VALUE, /* in an object or array */
	JSON_SCAN_STRING,
	JSON_SCAN_ESCAPE,    /* after a backslash */
	JSON_SCAN_UNICODE,   /* inside the four digits of \uXXXX */
	JSON_SCAN_CHARACTER, /* inside a character of several bytes */
	JSON_SCAN_LITERAL,   /* inside true, false or null */
	JSON_SCAN_MINUS,     /* after the sign of a number */
	JSON_SCAN_ZERO,      /* after a number's leading zero */
	JSON_SCAN_INTEGER,
	JSON_SCAN_POINT, /* after the decimal point */
	JSON_SCAN_FRACTION,
	JSON_SCAN_E,    /* after the letter of the exponent */
	JSON_SCAN_SIGN, /* after the sign of the exponent */
	JSON_SCAN_EXPONENT,
	JSON_SCAN_END, /* after the value that is the whole text */
} JsonScanState;

/* A scan begins with all members zero. */
typedef struct JsonScan {
	JsonScanState state;
	bool in_key;
	bool unicode_is_zero;
	uint8_t unicode_digits; /* how many of them have been scanned */
	uint8_t continuation;   /* bytes left of the character */
	uint8_t lowest;         /* value of its next byte */
	uint8_t highest;
	uint8_t depth;
	uint64_t objects; /* one bit per level: set for an object, clear for an array */
	uint32_t values;
	uint32_t digits;
	const char *literal; /* the rest of true, false or null */
} JsonScan;

typedef enum JsonScanResult {
	JSON_SCAN_INCOMPLETE, /* no fault, but the value has not ended */
	JSON_SCAN_COMPLETE,
	JSON_SCAN_FAULT_SYNTAX,
	JSON_SCAN_FAULT_NUL,
	JSON_SCAN_FAULT_ZERO,    /* \u0000 */
	JSON_SCAN_FAULT_CONTROL, /* a control character inside a string */
	JSON_SCAN_FAULT_UTF8,
	JSON_SCAN_FAULT_CUT, /* the text ends inside the value */
	JSON_SCAN_FAULT_DEPTH,
	JSON_SCAN_FAULT_VALUES,
	JSON_SCAN_FAULT_DIGITS,
	JSON_SCAN_RESULT_MAX,
} JsonScanResult;

/*
 * Scans text, which has size bytes, from *position on, and moves *position: to the end of the text
 * if the value has not ended, behind the value if it is complete, or to the byte with the fault.
 * Does nothing after the end of the value.
 */
JsonScanResult json_scan(JsonScan *scan, const JsonBounds *bounds, const char *text, size_t size,
			 size_t *position);

/* Ends the text. Returns JSON_SCAN_COMPLETE or JSON_SCAN_FAULT_CUT. */
JsonScanResult json_scan_end(JsonScan *scan);

#endif
