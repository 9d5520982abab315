/* SPDX-License-Identifier: MIT */
#ifndef HOST_HALF_MESSAGE_H
#define HOST_HALF_MESSAGE_H

#include <event2/event_struct.h>

#include "host.h"
#include "tree.h"

/*
 * Timeouts for partial messages. The peer has LIMIT_HALF_MESSAGE_SECONDS to send a whole message,
 * counted from its first byte; bytes that arrive later do not extend the time. Because all timeouts
 * are equally long, the list is sorted by deadline and one timer serves all of them.
 */

/* Embedded in the connection. Zero-initialised: the timeout does not run. */
typedef struct MessageTimeout {
	bool is_running;
	uint32_t message;  /* number of the partial message */
	uint64_t deadline; /* microseconds on CLOCK_BOOTTIME */
	TAILQ_ENTRY(MessageTimeout) link;
} MessageTimeout;

typedef struct MessageTimeouts {
	const Host *host;                     /* the clock */
	TAILQ_HEAD(, MessageTimeout) running; /* sorted by deadline */
	struct event timer;
	void (*expired)(MessageTimeout *timeout);
} MessageTimeouts;

/* Calls expired for each timeout that passes; it is stopped by then and may be freed. */
void message_timeouts_init(MessageTimeouts *timeouts, struct event_base *base, const Host *host,
			   void (*expired)(MessageTimeout *timeout));
void message_timeouts_deinit(MessageTimeouts *timeouts);

/* Starts the timeout for the message with this number. If it runs for that message already, its
 * deadline stays the same. */
void message_timeout_start(MessageTimeouts *timeouts, MessageTimeout *timeout, uint32_t message);

/* Stops the timeout. Idempotent. */
void message_timeout_stop(MessageTimeouts *timeouts, MessageTimeout *timeout);

#endif
