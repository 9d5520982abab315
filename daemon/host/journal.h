/* SPDX-License-Identifier: MIT */
#ifndef HOST_JOURNAL_H
#define HOST_JOURNAL_H

#include <event2/event_struct.h>

#include "event.h"
#include "record.h"
#include "roots.h"
#include "tree.h"

/*
 * What was decided, one record a decision: who, which VM, which status, why. A uid that is
 * denied more than LIMIT_DENY_RECORDS_PER_SECOND times in a second is counted instead, and the
 * count is a record of its own when the second is over.
 */
typedef struct Denials Denials;
typedef RB_HEAD(DenialsTree, Denials) DenialsTree;

typedef struct Journal {
	Roots roots;
	DenialsTree by_uid; /* of this second */
	struct event second_event;
} Journal;

void journal_init(Journal *journal, struct event_base *base, const Roots *roots);
void journal_deinit(Journal *journal);

void journal_record(Journal *journal, const Record *decision);

/* Only what nobody asked for: registrations and VMs that ended by themselves. */
void journal_event(const Event *event);

#endif
