/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_CLIENT_H
#define DAEMON_FLEET_ETCD_CLIENT_H

#include "daemon/fleet/etcd/alarms.h"
#include "daemon/fleet/etcd/changes.h"
#include "daemon/fleet/etcd/endpoints.h"
#include "daemon/fleet/etcd/etcd.h"
#include "daemon/fleet/etcd/lease.h"
#include "daemon/fleet/etcd/transport.h"
#include "daemon/fleet/etcd/view.h"
#include "proto/json.h"

/*
 * The cooperation of the parts of a client.
 *
 * A client is either connected to an endpoint, or waits until it may try the next one. Once it is
 * connected, the view lists the keys and begins a watch, or resumes the watch of before. It reaches
 * etcd when the watch stands and has shown what was missed.
 * Only then are leases granted and keys changed. A part that finds that the endpoint does not do
 * what it should calls etcd_break(). That ends all exchanges, and the next endpoint is tried.
 */

struct event;

/* Milliseconds without a byte after which an answer counts as missing. */
#define ETCD_PATIENCE 5000

struct Etcd {
	struct event_base *base;
	EtcdSettings settings;
	EtcdHandlers handlers;
	void *context;
	EtcdClock clock; /* of the system, unless the settings have one */
	JsonParser *parser;
	Transport *transport;
	int timer_fd; /* on CLOCK_BOOTTIME, so that a suspended host finds its lease lost */
	struct event *timer;

	Endpoints endpoints;
	int64_t retry_at; /* INT64_MAX while connected */
	bool is_reached;
	int64_t reached_at;
	int64_t last_answer; /* the time of the last answer while etcd was reached */

	EtcdStatistics statistics;
	View view;
	Lease lease;
	Changes changes;
	Alarms alarms;
};

int64_t etcd_now(const Etcd *etcd);

/* Looks at the clock, and does all that is due. Tests call it after they have set theirs. */
void etcd_wake(Etcd *etcd);

/* Plans the next etcd_wake(). */
void etcd_plan(Etcd *etcd);

static inline bool etcd_is_connected(const Etcd *etcd)
{
	return etcd->retry_at == INT64_MAX;
}

/* The kind of a break decides which endpoint is tried next. */
typedef enum EtcdBreak {
	ETCD_BREAK_FAILURE, /* of the endpoint; the next one is tried */
	ETCD_BREAK_AGAIN,   /* the same endpoint is tried again */
} EtcdBreak;

/* Ends all exchanges. The sentence follows the name of the endpoint. */
void etcd_break(Etcd *etcd, EtcdBreak kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Breaks off because of an answer that is not 200. */
void etcd_break_for(Etcd *etcd, const Exchange *exchange, const ExchangeResult *result);

/* Formats what the server says about an error: "HTTP 503, etcdserver: no leader". */
#define ETCD_WHY_SIZE 256
void etcd_describe_error(Etcd *etcd, const Exchange *exchange, const ExchangeResult *result,
			 char why[static ETCD_WHY_SIZE]);

/* Returns endpoints_patience(). Failures before etcd was reached count only for a short time. */
int64_t etcd_patience(Etcd *etcd, int64_t milliseconds);

/* Starts an exchange with the current endpoint. Breaks off if that fails. */
void etcd_exchange(Etcd *etcd, Exchange *exchange, const char *path, int64_t patience);

/* The view calls this when the watch stands, and the snapshot or all missed changes were shown. */
void etcd_reach(Etcd *etcd);

/* Each part calls this for an answer that shows that the endpoint works. */
void etcd_answered(Etcd *etcd);

#endif
