/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PROCESS_USER_NAMESPACE_H
#define DAEMON_HOST_PROCESS_USER_NAMESPACE_H

#include <stdbool.h>

#include "daemon/core/credentials.h"
#include "daemon/host/process/fs-roots.h"

/* Reads the daemon's own user namespace. Returns false if /proc cannot be read. */
bool user_namespace_own(const FsRoots *roots, UserNamespace *ret);

/* Tests for the kernel's first user namespace. In any other one, unmapped users appear as 65534. */
bool user_namespace_is_initial(const UserNamespace *user_namespace);

/*
 * Finds the uid that is responsible for a process in another user namespace than own. folder is an
 * O_PATH fd of its directory in /proc. The result is the owner of the outermost namespace below own
 * that contains the process, so a user who nests namespaces stays the same user. Returns 0 or a
 * negative errno.
 */
int user_namespace_owner(int folder, const UserNamespace *own, uid_t *ret_owner);

#endif
