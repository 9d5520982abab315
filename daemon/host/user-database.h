/* SPDX-License-Identifier: MIT */
#ifndef HOST_USER_DATABASE_H
#define HOST_USER_DATABASE_H

#include "host.h"

/* The host's users, by way of the C library: whatever nsswitch.conf says. */

/* Each is EVIDENCE_EXHAUSTED where nobody could be asked: that says nothing of the user. */

/* A user by name, or by decimal uid, who need not have a name then. */
Evidence user_database_find(const char *user, uid_t *ret_uid);

/* What the processes of a user's session have: its ids, the groups of getgrouplist(), no
 * capabilities, and the daemon's own user namespace. The caller deinits *ret. */
Evidence user_database_read(uid_t uid, const UserNamespace *own, Credentials *ret);

/* Whether the user has a shell to log in with. */
bool user_database_is_login_user(uid_t uid);

/* A group by name. */
Evidence user_database_find_group(const char *name, gid_t *ret_gid);

#endif
