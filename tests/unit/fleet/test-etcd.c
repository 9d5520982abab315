/* SPDX-License-Identifier: MIT */
/*
 * The client of etcd against gateways that the test plays, with a clock and random numbers of the
 * test: reaching etcd, its lease, changes with their outcomes, and what servers do that are broken,
 * silent or without a leader.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fleet/etcd/message.h"
#include "daemon/fleet/model/index.h"
#include "tests/unit/fleet/etcd-bench.h"

TestSuite(etcd);

static uint32_t bench_random_high(void *context)
{
	(void)context;
	return UINT32_MAX;
}

Test(etcd, reaches_an_empty_etcd)
{
	BENCH_INIT(bench_reach);

	cr_assert_str_eq(gateway_last(bench.gateways[0], GATEWAY_WATCH),
			 "{\"create_request\":{\"key\":\"L3Yv\",\"range_end\":\"L3Yw\","
			 "\"start_revision\":\"5\",\"fragment\":true}}");
	cr_assert(gateway_watch_needs_leader(bench.gateways[0]));
	cr_assert_str_eq(gateway_last(bench.gateways[0], GATEWAY_GRANT), "{\"TTL\":\"15\"}");
	cr_assert(etcd_is_reached(bench.etcd));
	cr_assert(etcd_has_lease(bench.etcd));
}

Test(etcd, later_pages_are_of_the_first_page_s_revision)
{
	BENCH_INIT(bench_init);

	gateway_script(bench.gateways[0], GATEWAY_RANGE, 200,
		       "{" GATEWAY_HEADER ",\"kvs\":[{\"key\":\"" KEY_A "\",\"value\":\"" VALUE_A
		       "\",\"mod_revision\":\"3\",\"lease\":\"9\"}],\"more\":true}");
	gateway_script(bench.gateways[0], GATEWAY_RANGE, 200,
		       "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"6\"},\"kvs\":[{"
		       "\"key\":\"" KEY_B "\",\"mod_revision\":\"2\"}]}");
	bench_start(&bench);
	expect_all(&bench, "snapshot@4 a=A@3/9 b=@2/0;reached;", "reached;");
	cr_assert_str_eq(gateway_last(bench.gateways[0], GATEWAY_RANGE),
			 "{\"key\":\"L3YvYQA=\",\"range_end\":\"L3Yw\",\"limit\":\"2048\","
			 "\"revision\":\"4\"}");
}

Test(etcd, another_cluster_is_told_with_its_snapshot)
{
	BENCH_INIT(bench_reach);

	gateway_end_watches(bench.gateways[0]);
	expect(&bench, "away");
	gateway_script(bench.gateways[1], GATEWAY_RANGE, 200,
		       "{\"header\":{\"cluster_id\":\"18446744073709551615\",\"revision\":\"2\"}}");
	pass(&bench, 10000);
	expect_all(&bench, "snapshot@2 of 18446744073709551615;reached;", "reached");
}

Test(etcd, pages_of_different_clusters_are_no_list)
{
	BENCH_INIT(bench_init);

	gateway_script(bench.gateways[0], GATEWAY_RANGE, 200,
		       "{" GATEWAY_HEADER ",\"kvs\":[{\"key\":\"" KEY_A "\"}],\"more\":true}");
	gateway_script(bench.gateways[0], GATEWAY_RANGE, 200,
		       "{\"header\":{\"cluster_id\":\"3\",\"revision\":\"4\"}}");
	bench_start(&bench);
	expect_all(&bench, "away since 1000000: 0: pages of keys come from different clusters;",
		   ";");
}

Test(etcd, shows_changes)
{
	BENCH_INIT(bench_reach);

	gateway_send(bench.gateways[0],
		     "{\"result\":{" GATEWAY_HEADER ",\"events\":[{\"kv\":{\"key\":\"" KEY_A
		     "\",\"mod_revision\":\"5\",\"value\":\"" VALUE_A
		     "\"}}]}}\n{\"result\":{" GATEWAY_HEADER
		     ",\"events\":[{\"type\":\"DELETE\",\"kv\":{\"key\":\"" KEY_A
		     "\",\"mod_revision\":\"6\"}}]}}\n");
	expect_all(&bench, "put a=A@5;delete a@6;", "delete");
}

Test(etcd, changes_have_outcomes)
{
	BENCH_INIT(bench_reach);
	Gateway *gateway = bench.gateways[0];

	cr_assert(etcd_put(bench.etcd, "a", "A", true, on_done, &bench));
	cr_assert_str_eq(bench.told, "", "the caller hears of it later");
	expect_all(&bench, "done@4;", "done");
	cr_assert_str_eq(gateway_last(gateway, GATEWAY_PUT),
			 "{\"key\":\"" KEY_A "\",\"value\":\"" VALUE_A "\",\"lease\":\"77\"}");
	cr_assert(etcd_put(bench.etcd, "a", "A", false, on_done, &bench));
	expect_all(&bench, "done@4;", "done");
	cr_assert_str_eq(gateway_last(gateway, GATEWAY_PUT),
			 "{\"key\":\"" KEY_A "\",\"value\":\"" VALUE_A "\"}");
	cr_assert(etcd_delete(bench.etcd, "a", on_done, &bench));
	expect_all(&bench, "done@4;", "done");
	cr_assert(etcd_swap(bench.etcd, "a", 3, "A", NULL, on_done, &bench));
	expect_all(&bench, "done@4;", "done");
	const EtcdGuard guard = { .leased = "a" };
	cr_assert(etcd_swap(bench.etcd, "a", 3, "A", &guard, on_done, &bench));
	expect_all(&bench, "done@4;", "done");
	cr_assert_not_null(strstr(gateway_last(gateway, GATEWAY_TXN),
				  "{\"key\":\"" KEY_A "\",\"target\":\"LEASE\","
				  "\"result\":\"EQUAL\",\"lease\":\"77\"}"),
			   "a guard compares the present lease");
	gateway_script(gateway, GATEWAY_TXN, 200, "{" GATEWAY_HEADER "}");
	cr_assert(etcd_swap(bench.etcd, "a", 3, NULL, NULL, on_done, &bench));
	expect_all(&bench, "lost: the key has changed in the meantime;", "lost");
}

Test(etcd, changes_keep_their_order)
{
	BENCH_INIT(bench_reach);

	gateway_script(bench.gateways[0], GATEWAY_PUT, 400, "{\"message\":\"first\"}");
	gateway_script(bench.gateways[0], GATEWAY_PUT, 400, "{\"message\":\"second\"}");
	gateway_script(bench.gateways[0], GATEWAY_PUT, 400, "{\"message\":\"third\"}");
	for (size_t i = 0; i < 3; i++)
		cr_assert(etcd_put(bench.etcd, "a", "A", false, on_done, &bench));
	expect_all(&bench,
		   "failed: HTTP 400, first;failed: HTTP 400, second;failed: HTTP 400, third;",
		   "third");
	cr_assert(etcd_is_reached(bench.etcd), "a refused change is no reason for a break");
}

static void put_leased(Bench *bench, const char *key)
{
	cr_assert(etcd_put(bench->etcd, key, "A", true, on_done, bench));
}

#define LEASED_PUT(key) \
	"{\"request_put\":{\"key\":\"" key "\",\"value\":\"" VALUE_A "\",\"lease\":\"77\"}}"

Test(etcd, leased_puts_that_wait_together_are_one_request)
{
	BENCH_INIT(bench_reach);

	put_leased(&bench, "a");
	put_leased(&bench, "b");
	put_leased(&bench, "a");
	expect_all(&bench, "done@4;done@4;done@4;", "done@4;done@4;done@4;");
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_TXN), 1u);
	cr_assert_str_eq(gateway_last(bench.gateways[0], GATEWAY_TXN),
			 "{\"success\":[" LEASED_PUT(KEY_A) "," LEASED_PUT(KEY_B) "]}");
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_PUT), 1u,
		     "etcd refuses a request with a key twice");
}

Test(etcd, a_refused_request_with_several_puts_fails_them_all)
{
	BENCH_INIT(bench_reach);

	gateway_script(bench.gateways[0], GATEWAY_TXN, 404, "{\"message\":\"no lease\"}");
	put_leased(&bench, "a");
	put_leased(&bench, "b");
	expect_all(&bench,
		   "no lease: the lease has expired in etcd;"
		   "failed: HTTP 404, no lease;failed: HTTP 404, no lease;lease;",
		   ";lease;");
}

Test(etcd, several_puts_without_an_answer_are_all_unknown)
{
	BENCH_INIT(bench_reach);

	gateway_script_silence(bench.gateways[0], GATEWAY_TXN);
	put_leased(&bench, "a");
	put_leased(&bench, "b");
	cr_assert(etcd_delete(bench.etcd, "c", on_done, &bench));
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_TXN) == 1);
	bench.etcd->lease.due_at = INT64_MAX; /* no keepalive meanwhile */
	pass(&bench, 2 * ETCD_PATIENCE);
	expect_all(&bench,
		   "away since 1000000: 0: no answer;unknown: no answer;unknown: no answer;"
		   "failed: no answer;",
		   "failed");
}

