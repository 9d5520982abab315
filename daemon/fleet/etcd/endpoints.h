/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_ENDPOINTS_H
#define DAEMON_FLEET_ETCD_ENDPOINTS_H

#include "daemon/fleet/etcd/etcd.h"

/*
 * Chooses endpoints in turn, and says how long to wait before the next attempt. Until each endpoint
 * has failed once, the pause is at most ENDPOINTS_FIRST_PAUSE. Then it doubles up to a maximum.
 * Half of each pause is random, so that many hosts do not return at the same moment.
 */

/* Milliseconds. */
#define ENDPOINTS_FIRST_PAUSE   100
#define ENDPOINTS_PAUSE         250
#define ENDPOINTS_LONGEST_PAUSE 5000

typedef struct Endpoints {
	char **urls; /* without a slash at the end */
	char **told; /* the last failure of each that was reported, or NULL */
	size_t count;
	size_t current;
	unsigned int failures; /* in a row */
} Endpoints;

/* Copies the URLs, and begins with a random one. Returns false if out of memory. */
bool endpoints_init(Endpoints *endpoints, const char *const *urls, size_t count,
		    const EtcdClock *clock);
void endpoints_deinit(Endpoints *endpoints);

static inline const char *endpoints_current(const Endpoints *endpoints)
{
	return endpoints->urls[endpoints->current];
}

/* Counts a failure. Returns the pause before the next attempt, in milliseconds. */
int64_t endpoints_pause(Endpoints *endpoints, const EtcdClock *clock);

/*
 * Returns how long to wait for an answer that usually takes at most the milliseconds. The time
 * doubles whenever all endpoints have failed in a row, up to 4 times as long. Many hosts that come
 * back together make etcd slow, and if each gave up early and began again, none would succeed.
 */
int64_t endpoints_patience(const Endpoints *endpoints, int64_t milliseconds);

void endpoints_next(Endpoints *endpoints);

/*
 * Remembers the sentence about a failure of the current endpoint. Returns false if it is the same
 * as before.
 */
bool endpoints_tell(Endpoints *endpoints, const char *why);

/* Forgets all failures and sentences. */
void endpoints_forget(Endpoints *endpoints);

#endif
