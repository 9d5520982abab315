/* SPDX-License-Identifier: MIT */
#include "client/common/user-name.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>

/* The last user that was looked up, because most rows of a list are about one user. */
typedef struct KnownUser {
	bool is_set;
	uint64_t uid;
	char name[USER_NAME_SIZE / 2]; /* "" if the user has none */
} KnownUser;

/* Returns "" if the user has no name. */
static const char *find_name(uint64_t uid)
{
	static KnownUser known;

	if (known.is_set && known.uid == uid)
		return known.name;
	const struct passwd *entry = uid < UINT32_MAX ? getpwuid((uid_t)uid) : NULL;
	known = (KnownUser){ .is_set = true, .uid = uid };
	snprintf(known.name, sizeof(known.name), "%s", entry ? entry->pw_name : "");
	return known.name;
}

const char *user_name(uint64_t uid, char text[static USER_NAME_SIZE])
{
	const char *name = find_name(uid);

	if (*name)
		snprintf(text, USER_NAME_SIZE, "%s", name);
	else
		snprintf(text, USER_NAME_SIZE, "%" PRIu64, uid);
	return text;
}

const char *user_name_and_uid(uint64_t uid, char text[static USER_NAME_SIZE])
{
	const char *name = find_name(uid);

	if (*name)
		snprintf(text, USER_NAME_SIZE, "%s (uid %" PRIu64 ")", name, uid);
	else
		snprintf(text, USER_NAME_SIZE, "uid %" PRIu64, uid);
	return text;
}