Test(etcd, many_and_long_puts_are_several_requests)
{
	BENCH_INIT(bench_reach);
	size_t size = 65000;
	_cleanup_free_ char *value = malloc(size + 1);
	char key[8];

	memset(value, 'x', size);
	value[size] = '\0';
	for (size_t i = 0; i < 9; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		cr_assert(etcd_put(bench.etcd, key, value, true, NULL, NULL));
	}
	for (size_t i = 10; i < 10 + 64; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		cr_assert(etcd_put(bench.etcd, key, "", true, NULL, NULL));
	}
	cr_assert(etcd_delete(bench.etcd, "last", on_done, &bench));
	expect_all(&bench, "done@4;", "done");
	/* Four and four long ones, the ninth with 63 others, and the last alone. */
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_TXN), 3u);
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_PUT), 1u);
}

Test(etcd, a_full_host_publishes_all_its_keys_at_once)
{
	BENCH_INIT(bench_reach);
	const EtcdStatistics *statistics = etcd_statistics(bench.etcd);
	char key[32];

	/* Each VM has a key with the lease, and one that is claimed. */
	for (size_t i = 0; i < FLEET_ENTRIES_PER_HOST_MAX; i++) {
		snprintf(key, sizeof(key), "vms/%zu", i);
		cr_assert(etcd_put(bench.etcd, key, "A", true, NULL, NULL));
	}
	for (size_t i = 0; i < FLEET_ENTRIES_PER_HOST_MAX; i++) {
		snprintf(key, sizeof(key), "where/%zu", i);
		cr_assert(etcd_swap(bench.etcd, key, 0, "A", NULL, NULL, NULL));
	}
	run_until(&bench, statistics->changes[ETCD_PUT][ETCD_DONE] +
					  statistics->changes[ETCD_PUT][ETCD_FAILED] ==
				  FLEET_ENTRIES_PER_HOST_MAX);
	cr_assert_eq(statistics->changes[ETCD_PUT][ETCD_DONE], FLEET_ENTRIES_PER_HOST_MAX);
	cr_assert_eq(statistics->changes[ETCD_SWAP][ETCD_FAILED], 0u);
}

