/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CORE_TOLD_GUEST_H
#define DAEMON_CORE_TOLD_GUEST_H

#include "daemon/core/caller.h"
#include "daemon/core/tree.h"

typedef struct Broker Broker;
typedef struct VirtualMachine VirtualMachine;

/* The state of the guest in a VMM, as the VMM's side has told. The daemon cannot see it. */
typedef enum GuestState {
	GUEST_STATE_UNKNOWN,  /* nobody has told, or nobody vouches for it any more */
	GUEST_STATE_RUNNING,  /* the VMM has the guest, which runs or is paused */
	GUEST_STATE_INCOMING, /* the VMM waits for the guest, as the destination of a migration */
	GUEST_STATE_MIGRATED, /* the VMM has sent the guest to another VMM, and lives on */
	GUEST_STATE_MAX,
} GuestState;

/*
 * The state of the guest in one VMM, as a connection has told it. It lasts as long as the last
 * connection that told it, because nobody else would correct it. A state from before a restart has
 * no such connection, and lasts until somebody tells one again.
 */
typedef struct ToldGuest {
	VirtualMachine *vm;
	GuestState state;
	const Caller *teller; /* the connection; NULL for none */
	RB_ENTRY(ToldGuest) by_teller;
} ToldGuest;

typedef RB_HEAD(ToldGuestTree, ToldGuest) ToldGuestTree;

/* Add a state to those of its connection, and remove it. Both do nothing if there is none. */
void told_guest_index(Broker *broker, ToldGuest *guest);
void told_guest_unindex(Broker *broker, ToldGuest *guest);

/* Replaces the state, which then belongs to the teller, or to nobody if that is NULL. */
void told_guest_set(Broker *broker, ToldGuest *guest, GuestState state, const Caller *teller);

/* Returns a state that the connection has told and no other one since, or NULL. */
ToldGuest *told_guest_of(Broker *broker, const Caller *teller);

#endif
