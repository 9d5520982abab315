/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_COMMON_CLOSE_ASIDE_H
#define CLIENT_COMMON_CLOSE_ASIDE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Closes descriptors that a peer has sent, on a thread of their own. The last close of such a
 * descriptor can hang for ever, for example if a socket lingers, if such a socket was sent on it,
 * or if a FUSE server never answers. Only the thread hangs then.
 *
 * Whoever takes descriptors of a peer counts the closes that go on, so that a peer cannot cause any
 * number of threads. Threads may outlive whoever counts.
 */
typedef struct CloseAside CloseAside;

/* Returns a count with one owner, or NULL if out of memory. */
CloseAside *close_aside_new(void);

/* Adds an owner. Returns the count. */
CloseAside *close_aside_ref(CloseAside *aside);

/* Removes an owner. NULL is ignored. */
void close_aside_unref(CloseAside *aside);

/*
 * Closes the descriptors. Without memory for a thread, they stay open, and are counted for ever:
 * that is better than to hang.
 */
void close_aside(CloseAside *aside, const int *fds, size_t count);

/* Tests whether 64 or more calls of close_aside() go on, so that the peer must cause no more. */
bool close_aside_is_full(const CloseAside *aside);

/* Returns how many calls of close_aside() go on in this process. */
unsigned int close_aside_count(void);

#endif
