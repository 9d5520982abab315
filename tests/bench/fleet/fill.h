/* SPDX-License-Identifier: MIT */
#ifndef TESTS_BENCH_FLEET_FILL_H
#define TESTS_BENCH_FLEET_FILL_H

#include <stdint.h>

/*
 * Puts the keys of played hosts into etcd without their vaild-fleets: all keys of each, without a
 * lease, in few requests.
 */
void fill_hosts(unsigned int count);

/* Puts the key of one VM with another number of registrations. */
void fill_vm(unsigned int host, unsigned int vm, uint64_t registrations);

#endif
