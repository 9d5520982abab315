/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_RESUME_H
#define DAEMON_FLEET_ETCD_RESUME_H

#include "daemon/fleet/etcd/etcd.h"
#include "proto/buffer.h"

/*
 * The memory with which a client goes on after a break of its watch, instead of listing all keys.
 *
 * The mark is a put that was shown. An etcd that was restored from an older state can have passed
 * the last shown revision again with other changes. Its history is the known one only if it has the
 * mark, too. A watch that begins with the mark also has something to show in any case, so that the
 * client learns when all missed changes have been shown.
 */

/*
 * The revisions, with that of the mark, that a watch may show before the keys are listed instead.
 * etcd shows fewer at once, and does not tell whether more follow after as many.
 */
#define RESUME_REVISIONS_MAX 1000

typedef struct Resume {
	int64_t revision; /* all changes up to this one have been shown */
	uint64_t cluster;
	Buffer mark;           /* its key, with a NUL */
	int64_t mark_revision; /* at most revision + 1; 0 if the keys have to be listed */
	uint64_t mark_digest;  /* of its key, value and lease */
} Resume;

void resume_deinit(Resume *resume);

/* Lets the keys be listed the next time. */
void resume_forget(Resume *resume);

static inline bool resume_is_possible(const Resume *resume)
{
	return resume->mark_revision != 0;
}

/* Makes a put the mark unless its revision has a mark already. */
void resume_mark(Resume *resume, const EtcdEntry *entry);

/* Tests whether a put is the mark. */
bool resume_is_mark(const Resume *resume, const EtcdEntry *entry);

/* Notes that all changes up to the revision have been shown. */
void resume_advance(Resume *resume, int64_t revision);

#endif
