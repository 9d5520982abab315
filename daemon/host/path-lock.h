/* SPDX-License-Identifier: MIT */
#ifndef HOST_PATH_LOCK_H
#define HOST_PATH_LOCK_H

/*
 * Of two daemons for one socket, or one directory of records, one does not start: PATH.lock is
 * locked for as long as the daemon lives, and says who that is. A child of a dead daemon that hangs
 * in the close of a stranger's descriptor still holds that lock, since it shares its descriptors; a
 * lock whose owner is dead is taken over by making a new file in its place.
 */

/* Returns a descriptor to keep; -EADDRINUSE while a live daemon has it, or another negative errno.
 */
int path_lock_take(const char *path);

#endif
