/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_FLEET_ETCD_TRANSPORT_H
#define DAEMON_FLEET_ETCD_TRANSPORT_H

#include <bsd/sys/queue.h>

#include "daemon/fleet/etcd/etcd.h"
#include "proto/buffer.h"

/*
 * HTTP requests with libcurl on libevent. Nothing is called from inside libcurl, so the functions
 * of an exchange may start and cancel any exchange.
 */

typedef struct Transport Transport;
typedef struct Exchange Exchange;

typedef struct ExchangeResult {
	long status;      /* of HTTP, or 0 without a complete answer */
	const char *why;  /* the reason for a status of 0, a sentence without a full stop */
	bool was_sent;    /* the server may have received the request */
	bool is_too_long; /* the answer has more bytes than allowed */
} ExchangeResult;

/* One POST and its answer. Embedded in its user, and reused after its end. */
struct Exchange {
	/* Set by the user before the first start. */
	size_t answer_max; /* bytes of the answer that are kept at a time */
	/* Optional: called when answer has grown. May consume it. */
	void (*on_data)(Exchange *exchange);
	void (*on_end)(Exchange *exchange, const ExchangeResult *result);
	bool needs_leader; /* the server ends the answer when it has no leader */
	bool is_stream;    /* the answer has no end */

	/*
	 * The request may be sent only once. libcurl repeats one that fails on a connection that
	 * has been used before, so the exchange gets a new connection.
	 */
	bool is_sent_once;

	/* Set by the user before each start. */
	Buffer request;

	Buffer answer;
	int64_t deadline; /* milliseconds of the clock, or INT64_MAX */

	/* Used only by the transport. */
	Transport *transport; /* NULL unless it runs */
	void *easy;           /* CURL * */
	bool has_data;        /* on_data has to be called */
	bool has_ended;       /* on_end has to be called, with the result */
	int64_t patience;     /* milliseconds until the first byte, and between bytes */
	int64_t latest;       /* the deadline is never later */
	ExchangeResult result;
	char error[256]; /* of libcurl */
	TAILQ_ENTRY(Exchange) link;
};

void exchange_deinit(Exchange *exchange);

static inline bool exchange_runs(const Exchange *exchange)
{
	return exchange->transport != NULL;
}

/*
 * Returns NULL if out of memory, or if libcurl cannot start. The settings have to outlive the
 * transport. Calls on_activity after the functions of exchanges have been called.
 */
Transport *transport_new(struct event_base *base, const EtcdSettings *settings,
			 void (*on_activity)(void *context), void *context);
void transport_free(Transport *transport); /* no exchange may run */

/*
 * Starts a POST of the exchange's request to ENDPOINT/PATH. Each byte of the answer has to arrive
 * at most the milliseconds after the one before, and the whole answer within 6 times as many. For a
 * stream, that holds only until its first byte. Returns false if out of memory.
 */
bool exchange_start(Exchange *exchange, Transport *transport, const char *endpoint,
		    const char *path, int64_t milliseconds);

/* Lets a stream end unless its next byte arrives in time. Call for each byte that has to arrive. */
void exchange_await(Exchange *exchange);

/* Ends the exchange without a call. Does nothing if it does not run. */
void exchange_cancel(Exchange *exchange);

/* Ends exchanges whose deadlines have passed. */
void transport_expire(Transport *transport);

/* Returns the nearest deadline, or INT64_MAX. */
int64_t transport_deadline(const Transport *transport);

#endif
