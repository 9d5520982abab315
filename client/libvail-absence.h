/* SPDX-License-Identifier: MIT */
#ifndef LIBVAIL_ABSENCE_H
#define LIBVAIL_ABSENCE_H

#include <stdbool.h>

/*
 * Waiting for a vaild that is not there: until its socket appears in its folder, or until some time
 * has passed, since a folder may be missing as well, and a socket is there before it is listened
 * on.
 */
typedef struct Absence {
	int descriptor;     /* to poll: readable when there is something to do; -1: nobody waits */
	int folder;         /* of inotify; -1: the timer has to do */
	int timer;          /* -1 like the first */
	unsigned int delay; /* the next one, in milliseconds: longer after each failure */
} Absence;

#define ABSENCE_INIT ((Absence){ .descriptor = -1, .folder = -1, .timer = -1 })

/* Begins to wait for the socket of this path. Returns 0 or -errno. */
int absence_begin(Absence *absence, const char *path);

/* Ends the wait; the delay stays. */
void absence_end(Absence *absence);

/* vaild was not there: puts the next try off, twice as long as the last time, up to a second. */
void absence_put_off(Absence *absence);

/* Takes what has happened. Returns whether to try now. */
bool absence_may_be_over(Absence *absence, const char *path);

#endif