Test(etcd, too_many_changes_are_refused)
{
	BENCH_INIT(bench_reach);

	for (size_t i = 0; i < ETCD_CHANGES_MAX; i++)
		cr_assert(etcd_put(bench.etcd, "a", "A", false, NULL, NULL));
	cr_assert(etcd_put(bench.etcd, "a", "A", false, on_done, &bench));
	expect_all(&bench, "failed: too many changes are in progress;", "failed");
}

Test(etcd, changes_fail_while_etcd_is_away)
{
	BENCH_INIT(bench_init);

	bench_start(&bench);
	cr_assert(etcd_put(bench.etcd, "a", "A", false, on_done, &bench));
	cr_assert_str_eq(bench.told, "");
	run_until(&bench, has_told(&bench, "failed"));
	cr_assert(has_told(&bench, "failed: etcd is not reached;"));
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_PUT), 0u);
}

Test(etcd, a_full_etcd_is_shown_and_grants_no_lease)
{
	BENCH_INIT(bench_init);
	Gateway *gateway = bench.gateways[0];

	gateway_script(gateway, GATEWAY_GRANT, 429, "{\"message\":\"etcdserver: no space\"}");
	gateway_script(gateway, GATEWAY_GRANT, 429, "{\"message\":\"etcdserver: no space\"}");
	bench_start(&bench);
	expect_all(&bench, "snapshot@4;reached;no lease: HTTP 429, etcdserver: no space;",
		   "no lease");
	cr_assert(etcd_put(bench.etcd, "a", "A", true, on_done, &bench));
	expect_all(&bench, "failed: there is no lease;", "failed");
	cr_assert(etcd_swap(bench.etcd, "a", 0, "A", NULL, on_done, &bench));
	expect_all(&bench, "failed: there is no lease;", ";");
	cr_assert_eq(gateway_count(gateway, GATEWAY_TXN), 0u);
	cr_assert(etcd_put(bench.etcd, "a", "A", false, on_done, &bench));
	expect_all(&bench, "done@4;", "done");
	pass(&bench, 499);
	cr_assert_eq(gateway_count(gateway, GATEWAY_GRANT), 1u);
	pass(&bench, 1);
	run_until(&bench, gateway_count(gateway, GATEWAY_GRANT) == 2 &&
				  !exchange_runs(&bench.etcd->lease.exchange));
	pass(&bench, 1000);
	expect_all(&bench, "lease;", "lease");
}

#define STATUS_WITH(errors) "{" GATEWAY_HEADER ",\"errors\":[" errors "]}"
#define NOSPACE             "\"memberID:2 alarm:NOSPACE \""

/* Waits until the answer to the question has been read. */
static void await_status(Bench *bench, size_t number)
{
	Exchange *question = &bench->etcd->alarms.exchange;

	run_until(bench, gateway_count(bench->gateways[0], GATEWAY_STATUS) == number &&
				 !exchange_runs(question));
}

Test(etcd, an_alarm_is_told_when_it_begins_and_ends)
{
	BENCH_INIT(bench_reach);

	await_status(&bench, 1);
	cr_assert_str_eq(gateway_last(bench.gateways[0], GATEWAY_STATUS), "{}");
	gateway_script(bench.gateways[0], GATEWAY_STATUS, 200, STATUS_WITH(NOSPACE));
	gateway_script(bench.gateways[0], GATEWAY_STATUS, 200,
		       STATUS_WITH("\"etcdserver: no leader\"," NOSPACE));
	pass(&bench, 4999);
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_STATUS), 1u);
	pass(&bench, 1);
	expect_all(&bench, "alarm NOSPACE since 1000000;", "alarm");
	pass(&bench, 5000);
	await_status(&bench, 3);
	cr_assert_str_eq(bench.told, "", "it is told once");
	pass(&bench, 5000);
	expect_all(&bench, "no alarm;", "no alarm");
}

