/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_FLEET_ETCD_BENCH_H
#define TESTS_UNIT_FLEET_ETCD_BENCH_H

#include <criterion/criterion.h>
#include <event2/event.h>

#include "daemon/fleet/etcd/client.h"
#include "daemon/fleet/etcd/etcd.h"
#include "proto/macros.h"
#include "tests/unit/fleet/played-gateway.h"

/* A client of etcd with two played gateways, and a clock and random numbers of the test. */

/* Everything that a test has, and what the client has told it, as one text. */
typedef struct Bench {
	struct event_base *base;
	Gateway *gateways[2];
	Etcd *etcd;
	EtcdClock clock;
	int64_t time;
	uint64_t cluster;   /* of the last snapshot */
	bool has_forgotten; /* what it was shown */
	char told[2048];
} Bench;

int64_t bench_now(void *context);

/* Chooses the first endpoint, and the shortest pauses. */
uint32_t bench_random(void *context);

/* Prepares gateways without a client, so that a test can write scripts. */
void bench_init(Bench *bench);
void bench_start(Bench *bench);
void bench_deinit(Bench *bench);

#define REACHED "snapshot@4;reached;lease;"

/* Does all of it, with an etcd without keys. */
void bench_reach(Bench *bench);

#define BENCH_INIT(function)                 \
	_cleanup_(bench_deinit) Bench bench; \
	function(&bench)

/* Runs the loop until the condition holds. */
#define run_until(bench, condition)                                                    \
	do {                                                                           \
		while (!(condition))                                                   \
			cr_assert_geq(event_base_loop((bench)->base, EVLOOP_ONCE), 0); \
	} while (0)

bool has_told(const Bench *bench, const char *text);

/* Waits for a text among what the client has told. Forgets all of it. */
void expect(Bench *bench, const char *text);

/* Waits until the last text has been told. All that the client has told has to be the texts. */
void expect_all(Bench *bench, const char *texts, const char *last);

void pass(Bench *bench, int64_t milliseconds);

/* Tells the outcome of a change. */
void on_done(void *context, EtcdOutcome outcome, int64_t revision, const char *why);

#define KEY_A   "L3YvYQ=="
#define KEY_B   "L3YvYg=="
#define VALUE_A "QQ=="

#endif
