/* SPDX-License-Identifier: MIT */
#include "daemon/host/driver-timeout.h"

#include <event2/event.h>

static void set_timer(DriverTimeout *wait)
{
	uint64_t adapters = adapters_next_deadline(wait->broker), now = broker_now(wait->broker);
	uint64_t channels = display_channels_deadline(wait->broker);
	uint64_t deadline = adapters < channels ? adapters : channels;

	if (deadline == UINT64_MAX)
		return;
	uint64_t left = deadline > now ? deadline - now : 0;
	struct timeval delay = {
		.tv_sec = (time_t)(left / 1000000),
		.tv_usec = (suseconds_t)(left % 1000000),
	};
	event_add(&wait->event, &delay);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	DriverTimeout *wait = context;

	(void)fd;
	(void)what;
	adapters_end_overdue(wait->broker);
	display_channels_end_overdue(wait->broker);
	set_timer(wait);
}

void driver_timeout_init(DriverTimeout *wait, struct event_base *base)
{
	event_assign(&wait->event, base, -1, 0, on_deadline, wait);
}

void driver_timeout_begin(DriverTimeout *wait, Broker *broker)
{
	wait->broker = broker;
	set_timer(wait);
}

void driver_timeout_deinit(DriverTimeout *wait)
{
	event_del(&wait->event);
}
