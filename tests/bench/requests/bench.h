/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_REQUESTS_BENCH_H
#define TESTS_BENCH_REQUESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Functions of the benchmarks. The client and the servers run on one CPU, because the wake-up of
 * another CPU takes longer than the work of any server and would hide it.
 */

/* The floor: a server process that replies with constant bytes, for comparison with vaild. */
typedef struct Floor {
	pid_t pid;
	char path[96];
} Floor;

/* Forks a server with a socket at the path that replies to request_size bytes with reply_size. */
Floor floor_start(const char *path, size_t request_size, size_t reply_size);
void floor_stop(Floor *floor);

/* A server to be measured. */
typedef struct Target {
	const char *name;
	const char *path; /* of its socket */
	pid_t pid;
	const char *request;
	size_t request_size;
	size_t reply_size; /* of each reply, as measured once */
} Target;

/* Opens many connections, uses each once, and prints the daemon's memory per connection. */
void bench_idle_connections(const char *path, pid_t pid);

/* Opens and closes a shared object repeatedly and prints the time that takes. */
void bench_open_objects(const char *path, const char *handle);

/* Measures the most expensive request of each method, and prints a table. */
void bench_worst(const char *path, pid_t pid);

#endif
