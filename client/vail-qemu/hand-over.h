/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_HAND_OVER_H
#define CLIENT_VAIL_QEMU_HAND_OVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Two QEMUs of one GUID, as in a local migration: the second one is the VM's incoming VMM until the
 * first one exits.
 */

/* The state of a GUID in vaild. */
typedef struct HandOverState {
	pid_t vmm;              /* 0 if unknown */
	pid_t incoming;         /* 0 without a hand-over */
	bool lacks_guest_state; /* vaild shows the VM without one */
} HandOverState;

struct vail;

/* Reads the VMMs of the GUID. Both are 0 if the caller may not see the VM, or it does not run. */
HandOverState hand_over_read(struct vail *vail, const char *guid);

/* Waits between attempts to register a GUID that another VM has. Zeroed before the first one. */
typedef struct CollisionWait {
	int interval;     /* milliseconds from the last attempt to the next; 0 before the first */
	int64_t retry_at; /* of the next attempt */
} CollisionWait;

/*
 * Notes an attempt that failed now, in milliseconds. The intervals grow from 1 to 8 seconds,
 * because vaild logs each attempt.
 */
void collision_wait_begin(CollisionWait *wait, int64_t now);

/* Returns the milliseconds until the next attempt, or 0 if it is due. */
int collision_wait_left(const CollisionWait *wait, int64_t now);

#endif
