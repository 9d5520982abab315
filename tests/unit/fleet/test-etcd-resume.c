/* SPDX-License-Identifier: MIT */
/*
 * How the client of etcd goes on after a break of its watch: it shows what it has missed, and lists
 * the keys only if it must. Each test has two gateways; the client goes to the second one after the
 * break, and has listed the key "a" of revision 3 before.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/fleet/etcd-bench.h"

TestSuite(etcd_resume);

#define PUT(key, revision)                                                                         \
	"{\"kv\":{\"key\":\"" key "\",\"value\":\"" VALUE_A "\",\"mod_revision\":\"" revision "\"" \
	"}}"
#define DELETE(key, revision) \
	"{\"type\":\"DELETE\",\"kv\":{\"key\":\"" key "\",\"mod_revision\":\"" revision "\"}}"
#define HEADER(cluster, revision) \
	"\"header\":{\"cluster_id\":\"" cluster "\",\"revision\":\"" revision "\"}"
#define KEY_OF(cluster, revision, key_revision)                                               \
	"{" HEADER(cluster, revision) ",\"kvs\":[{\"key\":\"" KEY_A "\",\"value\":\"" VALUE_A \
				      "\",\"mod_revision\":\"" key_revision "\"}]}"
#define CREATED(cluster, revision) "{\"result\":{" HEADER(cluster, revision) ",\"created\":true}}\n"
#define EVENTS(events)             "{\"result\":{" GATEWAY_HEADER ",\"events\":[" events "]}}\n"
#define FRAGMENT(events) \
	"{\"result\":{" GATEWAY_HEADER ",\"fragment\":true,\"events\":[" events "]}}\n"

#define LISTED "snapshot@4 a=A@3/0;reached;"

static void bench_list(Bench *bench)
{
	bench_init(bench);
	gateway_script(bench->gateways[0], GATEWAY_RANGE, 200, KEY_OF("1", "4", "3"));
	bench_start(bench);
	expect_all(bench, LISTED "lease;", "lease;");
}

/* Ends the watch, and lets the client try the next endpoint. */
static void break_off(Bench *bench)
{
	size_t at = bench->etcd->endpoints.current;

	gateway_end_watches(bench->gateways[at]);
	expect(bench, "away");
	pass(bench, 10000);
}

/* Breaks off, and plays an etcd that answers what the client asks for first. */
static void resume(Bench *bench, const char *mark, const char *watch)
{
	gateway_script(bench->gateways[1], GATEWAY_RANGE, 200, mark);
	gateway_script(bench->gateways[1], GATEWAY_WATCH, 200, watch);
	break_off(bench);
}

Test(etcd_resume, a_break_lists_nothing)
{
	BENCH_INIT(bench_list);

	resume(&bench, KEY_OF("1", "6", "3"), CREATED("1", "6"));
	run_until(&bench, gateway_watches(bench.gateways[1]) == 1 && bench.etcd->view.stands);
	cr_assert_str_eq(gateway_last(bench.gateways[1], GATEWAY_RANGE),
			 "{\"key\":\"" KEY_A "\",\"revision\":\"3\"}");
	cr_assert_not_null(
		strstr(gateway_last(bench.gateways[1], GATEWAY_WATCH), "\"start_revision\":\"3\""));
	cr_assert_str_eq(bench.told, "", "what it shows is not current before it shows the rest");
	gateway_send(bench.gateways[1],
		     EVENTS(PUT(KEY_A, "3") "," PUT(KEY_B, "5") "," DELETE(KEY_A, "6")));
	expect_all(&bench, "put b=A@5;delete a@6;reached;", "reached;");
	cr_assert_eq(gateway_count(bench.gateways[1], GATEWAY_RANGE), 1u);
	cr_assert_eq(etcd_statistics(bench.etcd)->lists, 1);
	cr_assert_eq(etcd_statistics(bench.etcd)->events, 2);
	/* The next break goes on from there. The mark is the last put. */
	gateway_script(bench.gateways[0], GATEWAY_RANGE, 200,
		       "{" HEADER("1", "7") ",\"kvs\":[{\"key\":\"" KEY_B "\",\"value\":\"" VALUE_A
					    "\",\"mod_revision\":\"5\"}]}");
	gateway_script(bench.gateways[0], GATEWAY_WATCH, 200,
		       CREATED("1", "7")
			       EVENTS(PUT(KEY_B, "5") "," DELETE(KEY_A, "6") "," PUT(KEY_A, "7")));
	break_off(&bench);
	expect_all(&bench, "put a=A@7;reached;", "reached;");
}

