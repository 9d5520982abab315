/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_FLEET_PLAYED_GATEWAY_H
#define TESTS_UNIT_FLEET_PLAYED_GATEWAY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * An etcd that a test plays: an HTTP server on a port of this machine. Without a script, it has no
 * keys, and answers everything as etcd does.
 */

typedef enum GatewayPath {
	GATEWAY_RANGE,
	GATEWAY_WATCH,
	GATEWAY_GRANT,
	GATEWAY_KEEPALIVE,
	GATEWAY_REVOKE,
	GATEWAY_PUT,
	GATEWAY_DELETE,
	GATEWAY_TXN,
	GATEWAY_STATUS,
	GATEWAY_PATH_MAX,
} GatewayPath;

#define GATEWAY_HEADER                                                                           \
	"\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"4\",\"raft_term\":" \
	"\"2\"}"

typedef struct Gateway Gateway;

Gateway *gateway_new(struct event_base *base);
void gateway_free(Gateway *gateway);

/* Returns the URL, owned by the gateway. */
const char *gateway_url(const Gateway *gateway);

/* The next request with this path gets the answer. Answers queue up. The body is copied. */
void gateway_script(Gateway *gateway, GatewayPath path, int status, const char *body);

/* The next request with this path gets no answer. */
void gateway_script_silence(Gateway *gateway, GatewayPath path);

/* The connection of the next request with this path is closed without an answer. */
void gateway_script_hang_up(Gateway *gateway, GatewayPath path);

/* From now on, connections are refused. */
void gateway_close(Gateway *gateway);

/* From now on, all new requests get no answer. */
void gateway_fall_silent(Gateway *gateway);

size_t gateway_count(const Gateway *gateway, GatewayPath path);

/* Returns the body of the last request with this path, or "". */
const char *gateway_last(const Gateway *gateway, GatewayPath path);

/* Returns whether the last watch had the header that makes etcd end it without a leader. */
bool gateway_watch_needs_leader(const Gateway *gateway);

size_t gateway_watches(const Gateway *gateway); /* that are open */

/* Sends text on all watches. */
void gateway_send(Gateway *gateway, const char *text);

/* Ends all watches. */
void gateway_end_watches(Gateway *gateway);

#endif
