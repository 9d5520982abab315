/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_MEASURE_H
#define TESTS_SUPPORT_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Sockets, clocks and costs of a process, for the benchmarks. */

int bench_connect(const char *path);
void bench_send(int connection, const void *data, size_t size);
void bench_receive(int connection, size_t size);

/* Sends the request once and returns the size of the reply in bytes. */
size_t bench_measure_reply(int connection, const char *request, size_t request_size);

/* Returns CLOCK_MONOTONIC in nanoseconds. */
uint64_t bench_now(void);

/* Returns the CPU time of the process in nanoseconds. */
uint64_t bench_cpu(pid_t pid);

/* Returns the resident anonymous memory of the process in bytes. */
size_t bench_anonymous_memory(pid_t pid);

/* Returns the median. Sorts the values. */
double bench_median(double *values, size_t count);

void bench_pin_to_one_cpu(void);

/* Prints an error and exits. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
