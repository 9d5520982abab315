/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_QEMU_WAIT_H
#define CLIENT_VAIL_QEMU_WAIT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/macros.h"

/*
 * Waits for QEMU with a limit, because QEMU may be stopped or serve another client. Logs a wait of
 * more than a second.
 */

/* The source of time. Tests replace it. */
typedef struct WaitClock {
	int64_t (*now)(void); /* milliseconds */
	int (*poll)(struct pollfd *poll_fds, nfds_t count, int milliseconds);
} WaitClock;

extern const WaitClock wait_system_clock;

/* The limit of a wait, and the time after which it is logged; in milliseconds. */
#define WAIT_LIMIT  10000
#define WAIT_REMARK 1000

typedef struct Wait {
	const WaitClock *clock;
	int64_t begin;
	bool has_logged;
	char what[192];
} Wait;

/* Begins a wait. The text completes the sentence "waiting for". */
_printf_(3, 4) void wait_begin(Wait *wait, const WaitClock *clock, const char *format, ...);

/* Tests whether the limit is reached. Logs the wait if it takes long. */
bool wait_is_over(Wait *wait);

/*
 * Waits for the events of the fd, which may be -1.
 *
 * milliseconds: the most to wait now; -1 for the rest of the limit.
 *
 * Returns false if the limit is reached. Returns true if the fd may be ready.
 */
bool wait_for_fd(Wait *wait, int fd, short events, int milliseconds);

/*
 * Logs that the limit was reached.
 *
 * qemu: the process to wait for; 0 if it is unknown.
 * advice: what to do if that process is not stopped.
 */
void wait_log_failure(const Wait *wait, pid_t qemu, const char *advice);

#endif
