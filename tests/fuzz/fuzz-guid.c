/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the parsers of GUIDs, handles and addresses. What a parser accepts has the documented
 * form, and gives the same value again after it was formatted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/guid.h"
#include "proto/hex-address.h"
#include "tests/fuzz/common/fuzz-input.h"

#define HEX "0123456789abcdefABCDEF"

static void check_guid(const char *text)
{
	char formatted[GUID_TEXT_LENGTH + 1];
	Guid guid, again;

	if (!guid_parse(text, &guid))
		return;
	const char *digits = text[0] == '{' ? text + 1 : text;
	fuzz_must(strlen(text) == GUID_TEXT_LENGTH + (text[0] == '{' ? 2 : 0));
	guid_format(&guid, formatted);
	fuzz_must(strncasecmp(formatted, digits, GUID_TEXT_LENGTH) == 0);
	fuzz_must(guid_parse(formatted, &again) && guid_compare(&guid, &again) == 0);
	fuzz_must(!guid_is_nil(&guid));
}

static void check_handle(const char *text)
{
	char formatted[HANDLE_TEXT_LENGTH + 1];
	Handle handle;

	if (handle_parse(text, &handle))
		fuzz_must(strcmp(handle_format(&handle, formatted), text) == 0);
}

/* The parser accepts exactly the documented form, and agrees with the C library. */
static void check_address(const char *text)
{
	size_t length = strlen(text);
	bool is_address = length >= 3 && length <= 18 && strncmp(text, "0x", 2) == 0 &&
			  strspn(text + 2, HEX) == length - 2;
	uint64_t address;

	fuzz_must(address_parse(text, &address) == is_address);
	fuzz_must(!is_address || address == strtoull(text, NULL, 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = input_text((Input){ data, size });

	check_guid(text);
	check_handle(text);
	check_address(text);
	free(text);
	return 0;
}