/* Then it gives no lease either, so the question must not depend on one. */
Test(etcd, an_etcd_that_is_full_from_the_start_has_its_alarm)
{
	BENCH_INIT(bench_init);

	gateway_script(bench.gateways[0], GATEWAY_GRANT, 429, "{\"error\":\"full\"}");
	gateway_script(bench.gateways[0], GATEWAY_STATUS, 200, STATUS_WITH(NOSPACE));
	bench_start(&bench);
	expect(&bench, "alarm NOSPACE since 0;");
}

Test(etcd, a_status_that_says_nothing_changes_nothing)
{
	static const struct {
		int status;
		const char *body;
	} rows[] = {
		{ 404, "" },
		{ 200, "<html>" },
		{ 200, "{}" },
		{ 200, "{" GATEWAY_HEADER ",\"errors\":\"alarm:CORRUPT \"}" },
		{ 503, STATUS_WITH("") },
	};
	BENCH_INIT(bench_init);

	gateway_script(bench.gateways[0], GATEWAY_STATUS, 200, STATUS_WITH(NOSPACE));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		gateway_script(bench.gateways[0], GATEWAY_STATUS, rows[i].status, rows[i].body);
	bench_start(&bench);
	expect(&bench, "alarm");
	run_until(&bench, etcd_has_lease(bench.etcd));
	bench.told[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pass(&bench, 5000);
		await_status(&bench, i + 2);
		run_until(&bench, !exchange_runs(&bench.etcd->lease.exchange));
		cr_assert_str_eq(bench.told, "", "%d %s", rows[i].status, rows[i].body);
	}
	pass(&bench, 5000);
	expect_all(&bench, "no alarm;", "no alarm");
}

/* The alarm is one of all members, so it lasts until one of them says that it has ended. */
Test(etcd, an_alarm_outlasts_a_break)
{
	BENCH_INIT(bench_init);

	gateway_script(bench.gateways[0], GATEWAY_STATUS, 200, STATUS_WITH(NOSPACE));
	bench_start(&bench);
	expect(&bench, "alarm");
	run_until(&bench, etcd_has_lease(bench.etcd));
	bench.told[0] = '\0';
	gateway_script_silence(bench.gateways[1], GATEWAY_STATUS);
	gateway_end_watches(bench.gateways[0]);
	expect(&bench, "away");
	pass(&bench, 10000);
	expect_all(&bench, "snapshot@4;reached;alarm NOSPACE since 0;", "alarm");
	run_until(&bench, gateway_count(bench.gateways[1], GATEWAY_STATUS) == 1);
	cr_assert_not(has_told(&bench, "no alarm"));
	gateway_end_watches(bench.gateways[1]);
	expect(&bench, "away");
	pass(&bench, 10000);
	expect(&bench, "no alarm;");
}

Test(etcd, an_expired_lease_is_replaced)
{
	BENCH_INIT(bench_reach);

	gateway_script(bench.gateways[0], GATEWAY_KEEPALIVE, 200,
		       "{\"result\":{" GATEWAY_HEADER ",\"ID\":\"77\"}}");
	pass(&bench, 5000);
	expect_all(&bench, "no lease: the lease has expired in etcd;lease;", "etcd;lease;");
	cr_assert_str_eq(gateway_last(bench.gateways[0], GATEWAY_KEEPALIVE), "{\"ID\":\"77\"}");
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_GRANT), 2u);
}

Test(etcd, a_put_with_an_expired_lease_fails)
{
	BENCH_INIT(bench_reach);

	gateway_script(bench.gateways[0], GATEWAY_PUT, 404,
		       "{\"error\":\"etcdserver: requested lease not found\",\"code\":5}");
	cr_assert(etcd_put(bench.etcd, "a", "A", true, on_done, &bench));
	expect_all(&bench,
		   "no lease: the lease has expired in etcd;"
		   "failed: HTTP 404, etcdserver: requested lease not found;lease;",
		   ";lease;");
}

Test(etcd, a_lease_is_kept_alive_three_times_in_its_ttl)
{
	BENCH_INIT(bench_reach);

	for (size_t i = 1; i <= 5; i++) {
		pass(&bench, 4999);
		cr_assert(!exchange_runs(&bench.etcd->lease.exchange));
		pass(&bench, 1);
		run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_KEEPALIVE) == i &&
					  !exchange_runs(&bench.etcd->lease.exchange));
	}
	cr_assert_str_eq(bench.told, "");
	cr_assert(etcd_has_lease(bench.etcd));
}

