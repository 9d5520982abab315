/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_NET_MESSAGE_TIMEOUT_H
#define DAEMON_HOST_NET_MESSAGE_TIMEOUT_H

#include <event2/event_struct.h>

#include "daemon/core/host.h"
#include "daemon/core/tree.h"

/*
 * Timeouts for partial messages. The peer has a number of seconds to send a whole message, counted
 * from its first byte; later bytes do not extend the time. All timeouts of a list are equally long,
 * so it stays sorted by deadline and one timer serves all of them.
 */

typedef struct MessageTimeouts MessageTimeouts;

/* Embedded in the connection. Must be zero-initialised. */
typedef struct MessageTimeout {
	MessageTimeouts *list; /* NULL if it does not run */
	uint32_t message;      /* number of the partial message */
	uint64_t deadline;     /* microseconds on CLOCK_BOOTTIME */
	TAILQ_ENTRY(MessageTimeout) link;
} MessageTimeout;

struct MessageTimeouts {
	const Host *host; /* provides the clock */
	uint64_t seconds;
	TAILQ_HEAD(, MessageTimeout) running; /* sorted by deadline */
	struct event timer;
	void (*expired)(MessageTimeout *timeout);
};

/*
 * The function expired is called once for each timeout that passes. The timeout has been stopped by
 * then, and may be freed in the call.
 */
void message_timeouts_init(MessageTimeouts *timeouts, struct event_base *base, const Host *host,
			   uint64_t seconds, void (*expired)(MessageTimeout *timeout));
void message_timeouts_deinit(MessageTimeouts *timeouts);

/*
 * Starts the timeout for the message with this number, in place of one on another list. Keeps the
 * deadline if it runs for that message already.
 */
void message_timeout_start(MessageTimeouts *timeouts, MessageTimeout *timeout, uint32_t message);

/* Stops the timeout. Idempotent. */
void message_timeout_stop(MessageTimeout *timeout);

#endif
