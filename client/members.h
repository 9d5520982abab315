/* SPDX-License-Identifier: MIT */
#ifndef MEMBERS_H
#define MEMBERS_H

/* Reads members of what vaild has said; NULL, 0 and false where they are absent or of another type.
 * For the library and the tool, which share no code but what is inline. */

#include "json.h"

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