Test(etcd, a_lease_is_lost_a_ttl_after_its_last_keepalive_was_sent)
{
	BENCH_INIT(bench_reach);

	pass(&bench, 5000);
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_KEEPALIVE) == 1);
	bench.time += 2000; /* the answer takes so long */
	run_until(&bench, !exchange_runs(&bench.etcd->lease.exchange));
	gateway_fall_silent(bench.gateways[0]);
	gateway_fall_silent(bench.gateways[1]);
	gateway_end_watches(bench.gateways[0]);
	expect(&bench, "away");
	pass(&bench, 12999);
	cr_assert(etcd_has_lease(bench.etcd));
	cr_assert(!has_told(&bench, "no lease"));
	pass(&bench, 1);
	cr_assert_not(etcd_has_lease(bench.etcd));
	cr_assert(has_told(
		&bench, "no lease: the lease has ended, because it was not kept alive in time;"));
}

Test(etcd, a_host_that_was_suspended_swaps_nothing)
{
	BENCH_INIT(bench_reach);

	cr_assert(etcd_swap(bench.etcd, "a", 0, "A", NULL, on_done, &bench));
	bench.time += 15000;
	run_until(&bench, has_told(&bench, "failed") || has_told(&bench, "done"));
	cr_assert(has_told(&bench, "failed: there is no lease;"));
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_TXN), 0u);
}

Test(etcd, what_a_suspended_host_shows_is_old)
{
	BENCH_INIT(bench_reach);

	bench.time += 14999;
	etcd_check(bench.etcd);
	cr_assert_str_eq(bench.told, "");
	bench.time++;
	etcd_check(bench.etcd);
	cr_assert_str_eq(bench.told, "away since 1000000: 0: no answer for the time of a lease;");
	cr_assert_not(etcd_is_reached(bench.etcd));
	pass(&bench, 50);
	expect(&bench, "snapshot@4;reached;");
}

Test(etcd, an_answer_after_the_end_of_a_lease_comes_too_late)
{
	BENCH_INIT(bench_reach);

	pass(&bench, 5000);
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_KEEPALIVE) == 1);
	bench.time += 10000; /* a host that was suspended */
	expect_all(&bench,
		   "no lease: the lease has ended, because it was not kept alive in time;lease;",
		   ";lease;");
}

Test(etcd, a_silent_endpoint_is_left_before_the_lease_ends)
{
	BENCH_INIT(bench_reach);

	gateway_fall_silent(bench.gateways[0]);
	pass(&bench, 5000);
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_KEEPALIVE) == 1);
	pass(&bench, 3000);
	cr_assert_str_eq(bench.told, "away since 1000000: 0: no answer;");
	pass(&bench, 50);
	expect(&bench, "snapshot@4;reached;");
	run_until(&bench, gateway_count(bench.gateways[1], GATEWAY_KEEPALIVE) == 1);
	run_until(&bench, !exchange_runs(&bench.etcd->lease.exchange));
	cr_assert_str_eq(bench.told, "", "the lease goes on");
	cr_assert_eq(gateway_count(bench.gateways[1], GATEWAY_GRANT), 0u);
	cr_assert_eq(bench.etcd->lease.ends_at, bench.time + 15000);
}

Test(etcd, failures_of_the_past_do_not_delay_the_next_endpoint)
{
	BENCH_INIT(bench_reach);

	bench.etcd->endpoints.failures = 4; /* as at a start before the network */
	gateway_fall_silent(bench.gateways[0]);
	pass(&bench, 5000);
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_KEEPALIVE) == 1);
	pass(&bench, 3000);
	cr_assert_str_eq(bench.told, "away since 1000000: 0: no answer;");
	pass(&bench, 50);
	expect(&bench, "snapshot@4;reached;");
	run_until(&bench, gateway_count(bench.gateways[1], GATEWAY_KEEPALIVE) == 1);
	run_until(&bench, !exchange_runs(&bench.etcd->lease.exchange));
	cr_assert_str_eq(bench.told, "", "the lease goes on");
}

Test(etcd, a_patient_keepalive_leaves_half_of_the_lease_to_the_next_endpoint)
{
	BENCH_INIT(bench_reach);
	const Exchange *exchange = &bench.etcd->lease.exchange;

	bench.etcd->endpoints.failures = 4; /* of a moment ago */
	gateway_fall_silent(bench.gateways[0]);
	bench.etcd->lease.due_at = bench.time + 4999;
	pass(&bench, 4999);
	cr_assert(exchange_runs(exchange));
	cr_assert_eq(exchange->deadline, bench.time + 5000, "of 12000 after 4 failures");
	pass(&bench, 5000);
	cr_assert(has_told(&bench, "away"));
	cr_assert(etcd_has_lease(bench.etcd));
}

Test(etcd, an_endpoint_that_is_silent_from_the_start_is_left)
{
	BENCH_INIT(bench_init);

	gateway_fall_silent(bench.gateways[0]);
	bench_start(&bench);
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_RANGE) == 1);
	pass(&bench, ETCD_PATIENCE);
	pass(&bench, 50);
	expect_all(&bench, "away since 1000000: 0: no answer;" REACHED, "lease");
	cr_assert_eq(gateway_count(bench.gateways[1], GATEWAY_RANGE), 1u);
}

