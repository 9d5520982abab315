/* SPDX-License-Identifier: MIT */
/*
 * The client of etcd while the resolver of host names gives no answer. This file replaces
 * getaddrinfo(), which libcurl calls in a thread of its own.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "daemon/fleet/etcd/client.h"
#include "daemon/fleet/etcd/etcd.h"

#define TIMEOUT 60 /* seconds after which a client that waits for the resolver has failed */

TestSuite(etcd_resolver, .timeout = TIMEOUT);

#define SLOW_NAME "slow.invalid"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int asked, answered;
static bool may_answer;

static void wait_for_answer(void)
{
	pthread_mutex_lock(&mutex);
	asked++;
	pthread_cond_broadcast(&changed);
	while (!may_answer)
		pthread_cond_wait(&changed, &mutex);
	answered++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

/* libcurl finds only what the program exports. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
						       const struct addrinfo *hints,
						       struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (name && strcmp(name, SLOW_NAME) == 0) {
		wait_for_answer();
		return EAI_AGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(name, service, hints, ret);
}

static bool was_asked(unsigned int count)
{
	pthread_mutex_lock(&mutex);
	bool is_done = asked >= count;
	pthread_mutex_unlock(&mutex);
	return is_done;
}

/* Lets the client work until it has asked the resolver so often. */
static void run_until_asked(struct event_base *base, unsigned int count)
{
	while (!was_asked(count)) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		sched_yield();
	}
}

static void let_answer(void)
{
	pthread_mutex_lock(&mutex);
	may_answer = true;
	pthread_cond_broadcast(&changed);
	while (answered < asked)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

typedef struct Bench {
	int64_t time;
	unsigned int breaks;
} Bench;

static int64_t bench_now(void *context)
{
	return ((Bench *)context)->time;
}

static uint32_t bench_random(void *context)
{
	(void)context;
	return 0;
}

static void on_lease(void *context, bool is_held, const char *why)
{
	(void)context;
	(void)is_held;
	(void)why;
}

static void on_reach(void *context, bool is_reached, const char *why, int64_t since)
{
	(void)is_reached;
	(void)why;
	(void)since;
	((Bench *)context)->breaks++;
}

Test(etcd_resolver, a_name_without_an_answer_does_not_stop_the_client)
{
	static const char *const endpoints[] = { "http://" SLOW_NAME ":1" };
	Bench bench = { .time = 1000000 };
	const EtcdClock clock = { .now = bench_now, .random = bench_random, .context = &bench };
	const EtcdHandlers handlers = { .on_lease = on_lease, .on_reach = on_reach };
	const EtcdSettings settings = { .endpoints = endpoints,
					.endpoint_count = 1,
					.prefix = "/v/",
					.ttl = 15,
					.clock = &clock };
	struct event_base *base = event_base_new();

	signal(SIGPIPE, SIG_IGN);
	Etcd *etcd = etcd_new(base, &settings, &handlers, &bench);
	cr_assert_not_null(etcd);
	etcd_wake(etcd);
	run_until_asked(base, 1);
	bench.time += ETCD_PATIENCE;
	etcd_wake(etcd);
	cr_assert_eq(bench.breaks, 1u, "the exchange ends at its deadline");
	bench.time += 10000;
	etcd_wake(etcd);
	run_until_asked(base, 2);
	etcd_free(etcd);
	event_base_free(base);
	let_answer();
}
