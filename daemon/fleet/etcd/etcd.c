/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/etcd.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>

#include "daemon/fleet/etcd/client.h"
#include "daemon/fleet/etcd/message.h"
#include "proto/fd-util.h"

/* Milliseconds that etcd has to be reached before earlier failures are forgotten. */
#define STABLE_AFTER 5000

/* The clock of the system */

static int64_t read_clock(void *context)
{
	struct timespec time;

	(void)context;
	clock_gettime(CLOCK_BOOTTIME, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static uint32_t read_random(void *context)
{
	uint32_t number = 0;

	(void)context;
	/* Up to 256 bytes cannot be interrupted once the kernel has collected randomness. */
	while (getrandom(&number, sizeof(number), 0) < 0 && errno == EINTR)
		;
	return number;
}

int64_t etcd_now(const Etcd *etcd)
{
	return etcd->clock.now(etcd->clock.context);
}

/* The timer */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void etcd_plan(Etcd *etcd)
{
	int64_t deadline = etcd->retry_at;

	deadline = earlier(deadline, transport_deadline(etcd->transport));
	deadline = earlier(deadline, lease_deadline(&etcd->lease));
	deadline = earlier(deadline, changes_deadline(&etcd->changes));
	deadline = earlier(deadline, alarms_deadline(&etcd->alarms));
	struct itimerspec when = { 0 };
	if (deadline != INT64_MAX) {
		int64_t left = deadline - etcd_now(etcd);
		when.it_value.tv_sec = left > 0 ? left / 1000 : 0;
		/* Zero would stop the timer. */
		when.it_value.tv_nsec = left > 0 ? left % 1000 * 1000000 : 1;
	}
	timerfd_settime(etcd->timer_fd, 0, &when, NULL);
}

static void on_activity(void *context)
{
	Etcd *etcd = context;

	lease_wake(&etcd->lease);
	changes_wake(&etcd->changes);
	alarms_wake(&etcd->alarms);
	etcd_plan(etcd);
}

void etcd_wake(Etcd *etcd)
{
	if (!etcd_is_connected(etcd) && etcd->retry_at <= etcd_now(etcd)) {
		etcd->retry_at = INT64_MAX;
		lease_connected(&etcd->lease);
		view_start(&etcd->view);
	}
	transport_expire(etcd->transport);
}

static void on_timer(evutil_socket_t fd, short events, void *context)
{
	uint64_t count;

	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return; /* another etcd_plan() has stopped it meanwhile */
	etcd_wake(context);
}

/* Reaching etcd, and breaks */

void etcd_answered(Etcd *etcd)
{
	if (etcd->is_reached)
		etcd->last_answer = etcd_now(etcd);
}

void etcd_reach(Etcd *etcd)
{
	etcd->is_reached = true;
	etcd->statistics.reached++;
	etcd->reached_at = etcd->last_answer = etcd_now(etcd);
	etcd->handlers.on_reach(etcd->context, true, NULL, etcd->reached_at);
	alarms_reached(&etcd->alarms);
}

static void tell_break(Etcd *etcd, bool was_reached, const char *why)
{
	if (endpoints_tell(&etcd->endpoints, why) || was_reached)
		etcd->handlers.on_reach(etcd->context, false, why, etcd->last_answer);
}

/* Forgets earlier failures once etcd has been reached for long enough. */
static void forget_failures(Etcd *etcd)
{
	if (etcd->is_reached && etcd_now(etcd) - etcd->reached_at >= STABLE_AFTER)
		endpoints_forget(&etcd->endpoints);
}

void etcd_break(Etcd *etcd, EtcdBreak kind, const char *format, ...)
{
	bool was_reached = etcd->is_reached;
	char reason[ETCD_WHY_SIZE], why[2 * ETCD_WHY_SIZE];
	va_list arguments;

	if (!etcd_is_connected(etcd))
		return;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	snprintf(why, sizeof(why), "%s: %s", endpoints_current(&etcd->endpoints), reason);
	forget_failures(etcd);
	view_stop(&etcd->view);
	exchange_cancel(&etcd->lease.exchange);
	changes_break(&etcd->changes, reason);
	alarms_break(&etcd->alarms);
	etcd->is_reached = false;
	etcd->statistics.breaks += was_reached;
	etcd->retry_at = etcd_now(etcd) + endpoints_pause(&etcd->endpoints, &etcd->clock);
	tell_break(etcd, was_reached, why);
	if (kind == ETCD_BREAK_FAILURE)
		endpoints_next(&etcd->endpoints);
}

void etcd_check(Etcd *etcd)
{
	int64_t ttl = (int64_t)etcd->settings.ttl * 1000;

	if (!etcd->is_reached || etcd_now(etcd) - etcd->last_answer < ttl)
		return;
	etcd_break(etcd, ETCD_BREAK_AGAIN, "no answer for the time of a lease");
	etcd_plan(etcd);
}

void etcd_describe_error(Etcd *etcd, const Exchange *exchange, const ExchangeResult *result,
			 char why[static ETCD_WHY_SIZE])
{
	JsonText text = { buffer_head(&exchange->answer), buffer_size(&exchange->answer) };
	ServerWords words;

	if (result->status == 0) {
		snprintf(why, ETCD_WHY_SIZE, "%s", result->why);
		return;
	}
	message_read_error(etcd->parser, text, &words);
	snprintf(why, ETCD_WHY_SIZE, "HTTP %ld%s%s", result->status, words.text[0] ? ", " : "",
		 words.text);
}

void etcd_break_for(Etcd *etcd, const Exchange *exchange, const ExchangeResult *result)
{
	char why[ETCD_WHY_SIZE];

	etcd_describe_error(etcd, exchange, result, why);
	etcd_break(etcd, ETCD_BREAK_FAILURE, "%s", why);
}

int64_t etcd_patience(Etcd *etcd, int64_t milliseconds)
{
	forget_failures(etcd);
	return endpoints_patience(&etcd->endpoints, milliseconds);
}

void etcd_exchange(Etcd *etcd, Exchange *exchange, const char *path, int64_t patience)
{
	if (!exchange_start(exchange, etcd->transport, endpoints_current(&etcd->endpoints), path,
			    patience))
		etcd_break(etcd, ETCD_BREAK_AGAIN, "out of memory");
}

/* The client */

const EtcdStatistics *etcd_statistics(const Etcd *etcd)
{
	return &etcd->statistics;
}

bool etcd_is_reached(const Etcd *etcd)
{
	return etcd->is_reached;
}

bool etcd_has_lease(const Etcd *etcd)
{
	return lease_is_held(&etcd->lease, etcd_now(etcd));
}

/* Copies a text that may be NULL. Returns false if out of memory. */
static bool copy_text(const char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

/* The endpoints are copied elsewhere. */
static bool copy_settings(Etcd *etcd, const EtcdSettings *settings)
{
	etcd->clock = settings->clock ? *settings->clock
				      : (EtcdClock){ .now = read_clock, .random = read_random };
	etcd->settings = (EtcdSettings){ .ttl = settings->ttl, .clock = &etcd->clock };
	return copy_text(&etcd->settings.prefix, settings->prefix) &&
	       copy_text(&etcd->settings.ca, settings->ca) &&
	       copy_text(&etcd->settings.certificate, settings->certificate) &&
	       copy_text(&etcd->settings.private_key, settings->private_key) &&
	       endpoints_init(&etcd->endpoints, settings->endpoints, settings->endpoint_count,
			      &etcd->clock);
}

static bool start(Etcd *etcd, const EtcdSettings *settings)
{
	if (!copy_settings(etcd, settings))
		return false;
	etcd->parser = json_parser_new();
	etcd->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!etcd->parser || etcd->timer_fd < 0)
		return false;
	etcd->transport = transport_new(etcd->base, &etcd->settings, on_activity, etcd);
	etcd->timer = event_new(etcd->base, etcd->timer_fd, EV_READ | EV_PERSIST, on_timer, etcd);
	if (!etcd->transport || !etcd->timer || event_add(etcd->timer, NULL) != 0)
		return false;
	etcd->last_answer = etcd->retry_at = etcd_now(etcd);
	etcd_plan(etcd);
	return true;
}

Etcd *etcd_new(struct event_base *base, const EtcdSettings *settings, const EtcdHandlers *handlers,
	       void *context)
{
	Etcd *etcd = calloc(1, sizeof(*etcd));

	if (!etcd)
		return NULL;
	*etcd = (Etcd){ .base = base, .handlers = *handlers, .context = context, .timer_fd = -1 };
	view_init(&etcd->view);
	lease_init(&etcd->lease);
	changes_init(&etcd->changes);
	alarms_init(&etcd->alarms);
	if (start(etcd, settings))
		return etcd;
	etcd_free(etcd);
	return NULL;
}

static void free_settings(EtcdSettings *settings)
{
	free((char *)settings->prefix);
	free((char *)settings->ca);
	free((char *)settings->certificate);
	free((char *)settings->private_key);
}

void etcd_free(Etcd *etcd)
{
	if (!etcd)
		return;
	view_deinit(&etcd->view);
	changes_deinit(&etcd->changes);
	alarms_deinit(&etcd->alarms);
	exchange_cancel(&etcd->lease.exchange);
	lease_deinit(&etcd->lease);
	transport_free(etcd->transport);
	if (etcd->timer)
		event_free(etcd->timer);
	fd_close(&etcd->timer_fd);
	json_parser_free(etcd->parser);
	endpoints_deinit(&etcd->endpoints);
	free_settings(&etcd->settings);
	free(etcd);
}
