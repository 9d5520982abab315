/* SPDX-License-Identifier: MIT */
#include "daemon/host/process/user-database.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/fd-util.h"
#include "proto/macros.h"

#define GROUPS_AT_FIRST 64
#define GROUPS_AT_MOST  65536 /* NGROUPS_MAX */

/* Parses a decimal uid without any other characters. Rejects 4294967295, which is no user's uid. */
static bool parse_uid(const char *text, uid_t *ret)
{
	size_t length = strlen(text);

	if (length == 0 || length > 10 || strspn(text, "0123456789") != length)
		return false;
	unsigned long long number = strtoull(text, NULL, 10);
	if (number >= UINT32_MAX)
		return false;
	*ret = (uid_t)number;
	return true;
}

/*
 * Returns true if two fds can be opened. glibc treats a file that it cannot open as empty: with no
 * fds left it would report that a user does not exist or is in no group. A lookup needs one fd for
 * the file or service and one for the configuration of the lookup.
 */
static bool has_fds(void)
{
	_cleanup_close_ int one = open("/", O_PATH | O_CLOEXEC);
	_cleanup_close_ int another = one < 0 ? -1 : open("/", O_PATH | O_CLOEXEC);

	return another >= 0;
}

/*
 * Returns true for errors of the lookup itself. The other errnos of getpwnam(3) mean that there is
 * no such user.
 */
static bool is_trouble(int error)
{
	return errno_is_exhaustion(error) || error == EIO || error == EAGAIN || error == EINTR ||
	       error == ETIMEDOUT || error == ECONNREFUSED;
}

Lookup user_database_find(const char *user, uid_t *ret_uid)
{
	if (!has_fds())
		return LOOKUP_EXHAUSTED;
	errno = 0;
	const struct passwd *entry = getpwnam(user);
	if (entry) {
		*ret_uid = entry->pw_uid;
		return LOOKUP_FOUND;
	}
	if (is_trouble(errno))
		return LOOKUP_EXHAUSTED;
	return parse_uid(user, ret_uid) ? LOOKUP_FOUND : LOOKUP_ABSENT;
}

static bool read_groups(const char *name, gid_t primary, Groups *ret)
{
	int room = GROUPS_AT_FIRST;

	while (room <= GROUPS_AT_MOST) {
		int count = room;
		_cleanup_free_ gid_t *ids = calloc((size_t)room + 1, sizeof(*ids));

		if (!ids)
			return false;
		if (getgrouplist(name, primary, ids, &count) >= 0) {
			*ret = groups_take(TAKE_POINTER(ids), (size_t)count, primary);
			return true;
		}
		room = count > room ? count : room * 2;
	}
	return false;
}

Lookup user_database_read(uid_t uid, const UserNamespace *own, Credentials *ret)
{
	if (!has_fds())
		return LOOKUP_EXHAUSTED;
	errno = 0;
	const struct passwd *entry = getpwuid(uid);
	if (!entry)
		return is_trouble(errno) ? LOOKUP_EXHAUSTED : LOOKUP_ABSENT;
	gid_t primary = entry->pw_gid;
	_cleanup_free_ char *name = strdup(entry->pw_name);
	*ret = CREDENTIALS_INIT;
	if (!name || !read_groups(name, primary, &ret->groups))
		return LOOKUP_EXHAUSTED;
	ret->user_namespace = *own;
	for (int kind = 0; kind < ID_MAX; kind++) {
		ret->uids[kind] = uid;
		ret->gids[kind] = primary;
	}
	return LOOKUP_FOUND;
}

/* Returns true if /etc/shells lists the shell. */
static bool is_login_shell(const char *shell)
{
	bool listed = false;
	const char *entry;

	setusershell();
	while (!listed && (entry = getusershell()))
		listed = strcmp(entry, shell) == 0;
	endusershell();
	return listed;
}

bool user_database_is_login_user(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);

	if (!entry || !entry->pw_shell)
		return false;
	/* An empty shell means /bin/sh, according to passwd(5). */
	return entry->pw_shell[0] == '\0' || is_login_shell(entry->pw_shell);
}

Lookup user_database_find_group(const char *name, gid_t *ret_gid)
{
	if (!has_fds())
		return LOOKUP_EXHAUSTED;
	errno = 0;
	const struct group *entry = getgrnam(name);
	if (!entry)
		return is_trouble(errno) ? LOOKUP_EXHAUSTED : LOOKUP_ABSENT;
	*ret_gid = entry->gr_gid;
	return LOOKUP_FOUND;
}
