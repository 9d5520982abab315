/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_OWN_LOGIN_H
#define CLIENT_VAIL_VIEW_OWN_LOGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Tells if a display client that is named as a user can match this process. */

/* The privileges of a process that vaild compares with those of a user. */
typedef struct OwnPrivileges {
	uid_t uids[4]; /* real, effective, saved, file system */
	gid_t gids[4];
	uint64_t permitted; /* capabilities */
	uint64_t effective;
} OwnPrivileges;

/* Reads them from the text of /proc/PID/status. Returns false if one is missing. */
bool own_privileges_parse(const char *status, OwnPrivileges *ret_privileges);

/*
 * Tests whether each id is uid or gid, and whether there are no capabilities but CAP_WAKE_ALARM,
 * which systemd gives to the sessions of users.
 */
bool own_privileges_are_plain(const OwnPrivileges *privileges, uid_t uid, gid_t gid);

/*
 * Tests whether this process has the privileges that its user has after a login: the user's ids and
 * groups, the initial user namespace, and no capabilities. Returns false if they cannot be read.
 */
bool own_login_is_plain(void);

#endif
