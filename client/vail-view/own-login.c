/* SPDX-License-Identifier: MIT */
#include "client/vail-view/own-login.h"

#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/macros.h"

/* The inode of the initial user namespace, which include/linux/proc_ns.h of the kernel has. */
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU

/* ---- /proc/self/status ---- */

static bool parse_ids(const char *status, const char *name, unsigned int ids[4])
{
	const char *line = strstr(status, name);

	return line &&
	       sscanf(line + strlen(name), "%u%u%u%u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4;
}

static bool parse_capabilities(const char *status, const char *name, uint64_t *ret_set)
{
	const char *line = strstr(status, name);

	return line && sscanf(line + strlen(name), "%" SCNx64, ret_set) == 1;
}

bool own_privileges_parse(const char *status, OwnPrivileges *ret_privileges)
{
	return parse_ids(status, "\nUid:", ret_privileges->uids) &&
	       parse_ids(status, "\nGid:", ret_privileges->gids) &&
	       parse_capabilities(status, "\nCapPrm:", &ret_privileges->permitted) &&
	       parse_capabilities(status, "\nCapEff:", &ret_privileges->effective);
}

bool own_privileges_are_plain(const OwnPrivileges *privileges, uid_t uid, gid_t gid)
{
	const uint64_t allowed = UINT64_C(1) << CAP_WAKE_ALARM;

	for (size_t i = 0; i < ARRAY_SIZE(privileges->uids); i++)
		if (privileges->uids[i] != uid || privileges->gids[i] != gid)
			return false;
	return ((privileges->permitted | privileges->effective) & ~allowed) == 0;
}

static bool read_privileges(OwnPrivileges *ret_privileges)
{
	_cleanup_free_ char *text = NULL;
	size_t capacity = 0;
	FILE *file = fopen("/proc/self/status", "re");

	if (!file)
		return false;
	ssize_t length = getdelim(&text, &capacity, '\0', file);
	fclose(file);
	return length > 0 && own_privileges_parse(text, ret_privileges);
}

/* ---- Groups ---- */

static bool contains(const gid_t *groups, int count, gid_t group)
{
	for (int i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* Tests whether all groups of the first list are the primary one or in the second list. */
static bool are_within(const gid_t *groups, int count, const gid_t *others, int other_count,
		       gid_t primary)
{
	for (int i = 0; i < count; i++)
		if (groups[i] != primary && !contains(others, other_count, groups[i]))
			return false;
	return true;
}

static bool has_groups_of(const struct passwd *user)
{
	int own_count = -1, count = NGROUPS_MAX;
	_cleanup_free_ gid_t *own = calloc((size_t)NGROUPS_MAX, sizeof(*own));
	_cleanup_free_ gid_t *groups = calloc((size_t)NGROUPS_MAX, sizeof(*groups));

	if (own)
		own_count = getgroups(NGROUPS_MAX, own);
	if (!own || !groups || own_count < 0 ||
	    getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		return false;
	return are_within(own, own_count, groups, count, user->pw_gid) &&
	       are_within(groups, count, own, own_count, user->pw_gid);
}

/* ---- The login ---- */

static bool is_in_initial_namespace(void)
{
	struct stat space;

	return stat("/proc/self/ns/user", &space) == 0 && space.st_ino == INITIAL_USER_NAMESPACE;
}

bool own_login_is_plain(void)
{
	const struct passwd *user = getpwuid(getuid());
	OwnPrivileges privileges = { 0 };

	return user && is_in_initial_namespace() && read_privileges(&privileges) &&
	       own_privileges_are_plain(&privileges, user->pw_uid, user->pw_gid) &&
	       has_groups_of(user);
}
