/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/json-table.h"

static void format_choices(const char *const *choices, char *text, size_t size)
{
	snprintf(text, size, "is not one of ");
	for (size_t i = 0; choices[i]; i++) {
		size_t length = strlen(text);

		snprintf(text + length, size - length, "%s%s", i > 0 ? ", " : "", choices[i]);
	}
}

/* Says which type or form the value should have. */
static void format_expected(const JsonFault *fault, char *text, size_t size)
{
	static const char *const sentences[] = {
		[JSON_FIELD_BOOLEAN] = "is neither true nor false",
		[JSON_FIELD_STRING] = "is not a string",
		[JSON_FIELD_OWNED_STRING] = "is not a string",
		[JSON_FIELD_FULL_STRING] = "is not a string of the right length",
		[JSON_FIELD_ADDRESS] = "is not a string of \"0x\" and 1 to 16 hex digits",
		[JSON_FIELD_GUID] =
			"is not a GUID; write it as 8-4-4-4-12 hex digits, not all zero",
		[JSON_FIELD_HANDLE] = "is not a handle; write it as 32 lower-case hex digits",
		[JSON_FIELD_CHOICES] = "is not an array",
		[JSON_FIELD_OBJECT] = "is not an object",
		[JSON_FIELD_ARRAY] = "is not an array",
		[JSON_FIELD_LIST] = "is not an array",
	};

	if (fault->expected == JSON_FIELD_INTEGER)
		snprintf(text, size, "is not an integer from 0 to %" PRIu64, fault->maximum);
	else if (fault->expected == JSON_FIELD_CHOICE)
		format_choices(fault->choices, text, size);
	else
		snprintf(text, size, "%s", sentences[fault->expected]);
}

char *json_fault_format(const JsonFault *fault, char *text, size_t size)
{
	switch (fault->kind) {
	case JSON_FAULT_MISSING:
		snprintf(text, size, "is missing");
		break;
	case JSON_FAULT_UNKNOWN:
		snprintf(text, size, "is unknown; leave it out");
		break;
	case JSON_FAULT_VALUE:
		format_expected(fault, text, size);
		break;
	case JSON_FAULT_TOO_LONG:
		snprintf(text, size, "is longer than %" PRIu64 " bytes; shorten it",
			 fault->maximum);
		break;
	case JSON_FAULT_TOO_MANY:
		snprintf(text, size, "has more than %" PRIu64 " items; send fewer", fault->maximum);
		break;
	case JSON_FAULT_TOO_FEW:
		snprintf(text, size, "has fewer than %" PRIu64 " items; send more", fault->maximum);
		break;
	case JSON_FAULT_ORDER:
		snprintf(text, size, "is not greater than the item before it");
		break;
	case JSON_FAULT_NO_MEMORY:
		snprintf(text, size, "cannot be read: out of memory; try again later");
		break;
	}
	return text;
}