Test(etcd, a_list_goes_on_while_a_keepalive_gets_no_answer)
{
	BENCH_INIT(bench_reach);
	const Gateway *next = bench.gateways[1];

	gateway_fall_silent(bench.gateways[1]);
	gateway_end_watches(bench.gateways[0]);
	expect(&bench, "away");
	pass(&bench, 50);
	run_until(&bench, gateway_count(next, GATEWAY_RANGE) == 1 &&
				  gateway_count(next, GATEWAY_KEEPALIVE) == 1);
	pass(&bench, 3000);
	cr_assert_str_eq(bench.told, "", "a slow keepalive does not end the list");
	pass(&bench, 500);
	run_until(&bench, gateway_count(next, GATEWAY_KEEPALIVE) == 2);
	pass(&bench, 1500);
	cr_assert_str_eq(bench.told, "away since 1000000: 1: no answer;");
	cr_assert_eq(gateway_count(next, GATEWAY_RANGE), 1u);
}

Test(etcd, patience_grows_while_all_endpoints_fail)
{
	BENCH_INIT(bench_init);

	gateway_fall_silent(bench.gateways[0]);
	gateway_fall_silent(bench.gateways[1]);
	bench_start(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(bench.gateways); i++) {
		run_until(&bench, gateway_count(bench.gateways[i], GATEWAY_RANGE) == 1);
		pass(&bench, ETCD_PATIENCE);
		expect(&bench, "away");
		pass(&bench, 250);
	}
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_RANGE) == 2);
	pass(&bench, 2 * ETCD_PATIENCE - 1);
	cr_assert(exchange_runs(&bench.etcd->view.list));
	pass(&bench, 1);
	cr_assert(!exchange_runs(&bench.etcd->view.list));
	bench.etcd->endpoints.failures = UINT32_MAX;
	cr_assert_eq(endpoints_patience(&bench.etcd->endpoints, 5000), 20000);
	endpoints_forget(&bench.etcd->endpoints);
	cr_assert_eq(endpoints_patience(&bench.etcd->endpoints, 5000), 5000);
}

Test(etcd, a_watch_that_does_not_begin_is_left)
{
	BENCH_INIT(bench_init);

	gateway_script(bench.gateways[0], GATEWAY_WATCH, 200, "");
	bench_start(&bench);
	run_until(&bench, gateway_watches(bench.gateways[0]) == 1);
	cr_assert_str_eq(bench.told, "");
	pass(&bench, ETCD_PATIENCE);
	cr_assert_str_eq(bench.told, "away since 1000000: 0: no answer;");
}

Test(etcd, the_same_failure_is_told_once)
{
	BENCH_INIT(bench_init);

	for (size_t i = 0; i < 3; i++) {
		gateway_script(bench.gateways[0], GATEWAY_RANGE, 503,
			       "{\"message\":\"no quorum\"}");
		gateway_script(bench.gateways[1], GATEWAY_RANGE, 503, "{}");
	}
	bench_start(&bench);
	for (size_t i = 1; i <= 3; i++) {
		run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_RANGE) == i &&
					  !etcd_is_connected(bench.etcd));
		pass(&bench, 10000);
		run_until(&bench, gateway_count(bench.gateways[1], GATEWAY_RANGE) == i &&
					  !etcd_is_connected(bench.etcd));
		pass(&bench, 10000);
	}
	expect_all(&bench,
		   "away since 1000000: 0: HTTP 503, no quorum;away since 1000000: 1: HTTP "
		   "503;" REACHED,
		   "lease");
}

Test(etcd, a_change_without_a_quorum_is_unknown)
{
	BENCH_INIT(bench_reach);

	gateway_script(bench.gateways[0], GATEWAY_PUT, 500,
		       "{\"message\":\"etcdserver: request timed out\"}");
	cr_assert(etcd_put(bench.etcd, "a", "A", false, on_done, &bench));
	cr_assert(etcd_put(bench.etcd, "b", "B", false, on_done, &bench));
	expect_all(&bench,
		   "away since 1000000: 0: HTTP 500, etcdserver: request timed out;"
		   "unknown: HTTP 500, etcdserver: request timed out;"
		   "failed: HTTP 500, etcdserver: request timed out;",
		   "failed");
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_PUT), 1u);
}

Test(etcd, a_change_without_an_answer_is_unknown)
{
	BENCH_INIT(bench_reach);

	gateway_script_silence(bench.gateways[0], GATEWAY_TXN);
	cr_assert(etcd_swap(bench.etcd, "a", 0, "A", NULL, on_done, &bench));
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_TXN) == 1);
	pass(&bench, 5000);
	run_until(&bench, gateway_count(bench.gateways[0], GATEWAY_KEEPALIVE) == 1 &&
				  !exchange_runs(&bench.etcd->lease.exchange));
	pass(&bench, 4999);
	cr_assert_str_eq(bench.told, "");
	pass(&bench, 1);
	expect_all(&bench, "away since 1005000: 0: no answer;unknown: no answer;", "unknown");
}

