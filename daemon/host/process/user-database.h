/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_USER_DATABASE_H
#define DAEMON_HOST_PROCESS_USER_DATABASE_H

#include "daemon/core/host.h"

/*
 * Lookups in the host's user database through the C library, as nsswitch.conf configures it.
 *
 * LOOKUP_EXHAUSTED means that the lookup itself failed. It says nothing about the user.
 */

/*
 * Finds a user by name or decimal uid. A uid need not have a name. Returns LOOKUP_FOUND,
 * LOOKUP_ABSENT or LOOKUP_EXHAUSTED.
 */
Lookup user_database_find(const char *user, uid_t *ret_uid);

/*
 * Reads the credentials of the user's session processes: its uid, its primary gid, the groups of
 * getgrouplist(), no capabilities, and own, the daemon's user namespace. The caller deinitialises
 * *ret. Returns LOOKUP_FOUND, LOOKUP_ABSENT or LOOKUP_EXHAUSTED.
 */
Lookup user_database_read(uid_t uid, const UserNamespace *own, Credentials *ret);

/* Returns true if the user has a login shell. False if the lookup fails. */
bool user_database_is_login_user(uid_t uid);

/* Finds a group by name. Returns LOOKUP_FOUND, LOOKUP_ABSENT or LOOKUP_EXHAUSTED. */
Lookup user_database_find_group(const char *name, gid_t *ret_gid);

#endif
