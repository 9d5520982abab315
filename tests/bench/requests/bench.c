/* SPDX-License-Identifier: MIT */
/*
 * request-bench SOCKET PID GUID HANDLE: compares vaild with a raw socket echo of the same sizes, in
 * alternating rounds, and prints the medians of the ratios of the rounds. SOCKET and PID are those
 * of the daemon. GUID is a VM that has a vGPU and this process as a display client, and HANDLE an
 * object that it shares.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/requests/bench.h"
#include "tests/support/measure.h"

#define ROUNDS    15
#define PIPELINED 32
#define CLIENTS   64

/* Executes the requests of a round. Returns the nanoseconds for each. */
typedef double (*Shape)(const Target *target, const int *connections);

static double one_at_a_time(const Target *target, const int *connections)
{
	enum { REQUESTS = 8000 };
	uint64_t begin = bench_now();

	for (int i = 0; i < REQUESTS; i++) {
		bench_send(connections[0], target->request, target->request_size);
		bench_receive(connections[0], target->reply_size);
	}
	return (double)(bench_now() - begin) / REQUESTS;
}

static double pipelined(const Target *target, const int *connections)
{
	enum { BATCHES = 400 };
	static char batch[PIPELINED * 512];
	size_t size = target->request_size;

	for (size_t i = 0; i < PIPELINED; i++)
		memcpy(batch + i * size, target->request, size);
	uint64_t begin = bench_now();
	for (int i = 0; i < BATCHES; i++) {
		bench_send(connections[0], batch, PIPELINED * size);
		bench_receive(connections[0], PIPELINED * target->reply_size);
	}
	return (double)(bench_now() - begin) / (BATCHES * PIPELINED);
}

static double many_clients(const Target *target, const int *connections)
{
	enum { TURNS = 150 };
	uint64_t begin = bench_now();

	for (int turn = 0; turn < TURNS; turn++) {
		for (int i = 0; i < CLIENTS; i++)
			bench_send(connections[i], target->request, target->request_size);
		for (int i = 0; i < CLIENTS; i++)
			bench_receive(connections[i], target->reply_size);
	}
	return (double)(bench_now() - begin) / (TURNS * CLIENTS);
}

typedef struct Pair {
	double floor;
	double vaild;
	double cpu; /* CPU time of the daemon for each request */
	double ratio;
	double lowest;
	double highest;
} Pair;

static Pair compare(Shape shape, const Target *floor, const int *floor_connections,
		    const Target *vaild, const int *vaild_connections)
{
	double floors[ROUNDS], vailds[ROUNDS], ratios[ROUNDS], cpus[ROUNDS];

	shape(floor, floor_connections); /* warm both up */
	shape(vaild, vaild_connections);
	for (int round = 0; round < ROUNDS; round++) {
		floors[round] = shape(floor, floor_connections);
		uint64_t cpu = bench_cpu(vaild->pid), begin = bench_now();
		vailds[round] = shape(vaild, vaild_connections);
		cpus[round] = (double)(bench_cpu(vaild->pid) - cpu) /
			      (double)(bench_now() - begin) * vailds[round];
		ratios[round] = floors[round] / vailds[round];
	}
	Pair pair = {
		.floor = bench_median(floors, ROUNDS),
		.vaild = bench_median(vailds, ROUNDS),
		.cpu = bench_median(cpus, ROUNDS),
		.ratio = bench_median(ratios, ROUNDS), /* sorts the ratios */
	};
	pair.lowest = ratios[0];
	pair.highest = ratios[ROUNDS - 1];
	return pair;
}

static void connect_all(const char *path, int connections[static CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++)
		connections[i] = bench_connect(path);
}

static void close_all(const int connections[static CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++)
		close(connections[i]);
}

static void print_pair(const char *name, const char *shape, const Pair *pair)
{
	printf("%-24s %-15s %8.2f %8.2f %8.2f   %.3f  (%.3f to %.3f)\n", name, shape,
	       pair->floor / 1000, pair->vaild / 1000, pair->cpu / 1000, pair->ratio, pair->lowest,
	       pair->highest);
}

static void measure(const char *path, pid_t pid, const char *name, const char *request)
{
	static const struct {
		const char *name;
		Shape shape;
	} shapes[] = {
		{ "one at a time", one_at_a_time },
		{ "32 pipelined", pipelined },
		{ "64 clients", many_clients },
	};
	Target vaild = {
		.path = path, .pid = pid, .request = request, .request_size = strlen(request) + 1
	};
	char floor_path[128];
	int vaild_connections[CLIENTS], floor_connections[CLIENTS];

	connect_all(path, vaild_connections);
	vaild.reply_size = bench_measure_reply(vaild_connections[0], request, vaild.request_size);
	snprintf(floor_path, sizeof(floor_path), "%s.floor", path);
	Floor floor = floor_start(floor_path, vaild.request_size, vaild.reply_size);
	Target raw = vaild;
	raw.path = floor_path;
	connect_all(floor_path, floor_connections);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		Pair pair = compare(shapes[i].shape, &raw, floor_connections, &vaild,
				    vaild_connections);
		print_pair(name, shapes[i].name, &pair);
	}
	close_all(vaild_connections);
	close_all(floor_connections);
	floor_stop(&floor);
}

/* Registers this process, so that the benchmark measures the repetition of a registration. */
static void register_once(const char *path, const char *request)
{
	static const char context[] = "{\"method\":\"io.vaild.Gpu.CreateContext\"}";
	int connection = bench_connect(path);

	bench_measure_reply(connection, context, sizeof(context));
	bench_measure_reply(connection, request, strlen(request) + 1);
	close(connection);
}

int main(int argc, char **argv)
{
	char register_request[256], describe_request[256];

	if (argc != 5)
		bench_fail("usage: request-bench SOCKET PID GUID HANDLE");
	const char *path = argv[1], *guid = argv[3];
	pid_t pid = (pid_t)atoi(argv[2]);
	snprintf(register_request, sizeof(register_request),
		 "{\"method\":\"io.vaild.RegisterVailProcess\",\"parameters\":"
		 "{\"virtualMachineGuid\":\"%s\"}}",
		 guid);
	snprintf(describe_request, sizeof(describe_request),
		 "{\"method\":\"io.vaild.Machine.DescribeVirtualMachine\",\"parameters\":"
		 "{\"virtualMachineGuid\":\"%s\"}}",
		 guid);
	bench_pin_to_one_cpu();
	printf("Anonymous memory of the daemon at rest: %zu kB\n",
	       bench_anonymous_memory(pid) / 1024);
	bench_idle_connections(path, pid);
	register_once(path, register_request);
	printf("\nMicroseconds per request, client and server on one CPU, medians of %d rounds;\n"
	       "ratio = raw echo of the same sizes / vaild, per round (lowest to highest).\n\n"
	       "%-24s %-15s %8s %8s %8s   %s\n",
	       ROUNDS, "request", "", "raw echo", "vaild", "its CPU", "ratio");
	measure(path, pid, "GetInfo", "{\"method\":\"org.varlink.service.GetInfo\"}");
	measure(path, pid, "RegisterVailProcess", register_request);
	measure(path, pid, "DescribeVirtualMachine", describe_request);
	bench_open_objects(path, argv[4]);
	bench_worst(path, pid);
	return EXIT_SUCCESS;
}