Test(etcd_resume, a_watch_is_followed_after_it)
{
	BENCH_INIT(bench_list);

	resume(&bench, KEY_OF("1", "4", "3"), CREATED("1", "4") EVENTS(PUT(KEY_A, "3")));
	expect_all(&bench, "reached;", "reached;");
	gateway_send(bench.gateways[1], EVENTS(PUT(KEY_B, "5")));
	expect_all(&bench, "put b=A@5;", "put");
}

/* Answers for the mark, or on the watch, after which the client has to list. */
static const struct {
	const char *name;
	int status; /* for the mark */
	const char *mark;
	const char *watch; /* NULL if it must not begin */
} reasons[] = {
	{ "compacted before", 400, "{\"message\":\"required revision has been compacted\"}", NULL },
	{ "a revision of the future", 400, "{\"message\":\"future revision\"}", NULL },
	{ "another cluster", 200, KEY_OF("2", "9", "3"), NULL },
	{ "an older revision", 200, KEY_OF("1", "3", "3"), NULL },
	{ "another history", 200, KEY_OF("1", "9", "2"), NULL },
	{ "no such key", 200, "{" HEADER("1", "9") "}", NULL },
	{ "compacted meanwhile", 200, KEY_OF("1", "9", "3"),
	  "{\"result\":{" GATEWAY_HEADER ",\"canceled\":true,\"compact_revision\":\"8\"}}\n" },
	{ "another cluster behind it", 200, KEY_OF("1", "9", "3"), CREATED("2", "9") },
	{ "a server that is behind", 200, KEY_OF("1", "9", "3"), CREATED("1", "8") },
};

Test(etcd_resume, keys_are_listed_if_they_must)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		BENCH_INIT(bench_list);
		Gateway *gateway = bench.gateways[1];

		gateway_script(gateway, GATEWAY_RANGE, reasons[i].status, reasons[i].mark);
		gateway_script(gateway, GATEWAY_RANGE, 200, KEY_OF("1", "4", "3"));
		if (reasons[i].watch)
			gateway_script(gateway, GATEWAY_WATCH, 200, reasons[i].watch);
		break_off(&bench);
		run_until(&bench, has_told(&bench, "reached;"));
		cr_assert_str_eq(bench.told, LISTED, "%s: %s", reasons[i].name, bench.told);
		cr_assert_eq(gateway_count(gateway, GATEWAY_RANGE), 2u, "%s", reasons[i].name);
		cr_assert_eq(gateway_count(gateway, GATEWAY_WATCH), reasons[i].watch ? 2u : 1u,
			     "%s", reasons[i].name);
	}
}

Test(etcd_resume, a_compaction_behind_a_watch_lists)
{
	BENCH_INIT(bench_list);

	gateway_send(bench.gateways[0], "{\"result\":{" GATEWAY_HEADER
					",\"canceled\":true,\"compact_revision\":\"9\"}}\n");
	expect(&bench, "away");
	pass(&bench, 50);
	expect_all(&bench, "snapshot@4;reached;", "reached;");
}

Test(etcd_resume, a_watch_that_begins_elsewhere_ends_the_connection)
{
	BENCH_INIT(bench_list);

	resume(&bench, KEY_OF("1", "9", "3"), CREATED("1", "9") EVENTS(PUT(KEY_B, "5")));
	expect(&bench, "the watch does not begin with the change that it should");
	pass(&bench, 10000);
	expect_all(&bench, "snapshot@4;reached;", "reached;");
}

Test(etcd_resume, a_watch_that_shows_nothing_is_left)
{
	BENCH_INIT(bench_list);

	resume(&bench, KEY_OF("1", "9", "3"), CREATED("1", "9"));
	run_until(&bench, bench.etcd->view.stands);
	run_until(&bench, bench.etcd->view.watch.deadline != INT64_MAX);
	pass(&bench, bench.etcd->view.watch.deadline - bench.time);
	expect(&bench, "no answer");
	pass(&bench, 250);
	expect(&bench, "snapshot@4;reached;");
}

