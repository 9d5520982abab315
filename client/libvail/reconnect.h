/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_LIBVAIL_RECONNECT_H
#define CLIENT_LIBVAIL_RECONNECT_H

#include <stdbool.h>

/*
 * A wait for vaild to come back. It ends when the socket appears in its directory or when a timer
 * expires. The timer is needed because the directory may be missing too, and because the socket
 * file exists before vaild listens on it.
 */
typedef struct Reconnect {
	int epoll;          /* readable when reconnect_is_due() must be called; -1 if not waiting */
	int inotify;        /* watches the directory; -1 if it cannot be watched */
	int timer;          /* a timerfd; -1 if not waiting */
	unsigned int delay; /* in milliseconds; doubled after each failed attempt */
} Reconnect;

#define RECONNECT_INIT ((Reconnect){ .epoll = -1, .inotify = -1, .timer = -1 })

/* Starts waiting for the socket at this path. Returns 0 or a negative errno. */
int reconnect_begin(Reconnect *reconnect, const char *path);

/* Stops waiting and closes the fds. Keeps the delay for the next wait. */
void reconnect_end(Reconnect *reconnect);

/* Call after a failed attempt: doubles the delay, up to a second, and starts the timer. */
void reconnect_delay(Reconnect *reconnect);

/* Reads the events that have occurred. Returns true if the caller should try to connect now. */
bool reconnect_is_due(Reconnect *reconnect, const char *path);

#endif
