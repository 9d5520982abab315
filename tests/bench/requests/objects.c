/* SPDX-License-Identifier: MIT */
/*
 * Measures the time to open a shared object, for which the daemon reads the caller's credentials,
 * reopens the memory, passes an fd and writes an audit record. Compares it with GetInfo, the
 * cheapest call, in alternating rounds.
 */
#include "tests/bench/requests/bench.h"
#include "tests/support/helper.h"
#include "tests/support/measure.h"

#define ROUNDS 15
#define CALLS  1000

typedef struct Costs {
	double cheapest;
	double open;
	double close;
} Costs;

/* Receives a reply of this size and closes the fd that must come with it. */
static void receive_fd(int connection, size_t size)
{
	char input[4096];
	int fd;
	ssize_t received =
		helper_recvmsg_one(connection, input, sizeof(input), MSG_CMSG_CLOEXEC, &fd);

	if (received <= 0 || fd < 0)
		bench_fail("cannot open the object: %.*s", received > 0 ? (int)received : 0, input);
	close(fd);
	bench_receive(connection, size - (size_t)received);
}

static size_t request(char *text, size_t size, const char *method, const char *handle)
{
	return (size_t)snprintf(text, size,
				"{\"method\":\"io.vaild.%s\",\"parameters\":{\"handle\":\"%s\"}}",
				method, handle) +
	       1;
}

static double cheapest_call(int connection, size_t reply_size)
{
	static const char info[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
	uint64_t begin = bench_now();

	for (int i = 0; i < CALLS; i++) {
		bench_send(connection, info, sizeof(info));
		bench_receive(connection, reply_size);
	}
	return (double)(bench_now() - begin) / CALLS;
}

/* Closes the object after each open, so that each open adds a holder. */
static void open_and_close(int connection, const char *handle, Costs *costs)
{
	char open[256], closing[256];
	size_t open_size = request(open, sizeof(open), "OpenSharedObject", handle);
	size_t closing_size = request(closing, sizeof(closing), "CloseSharedObject", handle);
	size_t reply = bench_measure_reply(connection, open, open_size);
	size_t closed = bench_measure_reply(connection, closing, closing_size);
	uint64_t opens = 0, closes = 0;

	for (int i = 0; i < CALLS; i++) {
		uint64_t begin = bench_now();
		bench_send(connection, open, open_size);
		receive_fd(connection, reply);
		uint64_t opened = bench_now();
		bench_send(connection, closing, closing_size);
		bench_receive(connection, closed);
		opens += opened - begin;
		closes += bench_now() - opened;
	}
	costs->open = (double)opens / CALLS;
	costs->close = (double)closes / CALLS;
}

void bench_open_objects(const char *path, const char *handle)
{
	static const char info[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
	double cheapest[ROUNDS], opens[ROUNDS], closes[ROUNDS], beyond[ROUNDS];
	int connection = bench_connect(path);
	size_t reply_size = bench_measure_reply(connection, info, sizeof(info));

	for (int round = 0; round < ROUNDS; round++) {
		Costs costs;

		cheapest[round] = cheapest_call(connection, reply_size);
		open_and_close(connection, handle, &costs);
		opens[round] = costs.open;
		closes[round] = costs.close;
		beyond[round] = costs.open - 1.3 * cheapest[round];
	}
	close(connection);
	printf("\nMicroseconds per call, one at a time: GetInfo %.2f, OpenSharedObject %.2f, "
	       "CloseSharedObject %.2f.\n"
	       "Opening takes 1.3 times as long as GetInfo, and %.2f us for the credentials, the "
	       "memory, the fd and the audit record.\n",
	       bench_median(cheapest, ROUNDS) / 1000, bench_median(opens, ROUNDS) / 1000,
	       bench_median(closes, ROUNDS) / 1000, bench_median(beyond, ROUNDS) / 1000);
}
