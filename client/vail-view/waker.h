/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WAKER_H
#define CLIENT_VAIL_VIEW_WAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Watches an fd on a thread of its own, while the main thread waits in SDL. The thread only polls:
 * it neither reads from the fd nor calls libvail.
 */

/* No time limit for waker_watch(). */
#define WAKER_NEVER INT64_MAX

/* Describes what the thread waits for. */
typedef struct Watched {
	bool is_armed;    /* not woken yet; otherwise the thread waits for nothing */
	int fd;           /* fd to watch, or -1; not owned */
	short events;     /* for poll() */
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
 * Calls wake once: when the fd is ready for the events, or at the time. Replaces what an earlier
 * call has asked for.
 */
void waker_watch(Waker *waker, int fd, short events, int64_t at);

#endif
