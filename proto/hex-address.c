/* SPDX-License-Identifier: MIT */
#include "proto/hex-address.h"

#include <string.h>

#include "proto/hex.h"

#define DIGITS_MAX 16

bool address_parse(const char *text, uint64_t *ret_address)
{
	uint64_t address = 0;
	size_t digits = 0;

	if (strncmp(text, "0x", 2) != 0)
		return false;
	for (text += 2; *text; text++) {
		int value = hex_digit(*text);

		if (value < 0 || ++digits > DIGITS_MAX)
			return false;
		address = address << 4 | (uint64_t)value;
	}
	if (digits == 0)
		return false;
	*ret_address = address;
	return true;
}
