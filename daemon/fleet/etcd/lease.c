/* SPDX-License-Identifier: MIT */
#include "daemon/fleet/etcd/lease.h"

#include <stdio.h>
#include <string.h>

#include "daemon/fleet/etcd/client.h"
#include "daemon/fleet/etcd/message.h"
#include "proto/macros.h"

/* Milliseconds before the first and before later attempts to get a lease that etcd refuses. */
#define FIRST_PAUSE   500
#define LONGEST_PAUSE 5000

static Etcd *client_of(Lease *lease)
{
	return container_of(lease, Etcd, lease);
}

bool lease_is_held(const Lease *lease, int64_t time)
{
	return lease->id != 0 && time < lease->ends_at;
}

/* Reports that there is no lease, unless that is known already. */
static void tell_missing(Lease *lease, const char *why)
{
	Etcd *etcd = client_of(lease);

	if (strcmp(lease->why, why) == 0)
		return;
	snprintf(lease->why, sizeof(lease->why), "%s", why);
	etcd->handlers.on_lease(etcd->context, false, lease->why);
}

void lease_lose(Lease *lease, const char *why)
{
	if (lease->id == 0)
		return;
	exchange_cancel(&lease->exchange);
	lease->id = 0;
	lease->due_at = 0;
	client_of(lease)->statistics.lost++;
	tell_missing(lease, why);
}

static void check(Lease *lease)
{
	if (lease->id != 0 && !lease_is_held(lease, etcd_now(client_of(lease))))
		lease_lose(lease, "the lease has ended, because it was not kept alive in time");
}

/* The lease is held for its TTL from the time when the exchange was sent. */
static void prolong(Lease *lease, int64_t ttl)
{
	lease->ttl = ttl < 1000000 ? ttl * 1000 : 1000000000;
	lease->ends_at = lease->sent_at + lease->ttl;
	lease->due_at = lease->sent_at + lease->ttl / 3;
}

/* etcd refuses to grant a lease: tries again later, because keys can still be listed. */
static void postpone(Lease *lease, const ExchangeResult *result)
{
	Etcd *etcd = client_of(lease);
	char why[ETCD_WHY_SIZE];

	etcd_describe_error(etcd, &lease->exchange, result, why);
	lease->pause = lease->pause == 0 ? FIRST_PAUSE : lease->pause * 2;
	if (lease->pause > LONGEST_PAUSE)
		lease->pause = LONGEST_PAUSE;
	lease->due_at = etcd_now(etcd) + lease->pause;
	tell_missing(lease, why);
}

static void granted(Lease *lease, const LeaseAnswer *answer)
{
	Etcd *etcd = client_of(lease);

	lease->id = answer->lease;
	etcd->statistics.leases++;
	prolong(lease, answer->ttl);
	lease->pause = 0;
	lease->why[0] = '\0';
	if (lease_is_held(lease, etcd_now(etcd)))
		etcd->handlers.on_lease(etcd->context, true, NULL);
	else
		check(lease);
}

static void on_grant_end(Lease *lease, const ExchangeResult *result)
{
	Etcd *etcd = client_of(lease);
	JsonText text = { buffer_head(&lease->exchange.answer),
			  buffer_size(&lease->exchange.answer) };
	LeaseAnswer answer;

	if (result->status >= 400 && result->status < 500) {
		postpone(lease, result);
		return;
	}
	if (result->status != 200) {
		etcd_break_for(etcd, &lease->exchange, result);
		return;
	}
	const char *fault = message_read_grant(etcd->parser, text, &answer);
	if (fault) {
		etcd_break(etcd, ETCD_BREAK_FAILURE, "%s", fault);
		return;
	}
	etcd_answered(etcd);
	granted(lease, &answer);
}

static void on_keepalive_end(Lease *lease, const ExchangeResult *result)
{
	Etcd *etcd = client_of(lease);
	JsonText text = { buffer_head(&lease->exchange.answer),
			  buffer_size(&lease->exchange.answer) };
	LeaseAnswer answer;

	/* While the view is being made, it decides whether the endpoint is too slow. */
	if (result->status == 0 && !etcd->is_reached) {
		lease->due_at = etcd_now(etcd) + FIRST_PAUSE;
		return;
	}
	if (result->status != 200) {
		etcd_break_for(etcd, &lease->exchange, result);
		return;
	}
	const char *fault = message_read_keepalive(etcd->parser, text, &answer);
	if (!fault && answer.lease != lease->id)
		fault = "the answer is about another lease";
	if (fault) {
		etcd_break(etcd, ETCD_BREAK_FAILURE, "%s", fault);
		return;
	}
	etcd_answered(etcd);
	if (answer.ttl == 0) {
		lease_lose(lease, "the lease has expired in etcd");
		return;
	}
	etcd->statistics.keepalives++;
	prolong(lease, answer.ttl);
}

static void on_end(Exchange *exchange, const ExchangeResult *result)
{
	Lease *lease = container_of(exchange, Lease, exchange);

	if (lease->id == 0) {
		on_grant_end(lease, result);
		return;
	}
	check(lease);
	if (lease->id != 0)
		on_keepalive_end(lease, result);
}

/*
 * Returns how long to wait for the answer to the request that is sent now. After earlier failures,
 * a keepalive waits longer, but leaves the other half of the lease's time to the next endpoint.
 */
static int64_t find_patience(const Lease *lease, Etcd *etcd)
{
	int64_t ttl = lease->id == 0 ? (int64_t)etcd->settings.ttl * 1000 : lease->ttl;
	int64_t usual = ttl / 5 < ETCD_PATIENCE ? ttl / 5 : ETCD_PATIENCE;
	int64_t patience = etcd_patience(etcd, usual);
	int64_t half = (lease->ends_at - lease->sent_at) / 2;

	if (lease->id == 0 || patience <= half)
		return patience;
	return half > usual ? half : usual;
}

static void send(Lease *lease)
{
	Etcd *etcd = client_of(lease);
	bool is_grant = lease->id == 0;
	Buffer *request = &lease->exchange.request;

	buffer_truncate(request, 0);
	lease->sent_at = etcd_now(etcd);
	if (is_grant ? message_grant(request, etcd->settings.ttl)
		     : message_lease(request, lease->id))
		etcd_exchange(etcd, &lease->exchange,
			      is_grant ? "v3/lease/grant" : "v3/lease/keepalive",
			      find_patience(lease, etcd));
	else
		etcd_break(etcd, ETCD_BREAK_AGAIN, "out of memory");
}

void lease_wake(Lease *lease)
{
	Etcd *etcd = client_of(lease);

	check(lease);
	if (!etcd_is_connected(etcd) || exchange_runs(&lease->exchange) ||
	    etcd_now(etcd) < lease->due_at)
		return;
	if (lease->id != 0 || etcd->is_reached)
		send(lease);
}

void lease_connected(Lease *lease)
{
	lease->due_at = 0;
}

int64_t lease_deadline(const Lease *lease)
{
	const Etcd *etcd = container_of(lease, Etcd, lease);
	int64_t deadline = lease->id != 0 ? lease->ends_at : INT64_MAX;
	bool may_send = etcd_is_connected(etcd) && !exchange_runs(&lease->exchange) &&
			(lease->id != 0 || etcd->is_reached);

	return may_send && lease->due_at < deadline ? lease->due_at : deadline;
}

void lease_init(Lease *lease)
{
	*lease = (Lease){ .exchange = { .answer_max = 65536, .on_end = on_end } };
}

void lease_deinit(Lease *lease)
{
	exchange_deinit(&lease->exchange);
}
