/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_JSON_MEMBERS_H
#define CLIENT_COMMON_JSON_MEMBERS_H

/*
 * Read members of a JSON object. Return NULL, 0 or false if the member is absent or of another
 * type. Inline, because the library and the programs share no other code.
 */

#include "proto/json.h"

static inline const char *member_text(const JsonValue *object, const char *name)
{
	return json_string(json_member(object, name));
}

static inline uint64_t member_number(const JsonValue *object, const char *name)
{
	uint64_t number = 0;

	json_read_unsigned(json_member(object, name), &number);
	return number;
}

static inline bool member_flag(const JsonValue *object, const char *name)
{
	bool flag = false;

	json_read_boolean(json_member(object, name), &flag);
	return flag;
}

#endif
