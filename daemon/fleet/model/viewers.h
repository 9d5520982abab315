/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_MODEL_VIEWERS_H
#define DAEMON_FLEET_MODEL_VIEWERS_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "daemon/fleet/model/facts.h"
#include "daemon/fleet/model/index.h"

/*
 * The users that are display clients of VMs that this host has or had. They may ask where the VM is
 * now. Users of VMs that have ended are remembered until vaild-fleet ends, or until
 * VIEWERS_VMS_MAX other VMs have been seen since.
 */

#define VIEWERS_VMS_MAX 8192

typedef struct ViewedVm {
	Guid guid;
	uid_t *users;
	size_t user_count;
	TAILQ_ENTRY(ViewedVm) by_age;
	RB_ENTRY(ViewedVm) by_guid;
} ViewedVm;

typedef TAILQ_HEAD(ViewedVmList, ViewedVm) ViewedVmList;
typedef RB_HEAD(ViewedVmTree, ViewedVm) ViewedVmTree;

typedef struct Viewers {
	ViewedVmList list; /* the one that was seen last comes last */
	ViewedVmTree tree;
	size_t count;
} Viewers;

void viewers_init(Viewers *viewers);
void viewers_deinit(Viewers *viewers);

/* Notes the display clients of the VMs that the host has. Out of memory, it skips VMs. */
void viewers_note(Viewers *viewers, const FleetFacts *facts);

/* Tests whether the VM has or had this user as a display client. */
bool viewers_contain(const Viewers *viewers, const Guid *guid, uid_t uid);

/* Tests the same of the VMs that the index knows by this name. Does not look at VMs of others. */
bool viewers_contain_name(const Viewers *viewers, const FleetIndex *index, const char *name,
			  uid_t uid);

#endif
