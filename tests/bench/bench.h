/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the benchmark is made of. Client and servers run on one CPU: on two, the wake-up between
 * them costs more than any server, and hides it.
 */

/* The floor: a process that sends back fixed bytes for fixed bytes, with read, write and epoll. */
typedef struct Floor {
	pid_t pid;
	char path[96];
} Floor;

/* Forks a server on the path that answers each request_size bytes with reply_size. */
Floor floor_start(const char *path, size_t request_size, size_t reply_size);
void floor_stop(Floor *floor);

/* A server as the clients see it. */
typedef struct Target {
	const char *name;
	const char *path; /* of its socket */
	pid_t pid;
	const char *request;
	size_t request_size;
	size_t reply_size; /* of each reply; measured, not assumed */
} Target;

int bench_connect(const char *path);
void bench_send(int connection, const void *data, size_t size);
void bench_receive(int connection, size_t size);

/* Sends the request once and returns how long its reply is. */
size_t bench_measure_reply(int connection, const char *request, size_t request_size);

uint64_t bench_now(void); /* nanoseconds */

/* CPU time that the process has used, in nanoseconds. */
uint64_t bench_cpu(pid_t pid);

/* Anonymous memory of the process that is resident, in bytes. */
size_t bench_anonymous_memory(pid_t pid);

/* Opens many connections, uses each once, and prints what one costs. */
void bench_idle_connections(const char *path, pid_t pid);

/* Opens and closes a shared object as a process that is registered, and prints what that costs. */
void bench_open_objects(const char *path, const char *handle);

double bench_median(double *values, size_t count);

void bench_pin_to_one_cpu(void);

_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
