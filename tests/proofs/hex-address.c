/* SPDX-License-Identifier: MIT */
/*
 * Addresses, proto/hex-address.c.
 *
 * Proved: address_parse() accepts exactly "0x" and 1 to 16 hex digits of either case, so that no
 * number overflows, and returns their value. It leaves the result unchanged if it refuses the text,
 * and never reads behind the NUL.
 *
 * Bound: texts of at most TEXT_MAX bytes. The code stops at the 17th digit, which is byte 19.
 */
#include <string.h>

#include "proto/hex-address.h"
#include "tests/proofs/proof.h"

enum { TEXT_MAX = 20 };

typedef struct Text {
	char bytes[TEXT_MAX + 1];
} Text;

Text nondet_text(void);

PROOF(address_parse)
{
	Text text = nondet_text();
	uint64_t before = nondet_uint64(), address = before, value = 0;

	text.bytes[TEXT_MAX] = '\0';
	bool is_accepted = address_parse(text.bytes, &address);
	size_t length = strlen(text.bytes);
	bool is_form = length >= 3 && length <= 18 && text.bytes[0] == '0' && text.bytes[1] == 'x';
	for (size_t i = 2; i < TEXT_MAX && i < length; i++) {
		char c = text.bytes[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		is_form = is_form && digit >= 0;
		value = value << 4 | (uint64_t)(digit & 15);
	}
	assert(is_accepted == is_form);
	assert(address == (is_accepted ? value : before));
}