Test(etcd_resume, a_change_whose_answer_is_lost_lists)
{
	BENCH_INIT(bench_list);

	gateway_script_hang_up(bench.gateways[0], GATEWAY_TXN);
	cr_assert(etcd_swap(bench.etcd, "a", 3, "A", NULL, on_done, &bench));
	expect(&bench, "unknown");
	pass(&bench, 10000);
	expect_all(&bench, "snapshot@4;reached;", "reached;");
	cr_assert_not_null(strstr(gateway_last(bench.gateways[1], GATEWAY_RANGE), "range_end"));
}

Test(etcd_resume, a_change_that_is_lost_or_refused_resumes)
{
	BENCH_INIT(bench_list);

	gateway_script(bench.gateways[0], GATEWAY_TXN, 200, "{" GATEWAY_HEADER "}");
	cr_assert(etcd_swap(bench.etcd, "a", 9, "A", NULL, on_done, &bench));
	expect(&bench, "lost");
	resume(&bench, KEY_OF("1", "4", "3"), CREATED("1", "4") EVENTS(PUT(KEY_A, "3")));
	expect_all(&bench, "reached;", "reached;");
}

Test(etcd_resume, a_revision_whose_rest_was_lost_is_shown_again)
{
	BENCH_INIT(bench_list);

	gateway_send(bench.gateways[0], FRAGMENT(DELETE(KEY_B, "5") "," PUT(KEY_A, "6")));
	expect_all(&bench, "delete b@5;put a=A@6;", "put");
	resume(&bench, KEY_OF("1", "6", "6"), CREATED("1", "6") FRAGMENT(PUT(KEY_A, "6")));
	expect_all(&bench, "put a=A@6;", "put");
	gateway_send(bench.gateways[1], EVENTS(PUT(KEY_B, "6")));
	expect_all(&bench, "put b=A@6;reached;", "reached;");
	cr_assert_not_null(
		strstr(gateway_last(bench.gateways[1], GATEWAY_WATCH), "\"start_revision\":\"6\""));
}

Test(etcd_resume, a_second_break_before_all_is_shown_loses_nothing)
{
	BENCH_INIT(bench_list);

	resume(&bench, KEY_OF("1", "6", "3"),
	       CREATED("1", "6") FRAGMENT(PUT(KEY_A, "3") "," PUT(KEY_B, "5")));
	expect_all(&bench, "put b=A@5;", "put");
	gateway_end_watches(bench.gateways[1]);
	run_until(&bench, !etcd_is_connected(bench.etcd));
	bench.told[0] = '\0';
	pass(&bench, 10000);
	expect_all(&bench, "snapshot@4;reached;", "reached;");
}

Test(etcd_resume, too_many_missed_changes_list)
{
	BENCH_INIT(bench_list);
	_cleanup_(buffer_deinit) Buffer watch = BUFFER_INIT;
	char event[160];
	const char begin[] = CREATED("1", "9000") "{\"result\":{\"events\":[" PUT(KEY_A, "3");

	cr_assert(buffer_append(&watch, begin, sizeof(begin) - 1));
	for (unsigned int i = 1; i < RESUME_REVISIONS_MAX; i++) {
		int length = snprintf(event, sizeof(event), "," DELETE(KEY_B, "%u"), i + 3);
		cr_assert(buffer_append(&watch, event, (size_t)length));
	}
	cr_assert(buffer_append(&watch, "]}}\n", sizeof("]}}\n")));
	bench.told[0] = '\0';
	resume(&bench, KEY_OF("1", "9000", "3"), buffer_head(&watch));
	run_until(&bench, has_told(&bench, "snapshot") || etcd_is_reached(bench.etcd));
	cr_assert_eq(gateway_count(bench.gateways[1], GATEWAY_RANGE), 2u);
	cr_assert_eq(etcd_statistics(bench.etcd)->lists, 2);
}

Test(etcd_resume, a_client_that_has_forgotten_lists)
{
	BENCH_INIT(bench_list);

	bench.has_forgotten = true;
	gateway_script(bench.gateways[1], GATEWAY_RANGE, 200, KEY_OF("1", "4", "3"));
	break_off(&bench);
	expect_all(&bench, LISTED, "reached;");
}