Test(etcd, an_answer_that_is_no_answer_leaves_a_change_unknown)
{
	BENCH_INIT(bench_reach);

	gateway_script(bench.gateways[0], GATEWAY_PUT, 200, "<html>");
	cr_assert(etcd_put(bench.etcd, "a", "A", false, on_done, &bench));
	expect_all(&bench,
		   "away since 1000000: 0: the answer is not JSON;unknown: the answer is not JSON;",
		   "unknown");
}

Test(etcd, a_swap_is_never_sent_twice)
{
	BENCH_INIT(bench_reach);

	/* libcurl repeats a request that fails on a connection that was used before. */
	gateway_script_hang_up(bench.gateways[0], GATEWAY_TXN);
	cr_assert(etcd_swap(bench.etcd, "a", 0, "A", NULL, on_done, &bench));
	run_until(&bench, has_told(&bench, "unknown") || has_told(&bench, "done"));
	cr_assert(has_told(&bench, "unknown"));
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_TXN), 1u);
}

static size_t count_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(fds))
		count++;
	closedir(fds);
	return count;
}

Test(etcd, swaps_leave_no_connections_behind)
{
	BENCH_INIT(bench_reach);
	size_t before = count_fds();

	for (size_t i = 0; i < 20; i++) {
		cr_assert(etcd_swap(bench.etcd, "a", 0, "A", NULL, on_done, &bench));
		expect(&bench, "done@4;");
	}
	/* The gateway is in this process, too, and closes its ends in turns of the loop. */
	for (size_t i = 0; i < 100 && count_fds() > before + 4; i++)
		event_base_loop(bench.base, EVLOOP_NONBLOCK);
	cr_assert_leq(count_fds(), before + 4);
}

Test(etcd, a_compaction_lists_again)
{
	BENCH_INIT(bench_reach);

	gateway_send(bench.gateways[0], "{\"result\":{" GATEWAY_HEADER
					",\"canceled\":true,\"compact_revision\":\"9\"}}\n");
	expect_all(&bench,
		   "away since 1000000: 0: the watch fell behind a compaction; all keys are listed "
		   "again;",
		   "away");
	pass(&bench, 50);
	expect_all(&bench, "snapshot@4;reached;", "reached");
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_RANGE), 2u, "on the same endpoint");
}

Test(etcd, an_endpoint_without_a_leader_is_left)
{
	BENCH_INIT(bench_reach);

	gateway_send(bench.gateways[0],
		     "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":"
		     "\"etcdserver: no leader\"}}\n");
	expect_all(&bench, "away since 1000000: 0: the watch has ended: etcdserver: no leader;",
		   "away");
	pass(&bench, 50);
	expect_all(&bench, "snapshot@4;reached;", "reached");
	cr_assert_eq(gateway_count(bench.gateways[1], GATEWAY_RANGE), 1u);
}

Test(etcd, a_watch_of_a_broken_server_ends_the_connection)
{
	static const struct {
		const char *sent, *why;
	} rows[] = {
		{ "<html>", "the watch sends what is not JSON, or more than a client can take" },
		{ "{}\n", "the answer is not one of a watch" },
		{ "{\"result\":{\"events\":[{\"kv\":{\"key\":\"x\"}}]}}",
		  "a key or value is not in base64" },
		{ "{\"result\":{\"canceled\":true}}", "the watch has ended: no reason was given" },
	};
	BENCH_INIT(bench_init);
	char expected[256];

	bench_start(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_until(&bench, gateway_watches(bench.gateways[i % 2]) == 1 &&
					  etcd_is_reached(bench.etcd) &&
					  etcd_has_lease(bench.etcd));
		bench.told[0] = '\0';
		gateway_send(bench.gateways[i % 2], rows[i].sent);
		snprintf(expected, sizeof(expected), "away since %lld: %zu: %s;",
			 (long long)bench.time, i % 2, rows[i].why);
		expect_all(&bench, expected, "away");
		pass(&bench, 10000);
	}
}

Test(etcd, an_endless_value_of_a_watch_ends_the_connection)
{
	BENCH_INIT(bench_reach);
	char *block = malloc(65537);

	memset(block, 'x', 65536);
	block[0] = '"';
	block[65536] = '\0';
	for (size_t i = 0; i < 8 * MESSAGE_SIZE_MAX / 65536 && !has_told(&bench, "away"); i++) {
		gateway_send(bench.gateways[0], block);
		block[0] = 'x';
		event_base_loop(bench.base, EVLOOP_NONBLOCK);
	}
	free(block);
	run_until(&bench, has_told(&bench, "away"));
	cr_assert(has_told(&bench, "more than a client can take") ||
		  has_told(&bench, "the answer is too long"));
}

Test(etcd, a_long_page_is_asked_for_in_parts)
{
	BENCH_INIT(bench_init);
	char *body = malloc(MESSAGE_SIZE_MAX + 2);

	memset(body, ' ', MESSAGE_SIZE_MAX + 1);
	body[MESSAGE_SIZE_MAX + 1] = '\0';
	gateway_script(bench.gateways[0], GATEWAY_RANGE, 200, body);
	free(body);
	bench_start(&bench);
	expect(&bench, REACHED);
	cr_assert_str_eq(gateway_last(bench.gateways[0], GATEWAY_RANGE),
			 "{\"key\":\"L3Yv\",\"range_end\":\"L3Yw\",\"limit\":\"512\"}");
}

