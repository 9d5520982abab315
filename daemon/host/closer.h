/* SPDX-License-Identifier: MIT */
#ifndef HOST_CLOSER_H
#define HOST_CLOSER_H

#include <event2/event_struct.h>

#include "owner.h"

/*
 * Closes what strangers sent. The last close of a descriptor can hang for good (FUSE that never
 * answers FLUSH, a socket that lingers), in a state that not even SIGKILL ends; so can the close of
 * a connection in which descriptors are queued. Such closes are done in a child that shares the
 * table of descriptors: when it hangs, nothing else does.
 *
 * What is to be closed in a turn is closed at its end, in one child a uid. A uid has at most
 * LIMIT_CLOSES_UNDER_WAY children at once; what is more waits for one of them.
 */
struct Closer {
	struct event_base *base;
	struct event due_event;
	struct event child_event;
	TAILQ_HEAD(, Owner) due;
	TAILQ_HEAD(, Close) under_way;
	void (*closed)(void *context); /* after each finished close: descriptors are free again */
	void *context;
};

void closer_init(Closer *closer, struct event_base *base, void (*closed)(void *context),
		 void *context);
void closer_deinit(Closer *closer);

/*
 * Takes the descriptor. Where there is no memory to remember it, it is left open: better one too
 * many than a daemon that hangs.
 */
void closer_close(Closer *closer, Owner *owner, int descriptor);

/* Whether the uid has as many closes under way as it may: no more descriptors are taken of it. */
bool closer_is_full(const Owner *owner);

/* Whether, moreover, all of them hang: who closes much is not to be refused for it. */
bool closer_is_stuck(const Owner *owner);

#endif
