/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_PERSIST_LOCK_FILE_H
#define DAEMON_HOST_PERSIST_LOCK_FILE_H

/*
 * Ensures that only one daemon uses a socket or a directory of persisted records. The daemon holds
 * a lock on PATH.lock until it exits, and the file identifies the daemon. A child process that
 * hangs in close() shares the fd, so it can hold the lock longer than the daemon lives. If the
 * daemon is dead, the next one replaces the file and locks the new one.
 */

/*
 * Takes the lock. Returns an fd that holds it until it is closed, -EADDRINUSE if a live daemon
 * holds the lock, or another negative errno.
 */
int lock_file_take(const char *path);

#endif
