/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_FLEET_PROCESSES_H
#define TESTS_BENCH_FLEET_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The real processes beside the simulated hosts, and plain requests to etcd. */

#define ETCD_URL "http://127.0.0.1:2379"

/* Starts etcd with its data in the folder, and waits until it answers. */
pid_t etcd_process_start(const char *folder);

/* Starts build/vaild-fleet with its files in the folder. Does not wait. */
pid_t fleet_process_start(const char *folder);

/* Tests whether the vaild-fleet has reached etcd, so that it knows all keys. */
bool fleet_process_is_ready(const char *folder);

/* Ends a process at once. */
void process_kill(pid_t pid);

/* Return the CPU time in seconds, and the resident memory now and at most, in MiB. */
double process_cpu(pid_t pid);
double process_memory(pid_t pid);
double process_memory_peak(pid_t pid);

/* Returns the number of open fds. All but about 20 of etcd are connections. */
size_t process_fds(pid_t pid);

/*
 * Sends a POST to etcd on one connection that is kept, with curl, and waits for the answer. Returns
 * its size in bytes. Exits if it is no HTTP 200.
 */
size_t post(const char *path, const char *body);

/* Returns the sum of a counter in etcd's metrics. prefix: of its lines. */
double etcd_counter(const char *prefix);

#endif
