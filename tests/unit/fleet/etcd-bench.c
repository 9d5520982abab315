/* SPDX-License-Identifier: MIT */
#include "tests/unit/fleet/etcd-bench.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int64_t bench_now(void *context)
{
	return ((Bench *)context)->time;
}

uint32_t bench_random(void *context)
{
	(void)context;
	return 0;
}

__attribute__((format(printf, 2, 3))) static void tell(Bench *bench, const char *format, ...)
{
	size_t length = strlen(bench->told);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(bench->told + length, sizeof(bench->told) - length, format, arguments);
	va_end(arguments);
}

static void on_snapshot(void *context, const EtcdEntry *entries, size_t count, int64_t revision)
{
	tell(context, "snapshot@%lld", (long long)revision);
	if (((Bench *)context)->cluster != 1)
		tell(context, " of %llu", (unsigned long long)((Bench *)context)->cluster);
	for (size_t i = 0; i < count && i < 4; i++)
		tell(context, " %s=%s@%lld/%lld", entries[i].key, entries[i].value,
		     (long long)entries[i].mod_revision, (long long)entries[i].lease);
	if (count > 4)
		tell(context, " and %zu more", count - 4);
	tell(context, ";");
}

static void on_put(void *context, const EtcdEntry *entry)
{
	tell(context, "put %s=%s@%lld;", entry->key, entry->value, (long long)entry->mod_revision);
}

static void on_delete(void *context, const char *key, int64_t revision)
{
	tell(context, "delete %s@%lld;", key, (long long)revision);
}

static void on_lease(void *context, bool is_held, const char *why)
{
	cr_assert_eq(is_held, why == NULL);
	tell(context, is_held ? "lease;" : "no lease: %s;", why);
}

static void on_reach(void *context, bool is_reached, const char *why, int64_t since)
{
	Bench *bench = context;

	cr_assert_eq(is_reached, why == NULL);
	if (is_reached) {
		cr_assert_eq(since, bench->time);
		tell(bench, "reached;");
		return;
	}
	/* The port of a gateway is another one each time. */
	for (size_t i = 0; i < ARRAY_SIZE(bench->gateways); i++) {
		const char *url = gateway_url(bench->gateways[i]);
		if (strncmp(why, url, strlen(url)) == 0)
			tell(bench, "away since %lld: %zu%s;", (long long)since, i,
			     why + strlen(url));
	}
}

void on_done(void *context, EtcdOutcome outcome, int64_t revision, const char *why)
{
	static const char *const names[ETCD_OUTCOME_MAX] = { "done", "lost", "unknown", "failed" };

	cr_assert_eq(outcome == ETCD_DONE, why == NULL);
	cr_assert_eq(outcome == ETCD_DONE, revision != 0);
	if (why)
		tell(context, "%s: %s;", names[outcome], why);
	else
		tell(context, "%s@%lld;", names[outcome], (long long)revision);
}

static void on_cluster(void *context, uint64_t cluster)
{
	((Bench *)context)->cluster = cluster;
}

static void on_alarm(void *context, const char *alarm, int64_t since)
{
	if (alarm)
		tell(context, "alarm %s since %lld;", alarm, (long long)since);
	else
		tell(context, "no alarm;");
}

static bool may_resume(void *context)
{
	return !((Bench *)context)->has_forgotten;
}

static const EtcdHandlers handlers = { on_snapshot, on_put,     on_delete, on_lease,
				       on_reach,    on_cluster, on_alarm,  may_resume };

void bench_init(Bench *bench)
{
	signal(SIGPIPE, SIG_IGN);
	*bench = (Bench){ .base = event_base_new(), .time = 1000000 };
	bench->clock = (EtcdClock){ .now = bench_now, .random = bench_random, .context = bench };
	for (size_t i = 0; i < ARRAY_SIZE(bench->gateways); i++)
		bench->gateways[i] = gateway_new(bench->base);
}

void bench_start(Bench *bench)
{
	const char *endpoints[] = { gateway_url(bench->gateways[0]),
				    gateway_url(bench->gateways[1]) };
	EtcdSettings settings = { .endpoints = endpoints,
				  .endpoint_count = ARRAY_SIZE(endpoints),
				  .prefix = "/v/",
				  .ttl = 15,
				  .clock = &bench->clock };

	bench->etcd = etcd_new(bench->base, &settings, &handlers, bench);
	cr_assert_not_null(bench->etcd);
}

void bench_deinit(Bench *bench)
{
	etcd_free(bench->etcd);
	for (size_t i = 0; i < ARRAY_SIZE(bench->gateways); i++)
		gateway_free(bench->gateways[i]);
	event_base_free(bench->base);
}

bool has_told(const Bench *bench, const char *text)
{
	return strstr(bench->told, text) != NULL;
}

void expect(Bench *bench, const char *text)
{
	run_until(bench, has_told(bench, text));
	bench->told[0] = '\0';
}

void expect_all(Bench *bench, const char *texts, const char *last)
{
	run_until(bench, has_told(bench, last));
	cr_assert_str_eq(bench->told, texts);
	bench->told[0] = '\0';
}

void pass(Bench *bench, int64_t milliseconds)
{
	bench->time += milliseconds;
	etcd_wake(bench->etcd);
}

void bench_reach(Bench *bench)
{
	bench_init(bench);
	bench_start(bench);
	expect_all(bench, REACHED, "lease;");
}
