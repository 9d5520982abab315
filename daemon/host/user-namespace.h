/* SPDX-License-Identifier: MIT */
#ifndef HOST_USER_NAMESPACE_H
#define HOST_USER_NAMESPACE_H

#include <stdbool.h>

#include "credentials.h"
#include "roots.h"

/* The daemon's own; false when it cannot be told. */
bool user_namespace_own(const Roots *roots, UserNamespace *ret);

/* Whether it is the one that the kernel started with. Elsewhere everybody arrives as 65534. */
bool user_namespace_is_initial(const UserNamespace *user_namespace);

/*
 * Who answers for a process of another user namespace than own, given its folder in /proc: the
 * owner of the outermost namespace around it that is not own. A user who nests namespaces stays the
 * same user. Returns 0 or a negative errno.
 */
int user_namespace_owner(int folder, const UserNamespace *own, uid_t *ret_owner);

#endif
