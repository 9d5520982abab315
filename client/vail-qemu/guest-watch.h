/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_GUEST_WATCH_H
#define CLIENT_VAIL_QEMU_GUEST_WATCH_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/vail-qemu/wait.h"
#include "proto/buffer.h"
#include "proto/json.h"

/*
 * Asks QEMU again and again whether it runs its guest, waits for it with -incoming, or has sent it
 * to another QEMU. A monitor serves one client at a time, so each look connects, asks and
 * disconnects at once. While another client uses the monitor, a look waits in its queue. Never
 * blocks, and logs nothing: without an answer the state stays as it was.
 *
 * An idle guest must cost nothing. So a look is on time only if a vaild-fleet is on this host,
 * because other hosts wait for the news. Without one, it comes with the next event that wakes
 * vail-qemu anyway.
 */
typedef struct GuestWatch {
	const char *path;  /* of the monitor; NULL if there is none or it cannot tell */
	const char *fleet; /* the socket of vaild-fleet */
	pid_t qemu;
	const WaitClock *clock;
	int socket; /* of the look in progress; -1 between two looks */
	bool has_asked;
	Buffer input;
	JsonParser *parser;
	int64_t next_look; /* milliseconds */
	bool is_timed;     /* the next look comes also without an event */
	int short_looks;   /* since the state has changed */
	/* As in VailMachine: "running", "incoming" or "migrated"; NULL while it is unknown. */
	const char *state;
} GuestWatch;

#define GUEST_WATCH_INIT ((GuestWatch){ .socket = -1 })

/*
 * Returns the state that QEMU's name of its run state stands for, as in VailMachine; NULL to keep
 * the last one.
 */
const char *guest_state_of(const char *status);

/*
 * Begins to watch.
 *
 * path: of the monitor, as in the options. NULL to watch nothing.
 * fleet: the path of the socket that vaild-fleet makes. Both have to outlive the watch.
 *
 * Returns false if out of memory.
 */
bool guest_watch_init(GuestWatch *watch, const char *path, const char *fleet, pid_t qemu,
		      const WaitClock *clock);
void guest_watch_deinit(GuestWatch *watch);

/* Returns the fd and events to poll before guest_watch_process(). The fd may be -1. */
struct pollfd guest_watch_poll_for(const GuestWatch *watch);

/* Returns the milliseconds until the next look, or -1 to wait for an event. */
int guest_watch_timeout(const GuestWatch *watch);

/* Begins a look if it is due, or reads what QEMU has answered. */
void guest_watch_process(GuestWatch *watch);

#endif