Test(etcd, a_list_without_an_end_is_left)
{
	BENCH_INIT(bench_init);

	for (size_t i = 0; i < 2; i++)
		gateway_script(bench.gateways[0], GATEWAY_RANGE, 200,
			       "{" GATEWAY_HEADER ",\"kvs\":[{\"key\":\"" KEY_A
			       "\"}],\"more\":true}");
	bench_start(&bench);
	expect_all(&bench, "away since 1000000: 0: a page of keys repeats the one before;", "away");
}

Test(etcd, a_refused_connection_leads_to_the_next_endpoint)
{
	BENCH_INIT(bench_init);

	gateway_close(bench.gateways[0]);
	bench_start(&bench);
	expect_all(&bench, "away since 1000000: 0: Couldn't connect to server;", "away");
	pass(&bench, 50);
	expect_all(&bench, REACHED, "lease");
}

/* Another start gets a lease of its own, and takes over the keys. */
Test(etcd, the_end_leaves_the_lease_to_run_out)
{
	BENCH_INIT(bench_reach);

	/* The gateway runs in this thread, so it would answer only afterwards. */
	etcd_free(TAKE_POINTER(bench.etcd));
	bench.told[0] = '\0';
	bench_start(&bench);
	expect_all(&bench, REACHED, "lease;");
	cr_assert_eq(gateway_count(bench.gateways[0], GATEWAY_REVOKE), 0u);
}

Test(etcd, pauses_grow_and_are_random)
{
	static const char *const urls[] = { "http://a/", "http://b", "http://c" };
	static const int64_t longest[] = { 100, 100, 250, 500, 1000, 2000, 4000, 5000, 5000 };
	Bench bench = { 0 };
	EtcdClock clock = { .now = bench_now, .random = bench_random, .context = &bench };
	Endpoints endpoints;

	cr_assert(endpoints_init(&endpoints, urls, ARRAY_SIZE(urls), &clock));
	cr_assert_str_eq(endpoints_current(&endpoints), "http://a");
	for (size_t i = 0; i < ARRAY_SIZE(longest); i++) {
		Endpoints copy = endpoints;

		clock.random = bench_random;
		cr_assert_eq(endpoints_pause(&copy, &clock), longest[i] / 2);
		clock.random = bench_random_high;
		cr_assert_leq(endpoints_pause(&endpoints, &clock), longest[i]);
	}
	endpoints.failures = UINT32_MAX - 1;
	cr_assert_leq(endpoints_pause(&endpoints, &clock), 5000);
	endpoints_deinit(&endpoints);
}

Test(etcd, what_was_done_is_counted)
{
	BENCH_INIT(bench_reach);
	const EtcdStatistics *statistics = etcd_statistics(bench.etcd);

	cr_assert_eq(statistics->reached, 1);
	cr_assert_eq(statistics->lists, 1);
	cr_assert_eq(statistics->leases, 1);
	cr_assert(etcd_put(bench.etcd, "a", "A", true, on_done, &bench));
	expect(&bench, "done@4;");
	cr_assert(etcd_delete(bench.etcd, "a", on_done, &bench));
	expect(&bench, "done@4;");
	gateway_script(bench.gateways[0], GATEWAY_TXN, 200, "{" GATEWAY_HEADER "}");
	cr_assert(etcd_swap(bench.etcd, "a", 3, NULL, NULL, on_done, &bench));
	expect(&bench, "lost");
	cr_assert_eq(statistics->changes[ETCD_PUT][ETCD_DONE], 1);
	cr_assert_eq(statistics->changes[ETCD_DELETE][ETCD_DONE], 1);
	cr_assert_eq(statistics->changes[ETCD_SWAP][ETCD_LOST], 1);
	cr_assert_eq(statistics->changes[ETCD_SWAP][ETCD_DONE], 0);
	gateway_send(bench.gateways[0],
		     "{\"result\":{" GATEWAY_HEADER ",\"events\":[{\"kv\":{\"key\":\"" KEY_A
		     "\",\"mod_revision\":\"5\"}}]}}\n");
	expect(&bench, "put a=");
	cr_assert_eq(statistics->events, 1);
	pass(&bench, 5000);
	run_until(&bench, statistics->keepalives == 1);
	gateway_script(bench.gateways[0], GATEWAY_KEEPALIVE, 200,
		       "{\"result\":{" GATEWAY_HEADER ",\"ID\":\"77\"}}");
	pass(&bench, 5000);
	expect(&bench, "no lease: the lease has expired in etcd;");
	cr_assert_eq(statistics->lost, 1);
	cr_assert_eq(statistics->keepalives, 1, "one for an expired lease does not count");
	cr_assert_eq(statistics->breaks, 0);
	gateway_end_watches(bench.gateways[0]);
	expect(&bench, "away");
	cr_assert_eq(statistics->breaks, 1);
}
