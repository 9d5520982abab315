/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_JSON_CASES_H
#define TESTS_SUPPORT_JSON_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"

/*
 * Texts for each point of JSON's grammar (RFC 8259), and what vaild does with each. A unit test and
 * a system test send them.
 */

typedef enum JsonVerdict {
	JSON_IS_VALID,   /* by the RFC, and accepted */
	JSON_IS_INVALID, /* by the RFC, and refused */
	JSON_IS_ZERO,    /* valid by the RFC, but refused, because a string contains \u0000 */
	JSON_IS_TWICE, /* valid, but the member "a" stands twice, which is refused with its path */
	JSON_MAY_PASS, /* left to the parser by the RFC, and accepted */
	JSON_MAY_FAIL, /* left to the parser by the RFC, and refused */
} JsonVerdict;

typedef struct JsonCase {
	JsonVerdict verdict;
	const char *text;
	size_t size;
	size_t repeat;    /* of the text, if not 0 */
	const char *tail; /* behind the text, as often as it */

	/* As a whole message, the text is something else: blanks, or a value and its terminator. */
	enum { JSON_ALONE_SAME, JSON_ALONE_BLANK, JSON_ALONE_VALUE } alone;
} JsonCase;

/* The places of a text in a message. */
typedef enum JsonPlace {
	JSON_AS_MESSAGE,
	JSON_AS_PARAMETERS,
	JSON_AS_PARAMETER,
	JSON_AS_IGNORED_MEMBER, /* nested in a member that is ignored */
	JSON_PLACE_MAX,
} JsonPlace;

extern const JsonCase json_cases[];
extern const size_t json_case_count;

/* Appends the message with its terminator, and then a second request that is valid. */
void json_case_write(const JsonCase *json_case, JsonPlace place, char terminator, Buffer *out);

/*
 * Returns a sentence about what is wrong with the replies to these two messages, or NULL. After the
 * replies, the input has ended and the connection was closed.
 */
const char *json_case_flaw(const JsonCase *json_case, JsonPlace place, char terminator,
			   const char *replies, size_t size);

#endif
