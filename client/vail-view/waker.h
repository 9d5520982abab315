/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WAKER_H
#define CLIENT_VAIL_VIEW_WAKER_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Watches fds on a thread of its own, while the main thread waits in SDL. The thread only polls:
 * it neither reads from the fds nor calls libvail.
 */

/* No time limit for waker_watch(). */
#define WAKER_NEVER INT64_MAX

/* Number of fds that it watches at the same time. */
#define WAKER_FDS_MAX 5

/* Describes what the thread waits for. */
typedef struct Watched {
	bool is_armed; /* not woken yet; otherwise the thread waits for nothing */
	struct pollfd fds[WAKER_FDS_MAX]; /* with fd and events; an fd of -1 is ignored */
	size_t fd_count;
	int64_t at;       /* wake at this time, in now_milliseconds(), or WAKER_NEVER */
	uint64_t changes; /* number of times that this has changed */
	bool is_stopping; /* the thread is to end */
} Watched;

typedef struct Waker {
	void (*wake)(void *context); /* called on the thread */
	void *context;
	pthread_t thread;
	int bell; /* eventfd that tells the thread about a change */
	pthread_mutex_t lock;
	Watched watched; /* protected by lock */
} Waker;

/* Starts the thread. Returns 0 or a negative errno. The caller calls waker_stop() after success. */
int waker_start(Waker *waker, void (*wake)(void *context), void *context);

/* Ends the thread, and returns when it has ended. */
void waker_stop(Waker *waker);

/*
 * Calls wake once: when an fd is ready for its events, or at the time. Replaces what an earlier
 * call has asked for.
 *
 * fds: at most WAKER_FDS_MAX, not owned; those with the number -1 are ignored.
 */
void waker_watch(Waker *waker, const struct pollfd *fds, size_t count, int64_t at);

#endif
