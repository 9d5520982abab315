/* SPDX-License-Identifier: MIT */
#ifndef SYSTEM_DAEMON_PICTURE_H
#define SYSTEM_DAEMON_PICTURE_H

#include "actor.h"
#include "traced-daemon.h"

/* The processes of a scenario; pid 0: it is not there. */
typedef enum Role { ROLE_OPERATOR, ROLE_VMM, ROLE_CLIENT, ROLE_VIEWER, ROLE_MAX } Role;

typedef struct Cast {
	Actor actors[ROLE_MAX];
} Cast;

/*
 * All that an operator is told, but for what is about the daemon and those who ask; and what the
 * service manager has stored. Handles, pids, inodes and times are replaced by what they are in
 * every run. The caller frees it.
 */
char *picture_take(TracedDaemon *daemon, const Cast *cast);

/*
 * What is recorded, and stands in the file once: as it is after a start. The caller frees it.
 */
char *picture_of_records(const TracedDaemon *daemon);

/* The reply to an operator's request; the caller frees it. The daemon may die meanwhile. */
char *picture_ask(TracedDaemon *daemon, const char *request);

/* The same, and the connection stays open: it is the caller's. */
char *picture_ask_on(TracedDaemon *daemon, const char *request, int *ret_connection);

#endif
