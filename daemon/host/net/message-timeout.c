/* SPDX-License-Identifier: MIT */
#include "daemon/host/net/message-timeout.h"

#include <event2/event.h>

static uint64_t timeouts_now(const MessageTimeouts *timeouts)
{
	return timeouts->host->now(timeouts->host->self);
}

static void set_timer(MessageTimeouts *timeouts)
{
	const MessageTimeout *first = TAILQ_FIRST(&timeouts->running);
	uint64_t now = timeouts_now(timeouts);

	if (!first)
		return;
	uint64_t wait = first->deadline > now ? first->deadline - now : 0;
	struct timeval delay = {
		.tv_sec = (time_t)(wait / 1000000),
		.tv_usec = (suseconds_t)(wait % 1000000),
	};
	event_add(&timeouts->timer, &delay);
}

void message_timeout_start(MessageTimeouts *timeouts, MessageTimeout *timeout, uint32_t message)
{
	if (timeout->list == timeouts && timeout->message == message)
		return;
	message_timeout_stop(timeout);
	timeout->list = timeouts;
	timeout->message = message;
	timeout->deadline = timeouts_now(timeouts) + UINT64_C(1000000) * timeouts->seconds;
	TAILQ_INSERT_TAIL(&timeouts->running, timeout, link);
	if (TAILQ_FIRST(&timeouts->running) == timeout)
		set_timer(timeouts);
}

void message_timeout_stop(MessageTimeout *timeout)
{
	if (timeout->list)
		TAILQ_REMOVE(&timeout->list->running, timeout, link);
	timeout->list = NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	MessageTimeouts *timeouts = context;
	MessageTimeout *first;

	(void)fd;
	(void)what;
	while ((first = TAILQ_FIRST(&timeouts->running)) &&
	       first->deadline <= timeouts_now(timeouts)) {
		message_timeout_stop(first);
		timeouts->expired(first);
	}
	set_timer(timeouts);
}

void message_timeouts_init(MessageTimeouts *timeouts, struct event_base *base, const Host *host,
			   uint64_t seconds, void (*expired)(MessageTimeout *timeout))
{
	*timeouts = (MessageTimeouts){ .host = host, .seconds = seconds, .expired = expired };
	TAILQ_INIT(&timeouts->running);
	event_assign(&timeouts->timer, base, -1, 0, on_timer, timeouts);
}

void message_timeouts_deinit(MessageTimeouts *timeouts)
{
	event_del(&timeouts->timer);
}
